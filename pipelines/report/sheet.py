"""A plain picture of some pairs, for places that show pictures but no pages, such as a README."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from pipelines.report.cards import PAIR_COLUMNS, bytes_of
from pipelines.report.dataset import open_dataset
from pipelines.report.marking import MarkedText, mark_word
from pipelines.report.pictures import (
    RGB,
    SOURCE_COLOUR,
    TARGET_COLOUR,
    open_mask,
    open_picture,
    overlay,
)
from pipelines.report.sample import fetch_rows, sample_places
from pipelines.terminal.console import CommandError

TILE = 128
GAP = 8
MARGIN = 20
GUTTER = 28
LINE = 19
FONT_SIZE = 14
HEADINGS = ("source", "target", "source mask", "target mask")
PAPER: RGB = (251, 250, 247)
INK: RGB = (32, 36, 42)
SOFT: RGB = (91, 98, 108)
BLANK: RGB = (236, 233, 226)

CELL_WIDTH = 4 * TILE + 3 * GAP
CELL_HEIGHT = TILE + 3 * LINE


def write_sheet(folder: Path, path: Path, *, count: int = 12, seed: int = 0) -> int:
    """Draw up to `count` pairs of the data set in `folder` as a PNG at `path`; how many it drew.

    Pairs stand in two columns, each with both pictures, both masks, caption and edit prompt, the
    exchanged word in colour. They are drawn by `seed` as on the page, even over part of speech and
    relation. The same data set, count and seed give the same pixels.

    Raises:
        CommandError: the data set cannot be read or has no pair, or the file cannot be written.
        ValueError: `count` is below 1.
    """
    from transforms.dataset.files import OutputError, write_bytes

    if count < 1:
        raise ValueError(f"count must be >= 1, got {count}")
    dataset = open_dataset(folder)
    columns = ("part_of_speech", "relation", "method")
    places = sample_places(dataset.pairs, count, seed=seed, columns=columns)
    if not places:
        raise CommandError(f"{folder} holds no pair to draw")
    buffer = io.BytesIO()
    draw_sheet(fetch_rows(places, PAIR_COLUMNS)).save(buffer, "PNG", optimize=True)
    try:
        write_bytes(path, buffer.getvalue())
    except OutputError as error:
        raise CommandError(str(error)) from error
    return len(places)


def draw_sheet(rows: list[dict[str, Any]]) -> Image.Image:
    """The sheet of `rows` of the pairs, at least one, read with `PAIR_COLUMNS`."""
    across = min(2, len(rows))
    down = -(-len(rows) // across)
    width = 2 * MARGIN + across * CELL_WIDTH + (across - 1) * GUTTER
    height = 2 * MARGIN + LINE + down * CELL_HEIGHT
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for column in range(across):
        left = MARGIN + column * (CELL_WIDTH + GUTTER)
        for place, heading in enumerate(HEADINGS):
            x = left + place * (TILE + GAP)
            draw.text((x, MARGIN - 4), heading, font=load_font(), fill=SOFT)
    for number, row in enumerate(rows):
        x = MARGIN + number % across * (CELL_WIDTH + GUTTER)
        y = MARGIN + LINE + number // across * CELL_HEIGHT
        draw_pair(sheet, row, x, y)
    return sheet


def load_font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, which is the same everywhere."""
    return ImageFont.load_default(FONT_SIZE)


def draw_pair(sheet: Image.Image, row: Mapping[str, Any], x: int, y: int) -> None:
    """One pair with its left upper corner at (x, y)."""
    sides = (
        ("source", "input_image", SOURCE_COLOUR),
        ("target", "edited_image", TARGET_COLOUR),
    )
    for place, (side, column, colour) in enumerate(sides):
        image = open_picture(bytes_of(row[column]))
        mask = None if image is None else open_mask(bytes_of(row[f"{side}_mask"]), image.size)
        masked = None if image is None or mask is None else overlay(image, mask, colour)
        for tile, shown in ((place, image), (place + 2, masked)):
            paste(sheet, shown, x + tile * (TILE + GAP), y)
    caption, prompt = row["caption"] or "", row["edit_prompt"] or ""
    texts = (
        (mark_word(caption, row["source_word"], other=prompt), SOURCE_COLOUR),
        (mark_word(prompt, row["target_word"], other=caption), TARGET_COLOUR),
    )
    for line, (text, colour) in enumerate(texts):
        write_text(sheet, text, (x, y + TILE + 5 + line * LINE), colour)


def paste(sheet: Image.Image, image: Image.Image | None, x: int, y: int) -> None:
    """`image` in the middle of a tile; small ones enlarged by a whole factor, pixel for pixel."""
    ImageDraw.Draw(sheet).rectangle([x, y, x + TILE - 1, y + TILE - 1], fill=BLANK)
    if image is None:
        return
    factor = TILE // max(image.size)
    if factor >= 1:
        size = (image.width * factor, image.height * factor)
        shown = image.resize(size, Image.Resampling.NEAREST)
    else:
        shown = image.copy()
        shown.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    sheet.paste(shown, (x + (TILE - shown.width) // 2, y + (TILE - shown.height) // 2))


def write_text(sheet: Image.Image, text: MarkedText, where: tuple[int, int], colour: RGB) -> None:
    """One line with its marked word in `colour`, cut off at the width of a pair."""
    font = load_font()
    draw = ImageDraw.Draw(sheet)
    x, y = float(where[0]), where[1]
    end = where[0] + CELL_WIDTH
    for part, fill in ((text.before, INK), (text.marked, colour), (text.after, INK)):
        shown = part.replace("\n", " ")
        while shown and x + draw.textlength(shown, font=font) > end:
            shown = shown[:-1]
        draw.text((x, y), shown, font=font, fill=fill)
        x += draw.textlength(shown, font=font)
        if shown != part:
            return
