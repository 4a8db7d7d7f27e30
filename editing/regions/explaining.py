"""How a region was found, drawn: the source, the map that was cut, the mask, the result."""

import numpy as np
from PIL import Image

from editing.regions.finder import FoundRegion
from editing.requests import Request
from transforms.pictures.contact_sheet import RGB, SheetEntry, Words, draw_sheet, fill_tile
from transforms.pictures.overlay import overlay
from transforms.protocols import Vectors

MASK_COLOUR: RGB = (214, 40, 40)

HEAT: tuple[RGB, ...] = (
    (12, 10, 44),
    (92, 22, 110),
    (190, 52, 84),
    (246, 140, 44),
    (252, 246, 176),
)
"""From 0 to 1, evenly: from dark to light, so that it can be read in grey too."""


def draw_region(request: Request, found: FoundRegion, result: Image.Image) -> Image.Image:
    """A row: the source, the map as heat where there is one, the mask in the source, the result.

    Below stand what the source shows, where it was said, and what was asked for.
    """
    source = fill_tile(request.image)
    mask = found.mask.resize(source.size, Image.Resampling.NEAREST)
    pictures = {"source": source}
    if found.relevance is not None:
        pictures["map, 0 to 1"] = _draw_heat(found.relevance, source.size)
    pictures["mask"] = overlay(source, np.asarray(mask) > 127, MASK_COLOUR)
    pictures["result"] = fill_tile(result)
    lines: list[str | tuple[Words, ...]] = [(Words(f"-> {request.prompt}", MASK_COLOUR),)]
    if request.source_prompt:
        lines.insert(0, request.source_prompt)
    return draw_sheet([SheetEntry(tuple(pictures.values()), tuple(lines))], tuple(pictures))


def _draw_heat(relevance: Vectors, size: tuple[int, int]) -> Image.Image:
    """A map in [0, 1] in the colours of `HEAT`, each of its places a square of one colour."""
    stops = np.linspace(0, 1, len(HEAT))
    channels = [np.interp(relevance, stops, levels) for levels in zip(*HEAT, strict=True)]
    drawn = Image.fromarray(np.stack(channels, axis=-1).round().astype(np.uint8))
    return drawn.resize(size, Image.Resampling.NEAREST)
