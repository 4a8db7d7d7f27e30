"""Changes of light and grain that no caption mentions, so that rendered pictures never repeat."""

import math

import torch

from stilllife.fields import ABSENT
from stilllife.render import HUES
from stilllife.words import COLOURS


def augment(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Images (n, 3, 64, 64) in [-1, 1] under another light: gain, cast and noise; same range."""
    n = len(images)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator)

    unit = (images + 1) / 2
    unit = unit * uniform(0.92, 1.08, n, 1, 1, 1) * uniform(0.97, 1.03, n, 3, 1, 1)
    grain = torch.randn(images.shape, generator=generator) * uniform(0, 0.015, n, 1, 1, 1)
    return (unit + grain).clamp(0, 1) * 2 - 1


STEP = 5.0
"""Degrees between the angles by which hues are turned."""

GAP = 14.0
"""Degrees that a turned hue keeps from the hue of every colour the world names. Renderings of a
named colour stay within 6.5 degrees of it."""


def _allowed_angles() -> torch.Tensor:
    """(colours, angles) bool: which multiples of `STEP` turn a colour to one that has no name."""
    named = torch.tensor([HUES[name][0] * 360 for name in COLOURS])
    angles = torch.arange(0, 360, STEP)
    turned = named[:, None] + angles
    apart = (turned[..., None] - named + 180).remainder(360) - 180
    return (apart.abs() >= GAP).all(-1)


ALLOWED = _allowed_angles()


def turn_hues(
    images: torch.Tensor,
    colours: tuple[torch.Tensor, torch.Tensor],
    share: float,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of which about `share` have hues that no word of the world names, and which (n,) bool.

    `images` are (n, 3, 64, 64) in [-1, 1]; `colours` the labels (n,) of the first and the second
    thing's colour, `ABSENT` where there is no second. All hues of a picture are turned by one
    angle, drawn from those that bring none of its things within `GAP` degrees of a named colour;
    saturation and brightness, which would give the first colour away, are scaled. A picture
    without such an angle is left as it is.

    A network that sees a shape in five of six colours learns that it does not occur in the sixth;
    one that is taught shapes in all the colours between has nothing to learn that from.
    """
    n = len(images)
    first, second = colours
    allowed = ALLOWED[first] & ALLOWED[torch.where(second == ABSENT, first, second)]
    turned = (torch.rand(n, generator=generator) < share) & allowed.any(1)
    weight = torch.where(turned[:, None], allowed, torch.ones_like(allowed)).float()
    angle = torch.multinomial(weight, 1, generator=generator)[:, 0] * math.radians(STEP)
    angle = torch.where(turned, angle, torch.zeros(n))
    one = torch.ones(n)
    chroma = torch.where(turned, 0.4 + 0.7 * torch.rand(n, generator=generator), one)
    gain = torch.where(turned, 0.65 + 0.45 * torch.rand(n, generator=generator), one)
    # Rotation of RGB about its grey axis: a circulant matrix with rows (a, b, c).
    cos, sin = chroma * angle.cos(), chroma * angle.sin() / math.sqrt(3)
    a = cos + (1 - cos) / 3
    b = (1 - cos) / 3 - sin
    c = (1 - cos) / 3 + sin
    rotation = torch.stack([a, b, c, c, a, b, b, c, a], dim=1).view(n, 3, 3)
    unit = torch.einsum("nij,njhw->nihw", rotation, (images + 1) / 2) * gain.view(n, 1, 1, 1)
    return unit.clamp(0, 1) * 2 - 1, turned
