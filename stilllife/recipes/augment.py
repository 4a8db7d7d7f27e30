"""Changes of light and grain that no caption mentions, so that rendered pictures never repeat."""

import torch


def augment(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Images (n, 3, 64, 64) in [-1, 1] under another light: gain, cast and noise; same range."""
    n = len(images)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator)

    unit = (images + 1) / 2
    unit = unit * uniform(0.92, 1.08, n, 1, 1, 1) * uniform(0.97, 1.03, n, 3, 1, 1)
    grain = torch.randn(images.shape, generator=generator) * uniform(0, 0.015, n, 1, 1, 1)
    return (unit + grain).clamp(0, 1) * 2 - 1


def drain_colour(
    images: torch.Tensor, share: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of which about `share` are made grey, and which (n,) bool.

    Each grey is another mixture of red, green and blue, so that brightness does not give the colour
    away. From grey pictures a network learns shapes that do not depend on colours, which it needs
    for combinations of shape and colour that it is never shown.
    """
    n = len(images)
    grey = torch.rand(n, generator=generator) < share
    mixture = torch.rand(n, 3, 1, 1, generator=generator) + 0.2
    mixture = mixture / mixture.sum(dim=1, keepdim=True)
    drained = (images * mixture).sum(dim=1, keepdim=True).expand_as(images)
    return torch.where(grey[:, None, None, None], drained, images), grey
