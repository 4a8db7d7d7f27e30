"""Pseudo-targets moved so that what is edited lies where it lies in the source.

A pseudo-target is another picture: its thing stands somewhere near, not there. The losses compare
place by place, so that what is learnt of a thing that is now here and now there is its blur.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from editing.tensors import MaskTensor, PictureTensor


def align_target(
    target: PictureTensor, *, source_mask: MaskTensor, target_mask: MaskTensor
) -> tuple[PictureTensor, MaskTensor]:
    """The target and its mask, moved by whole pixels until the masks' centres lie together.

    What comes in at the edges repeats the outermost pixels. Where a mask is empty nothing is moved.
    The move is ours; iEdit takes pseudo-targets as they are.
    """
    here, there = centre_of(source_mask), centre_of(target_mask)
    if here is None or there is None:
        return target, target_mask
    down, right = (here - there).round().long().tolist()
    return move(target, down, right), move(target_mask, down, right)


def centre_of(mask: MaskTensor) -> Float[Tensor, "2"] | None:
    """The mean row and column of what a mask has inside; None where it has nothing."""
    inside = torch.nonzero(mask[0] > 0.5)
    return inside.float().mean(0) if len(inside) else None


def move(
    picture: Float[Tensor, "*c height width"], down: int, right: int
) -> Float[Tensor, "*c height width"]:
    """Pictures or masks moved by so many pixels; their outermost ones are repeated."""
    height, width = picture.shape[-2:]
    rows = (torch.arange(height) - down).clamp(0, height - 1)
    columns = (torch.arange(width) - right).clamp(0, width - 1)
    return picture[..., rows, :][..., columns]
