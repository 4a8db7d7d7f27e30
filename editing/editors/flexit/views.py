"""Augmented views of a picture, so that an encoder is not deceived by what one look shows.

As section 4.3 of Couairon's thesis has them: mirrored or not, turned by up to 10 degrees, and a
part of at least 80% cut out whose aspect is between 0.9 and 1.1 times the picture's.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from editing.tensors import PictureBatch

ViewMaps = Float[Tensor, "b views 2 3"]
"""Where each view looks, as affine maps of a view's points in [-1, 1] to the picture's."""

MOST_TURN = math.radians(10)
LEAST_SHARE = 0.8
LEAST_ASPECT, MOST_ASPECT = 0.9, 1.1

_DRAWN = 6
"""Random numbers of a view."""


def draw_views(
    generators: Sequence[torch.Generator], *, count: int, plain: bool, flips: bool
) -> ViewMaps:
    """`count` random views for each generator, after the picture itself where that is `plain`.

    There is the picture itself too where there is nothing else to look at.
    """
    drawn = torch.stack([_draw(generator, count) for generator in generators])
    turn, share, aspect, x, y, mirror = drawn.unbind(-1)
    angle = (2 * turn - 1) * MOST_TURN
    share = LEAST_SHARE + (1 - LEAST_SHARE) * share
    aspect = LEAST_ASPECT + (MOST_ASPECT - LEAST_ASPECT) * aspect
    width, height = ((share * each).sqrt().clamp(max=1) for each in (aspect, 1 / aspect))
    left, top = (2 * x - 1) * (1 - width), (2 * y - 1) * (1 - height)
    side = torch.where(mirror < 0.5, -1.0, 1.0) if flips else torch.ones_like(mirror)
    cosine, sine = angle.cos(), angle.sin()
    rows = [
        torch.stack([side * cosine * width, -side * sine * height], -1),
        torch.stack([sine * width, cosine * height], -1),
    ]
    shifts = [side * (cosine * left - sine * top), sine * left + cosine * top]
    maps = torch.cat([torch.stack(rows, -2), torch.stack(shifts, -1)[..., None]], -1)
    if not plain and count > 0:
        return maps
    itself = torch.eye(2, 3).expand(len(drawn), 1, 2, 3)
    return torch.cat([itself, maps], 1)


def _draw(generator: torch.Generator, count: int) -> Tensor:
    return torch.rand(count, _DRAWN, generator=generator, device=generator.device).cpu()


Looks = Float[Tensor, "looks 3 height width"]
"""Views of all pictures of a batch, those of each picture together, in [-1, 1]."""


def look_at(pictures: PictureBatch, maps: ViewMaps) -> Looks:
    """The views of pictures, as many of each as it has maps.

    What a turned view shows beyond an edge is the picture mirrored there; gradients pass.
    """
    count = maps.shape[1]
    if count == 1 and bool((maps == torch.eye(2, 3)).all()):
        return pictures
    whole = pictures.repeat_interleave(count, 0)
    places = maps.flatten(0, 1).to(pictures.device, pictures.dtype)
    grid = F.affine_grid(places, list(whole.shape), align_corners=False)
    return F.grid_sample(
        whole, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
