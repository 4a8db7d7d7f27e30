"""What a person should know of an edit that was made all the same: said aloud, and counted."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

EMPTY_MASK, WHOLE_MASK, TINY_MASK = "empty_mask", "whole_mask", "tiny_mask"
ELONGATED = "elongated"

_WORDS = {
    EMPTY_MASK: "an empty mask, in which nothing may change",
    WHOLE_MASK: "a mask of the whole picture",
    TINY_MASK: "a mask too small to change anything",
    ELONGATED: "a picture so long that it was made smaller",
}


def in_words(name: str) -> str:
    """What a remark of that name is of, after `with`."""
    return _WORDS.get(name, name)


@dataclass(frozen=True)
class Remark:
    """One thing to know of an edit: a name that it is counted by, and a line for a person."""

    name: str
    detail: str


def remark_on_size(
    whole: tuple[int, int], worked: tuple[int, int], *, trained: int
) -> tuple[Remark, ...]:
    """What is to be said of a picture of `whole` (width, height) that is worked at as `worked`.

    Nothing, unless its shorter side is below `trained`, that of the pictures the networks know.
    """
    if min(worked) >= trained:
        return ()
    line = f"{whole[0]} x {whole[1]} pixels are worked at as {worked[0]} x {worked[1]}"
    return (Remark(ELONGATED, line),)


def remark_on_mask(mask: Image.Image | None) -> tuple[Remark, ...]:
    """What is to be said of a mask that marks nothing, or everything; nothing of any other."""
    if mask is None:
        return ()
    marked = np.asarray(mask.convert("L")) > 127
    if not marked.any():
        return (Remark(EMPTY_MASK, "the mask is empty: nothing of the picture may change"),)
    if marked.all():
        return (Remark(WHOLE_MASK, "the mask is whole: all of the picture may change"),)
    return ()
