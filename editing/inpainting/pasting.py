"""What every inpainter does around its networks: looks at what it is given, and pastes."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from editing.finite import require_finite_rows
from editing.tensors import MaskBatch, PictureBatch


def check_batch(
    pictures: Tensor,
    masks: Tensor,
    prompts: Sequence[str],
    generators: Sequence[torch.Generator],
    *,
    multiple: int,
) -> None:
    """Make sure that pictures (b, 3, height, width) can be painted in masks (b, 1, height, width).

    `multiple` is what sides must be multiples of.

    Raises:
        ValueError: not as many masks, prompts or generators as pictures, masks of another size, or
            that hold other numbers than 0 and 1, or sides that are no multiples.
        NotFiniteError: pictures at its `places` hold infinite numbers, or none.
    """
    count, height, width = len(pictures), *pictures.shape[-2:]
    given = {"masks": len(masks), "prompts": len(prompts), "generators": len(generators)}
    for name, found in given.items():
        if found != count:
            raise ValueError(f"there must be {count} {name}, one a picture, got {found}")
    if masks.shape[-2:] != pictures.shape[-2:]:
        sides = " x ".join(str(side) for side in reversed(masks.shape[-2:]))
        raise ValueError(f"masks must have the pictures' size, {width} x {height}, got {sides}")
    if height % multiple or width % multiple or not count * height * width:
        raise ValueError(
            f"there must be pictures, with sides that are multiples of {multiple}, "
            f"got {count} of {width} x {height}"
        )
    if not bool(((masks == 0) | (masks == 1)).all()):
        raise ValueError("masks must hold 0 and 1 alone")
    require_finite_rows(pictures, where="in the source picture")


def paste(pictures: PictureBatch, masks: MaskBatch, painted: PictureBatch) -> PictureBatch:
    """What was `painted` inside the masks, clamped to [-1, 1], and the pictures outside.

    Raises:
        NotFiniteError: what was painted at its `places` are infinite numbers, or none.
    """
    require_finite_rows(painted, where="in the painted picture")
    return torch.where(masks > 0.5, painted.to(pictures).clamp(-1, 1), pictures)


ALIKE_WINDOW, GROWN_WINDOW = 5 / 64, 3 / 64
"""Sides of the windows of `keep_alike`, of the shorter side of a picture."""


def keep_alike(pictures: PictureBatch, painted: PictureBatch, *, below: float) -> PictureBatch:
    """What was painted, and the pictures' own pixels wherever it hardly differs from them.

    A box holds more than the thing that changes, and what is painted there anew loses its grain.
    The difference, in [0, 1], is averaged over channels and a small window; where it is not
    `below`, and a pixel or so around that, stands what was painted. With 0 all of it does.

    Raises:
        ValueError: `below` is not in [0, 1).
    """
    if not 0 <= below < 1:
        raise ValueError(f"keep_below must be in [0, 1), got {below}")
    if below == 0:
        return painted
    side = min(pictures.shape[-2:])
    difference = ((painted - pictures) / 2).abs().mean(1, keepdim=True)
    near = _odd(side * ALIKE_WINDOW)
    padded = F.pad(difference, (near // 2,) * 4, mode="replicate")
    changed = (F.avg_pool2d(padded, near, 1) >= below).float()
    reach = _odd(side * GROWN_WINDOW)
    grown = F.max_pool2d(changed, reach, 1, reach // 2)
    return torch.where(grown > 0.5, painted, pictures)


def _odd(pixels: float) -> int:
    """The nearest odd number of pixels, at least 1."""
    return 2 * max(0, round((pixels - 1) / 2)) + 1
