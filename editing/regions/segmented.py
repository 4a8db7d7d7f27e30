"""Which part of a picture an edit may change, where nobody drew it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from transforms.pictures.masks import mark_region
from transforms.protocols import Segmenter


@dataclass(frozen=True, kw_only=True)
class MaskUse:
    """What an editor makes of masks.

    `grow` is how far a mask that is found reaches beyond what it is of, as `grow_region` has it.
    With `paste` the source's own pixels are put back outside a mask; else its round trip through
    the autoencoder stands there.
    """

    grow: float = 0.0
    paste: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.grow <= 1:
            raise ValueError(f"mask_grow must be in [0, 1], got {self.grow}")


def changed_words(source_prompt: str, prompt: str) -> str:
    """The words of `source_prompt` that `prompt` has exchanged or left out, empty if none.

    What stands before the first and after the last difference is common to both.
    """
    before, after = source_prompt.split(), prompt.split()
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    return " ".join(before[head : len(before) - tail])


def find_regions(
    segmenter: Segmenter,
    images: Sequence[Image.Image],
    phrases: Sequence[str],
    *,
    size: tuple[int, int],
    grow: float = 0.0,
) -> list[Image.Image]:
    """What each phrase names in its picture: masks (L, 0 or 255) of `size` (width, height).

    iEdit, section 3.4: the relevance of CLIPSeg, cut at one half. `grow` is as `grow_region` has
    it; the paper does not grow masks.
    """
    relevance = segmenter.relevance(images, phrases)
    return [grow_region(Image.fromarray(mark_region(each, size)), grow) for each in relevance]


def grow_region(mask: Image.Image, share: float) -> Image.Image:
    """`mask` (L) with all that is near what is bright: within `share` of the shorter side.

    Near is meant along each axis, so that a point becomes a square. What takes a thing's place
    seldom has its outline: a mask as sharp as the thing leaves no room for anything else.
    """
    reach = round(share * min(mask.size))
    if reach == 0:
        return mask
    grown = torch.from_numpy(np.asarray(mask, np.float32))[None, None]
    grown = F.max_pool2d(grown, (2 * reach + 1, 1), stride=1, padding=(reach, 0))
    grown = F.max_pool2d(grown, (1, 2 * reach + 1), stride=1, padding=(0, reach))
    return Image.fromarray(grown[0, 0].numpy().astype(np.uint8))
