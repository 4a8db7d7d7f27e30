"""Which part of a picture an edit may change, where nobody drew it."""

from collections.abc import Sequence

from PIL import Image

from transforms.masks import mark_region
from transforms.protocols import Segmenter


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
) -> list[Image.Image]:
    """What each phrase names in its picture: masks (L, 0 or 255) of `size` (width, height).

    iEdit, section 3.4: the relevance of CLIPSeg, cut at one half.
    """
    relevance = segmenter.relevance(images, phrases)
    return [Image.fromarray(mark_region(each, size)) for each in relevance]
