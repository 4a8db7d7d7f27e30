"""Contact sheets: entries of pictures side by side under headings, with lines of words below them.

Drawn with Pillow and its own font alone, so that the same entries give the same pixels everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

TILE = 128
GAP = 8
MARGIN = 20
GUTTER = 28
LINE = 19
FONT_SIZE = 14

RGB = tuple[int, int, int]
PAPER: RGB = (251, 250, 247)
INK: RGB = (32, 36, 42)
HEADING_INK: RGB = (91, 98, 108)
NO_PICTURE: RGB = (236, 233, 226)


@dataclass(frozen=True)
class Words:
    """Some words of a line in a colour of their own."""

    text: str
    colour: RGB = INK


@dataclass(frozen=True)
class SheetEntry:
    """Pictures side by side, None where there is none, and the lines of words below them.

    A line is a text, or several in different colours.
    """

    pictures: tuple[Image.Image | None, ...]
    lines: tuple[str | tuple[Words, ...], ...] = ()


def draw_sheet(
    entries: Sequence[SheetEntry], headings: Sequence[str], *, across: int = 1
) -> Image.Image:
    """All `entries` on one sheet, `across` of them beside one another, under `headings`.

    Every picture stands whole in a square of `TILE` pixels. A line is cut off at the width of its
    entry. With fewer entries than `across` the sheet is as wide as they are.

    Raises:
        ValueError: there is no entry, `across` is below 1, or an entry has another number of
            pictures than there are headings.
    """
    if not entries or across < 1:
        raise ValueError(f"a sheet needs entries and across >= 1, got {len(entries)} and {across}")
    for entry in entries:
        if len(entry.pictures) != len(headings):
            raise ValueError(
                f"an entry must have {len(headings)} pictures, got {len(entry.pictures)}"
            )
    across = min(across, len(entries))
    entry_width = len(headings) * (TILE + GAP) - GAP
    entry_height = TILE + LINE * (1 + max(len(entry.lines) for entry in entries))
    width = 2 * MARGIN + across * (entry_width + GUTTER) - GUTTER
    height = 2 * MARGIN + LINE + -(-len(entries) // across) * entry_height
    sheet = Image.new("RGB", (width, height), PAPER)
    for column in range(across):
        left = MARGIN + column * (entry_width + GUTTER)
        for place, heading in enumerate(headings):
            x = left + place * (TILE + GAP)
            _write_line(sheet, (Words(heading, HEADING_INK),), x, MARGIN - 4, TILE + GAP)
    for number, entry in enumerate(entries):
        left = MARGIN + number % across * (entry_width + GUTTER)
        top = MARGIN + LINE + number // across * entry_height
        for place, picture in enumerate(entry.pictures):
            _paste(sheet, picture, left + place * (TILE + GAP), top)
        for line, text in enumerate(entry.lines):
            words = (Words(text),) if isinstance(text, str) else text
            _write_line(sheet, words, left, top + TILE + 5 + line * LINE, entry_width)
    return sheet


def fill_tile(picture: Image.Image) -> Image.Image:
    """A picture whose longer side fills a tile, so that thin lines can be drawn on it."""
    share = TILE / max(picture.size)
    size = (max(1, round(picture.width * share)), max(1, round(picture.height * share)))
    way = Image.Resampling.NEAREST if share >= 1 else Image.Resampling.LANCZOS
    return picture.resize(size, way)


def _paste(sheet: Image.Image, picture: Image.Image | None, x: int, y: int) -> None:
    """`picture` in the middle of a tile; a small one enlarged by a whole factor."""
    ImageDraw.Draw(sheet).rectangle([x, y, x + TILE - 1, y + TILE - 1], fill=NO_PICTURE)
    if picture is None:
        return
    factor = TILE // max(picture.size)
    if factor >= 1:
        size = (picture.width * factor, picture.height * factor)
        shown = picture.resize(size, Image.Resampling.NEAREST)
    else:
        shown = picture.copy()
        shown.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    sheet.paste(shown, (x + (TILE - shown.width) // 2, y + (TILE - shown.height) // 2))


def _write_line(sheet: Image.Image, line: Sequence[Words], x: float, y: int, width: int) -> None:
    """One line from (x, y) on, cut off after `width` pixels."""
    font, draw = ImageFont.load_default(FONT_SIZE), ImageDraw.Draw(sheet)
    end = x + width
    for words in line:
        text = words.text.replace("\n", " ")
        shown = text
        while shown and x + draw.textlength(shown, font=font) > end:
            shown = shown[:-1]
        draw.text((x, y), shown, font=font, fill=words.colour)
        x += draw.textlength(shown, font=font)
        if shown != text:
            return
