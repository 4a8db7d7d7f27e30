"""How `zestguide` came to a picture, drawn: the layout, where it looked, the result."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from editing.editors.zestguide.losses import SegmentMap
from editing.layouts import Layout
from transforms.pictures.contact_sheet import RGB, SheetEntry, Words, draw_sheet, fill_tile

COLOURS: tuple[RGB, ...] = (
    (196, 62, 54),
    (44, 110, 178),
    (58, 140, 82),
    (214, 152, 38),
    (128, 84, 166),
    (40, 150, 150),
)
"""Of segments in turn."""

FREE: RGB = (226, 223, 216)


def draw_explanation(
    layout: Layout, attention: Sequence[SegmentMap] | None, result: Image.Image
) -> Image.Image:
    """A row: the layout, the attention to each segment's phrase, the result.

    `attention` is that of the last step that was pushed, each brightest where it is most; None
    where no step was.
    """
    maps = [_draw_attention(each, layout.size) for each in attention or ()]
    names = [f"attention {place}" for place in range(1, len(maps) + 1)]
    words = tuple(
        Words(f"{place} {phrase}   ", _colour(place - 1))
        for place, phrase in enumerate(layout.phrases, 1)
    )
    pictures = (fill_tile(_draw_layout(layout)), *maps, fill_tile(result))
    return draw_sheet([SheetEntry(pictures, (words,))], ("layout", *names, "result"))


def _draw_layout(layout: Layout) -> Image.Image:
    drawn = Image.new("RGB", layout.size, FREE)
    for place, segment in enumerate(layout.segments):
        marked = Image.fromarray(np.where(segment.marks(), np.uint8(255), np.uint8(0)))
        drawn.paste(_colour(place), mask=marked)
    return drawn


def _colour(place: int) -> RGB:
    return COLOURS[place % len(COLOURS)]


def _draw_attention(attention: SegmentMap, size: tuple[int, int]) -> Image.Image:
    values = attention.numpy().astype(np.float64)
    grey = Image.fromarray((255 * values / (values.max() or 1.0)).astype(np.uint8))
    return fill_tile(grey.resize(size, Image.Resampling.NEAREST).convert("RGB"))
