"""Contact sheets: pictures in rows, under headings, with a line of words below each row."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from transforms.dataset.files import write_bytes
from transforms.pictures.decoding import encode_png

TILE = 128
GAP = 8
MARGIN = 16
LINE = 18
PAPER = (251, 250, 247)
INK = (32, 36, 42)


@dataclass(frozen=True)
class SheetRow:
    """Pictures beside one another, and what is written below them."""

    images: tuple[Image.Image, ...]
    words: str = ""


def draw_sheet(rows: Sequence[SheetRow], headings: Sequence[str]) -> Image.Image:
    """All rows on one sheet; pictures are fitted into squares of `TILE` pixels.

    Raises:
        ValueError: a row with another number of pictures than there are headings.
    """
    for row in rows:
        if len(row.images) != len(headings):
            raise ValueError(f"a row must have {len(headings)} pictures, got {len(row.images)}")
    width = 2 * MARGIN + len(headings) * (TILE + GAP) - GAP
    step = TILE + LINE + GAP
    sheet = Image.new("RGB", (width, 2 * MARGIN + LINE + len(rows) * step), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for column, heading in enumerate(headings):
        draw.text((MARGIN + column * (TILE + GAP), MARGIN), heading, fill=INK, font=font)
    for number, row in enumerate(rows):
        top = MARGIN + LINE + number * step
        for column, image in enumerate(row.images):
            sheet.paste(_fit(image), (MARGIN + column * (TILE + GAP), top))
        draw.text((MARGIN, top + TILE + 2), row.words, fill=INK, font=font)
    return sheet


def _fit(image: Image.Image) -> Image.Image:
    """The whole picture in a square; small ones grow by whole pixels, so that these can be seen."""
    tile = Image.new("RGB", (TILE, TILE), PAPER)
    scale = TILE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    resample = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    fitted = image.convert("RGB").resize(size, resample)
    tile.paste(fitted, ((TILE - size[0]) // 2, (TILE - size[1]) // 2))
    return tile


def write_sheet(path: Path, rows: Sequence[SheetRow], headings: Sequence[str]) -> None:
    """Draws a sheet and writes it as PNG, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_bytes(path, encode_png(draw_sheet(rows, headings)))
