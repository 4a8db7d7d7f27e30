"""How a picture was found, drawn: the source, and the nearest pictures with their scores."""

import textwrap
from collections.abc import Sequence

from PIL import Image

from editing.editors.simat.finding import FoundRow
from editing.editors.simat.pool import Pool
from editing.requests import Request
from transforms.pictures.contact_sheet import SheetEntry, Words, draw_sheet

Line = str | tuple[Words, ...]

KEPT = (214, 40, 40)


ACROSS = 17
"""So many characters of a line stand under a picture."""


def _lines(words: str) -> list[str]:
    return textwrap.wrap(words, ACROSS)


def draw_found(
    request: Request, pool: Pool, found: Sequence[FoundRow], result: Image.Image
) -> Image.Image:
    """The source with its words, and the nearest pictures, best first; the result's score is red.

    Raises:
        EditError: a picture cannot be had any more.
    """
    del result  # it is the first of those found
    asked = tuple((Words(line, KEPT),) for line in _lines(request.prompt))
    words: tuple[Line, ...] = (*_lines(request.source_prompt or ""), *asked)
    entries = [SheetEntry((request.image,), words)]
    for place, each in enumerate(found):
        line = Words(f"{each.score:.3f}", KEPT) if place == 0 else Words(f"{each.score:.3f}")
        lines: tuple[Line, ...] = ((line,), *_lines(each.row.caption or ""), *_lines(each.row.key))
        entries.append(SheetEntry((pool.picture(each.row),), lines))
    return draw_sheet(entries, ("",), across=len(entries))
