"""Changes of light and grain that no caption mentions, so that rendered pictures never repeat."""

import math

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


TURN = 30.0
"""Degrees by which hues are turned: half way between neighbouring colours of the world."""


def turn_hues(
    images: torch.Tensor, share: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of which about `share` have hues that no word of the world names, and which (n,) bool.

    Every hue is turned by `TURN` degrees one way or the other: red to orange, blue to cyan. A
    network that only ever sees a shape in five of six colours learns that it does not occur in the
    sixth; seeing it in all the colours between, it learns that shape and colour are independent.
    """
    n = len(images)
    turned = torch.rand(n, generator=generator) < share
    sign = torch.randint(2, (n,), generator=generator) * 2 - 1
    angle = torch.where(turned, sign * math.radians(TURN), torch.zeros(n))
    # Rotation of RGB about its grey axis: a circulant matrix with rows (a, b, c).
    cos, sin = angle.cos(), angle.sin() / math.sqrt(3)
    a = cos + (1 - cos) / 3
    b = (1 - cos) / 3 - sin
    c = (1 - cos) / 3 + sin
    rotation = torch.stack([a, b, c, c, a, b, b, c, a], dim=1).view(n, 3, 3)
    mixed = torch.einsum("nij,njhw->nihw", rotation, images)
    return mixed.clamp(-1, 1), turned
