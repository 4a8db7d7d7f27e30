"""What every inpainter does around its networks: looks at what it is given, and pastes."""

from collections.abc import Sequence

import torch

from editing.finite import require_finite_rows
from editing.tensors import MaskBatch, PictureBatch


def check_batch(
    pictures: PictureBatch,
    masks: MaskBatch,
    prompts: Sequence[str],
    generators: Sequence[torch.Generator],
    *,
    multiple: int,
) -> None:
    """Make sure that a batch can be painted; `multiple` is what sides must be multiples of.

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
