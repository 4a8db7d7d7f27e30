"""A plain picture of some pairs, for places that show pictures but no pages, such as a README."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from pipelines.marking import MarkedText, mark_word
from pipelines.report.cards import CARD_COLUMNS
from pipelines.report.dataset import open_dataset
from pipelines.report.pictures import (
    SOURCE_COLOUR,
    TARGET_COLOUR,
    mask_as_array,
    open_side,
)
from pipelines.report.sample import fetch_rows, sample_places
from pipelines.terminal.console import CommandError
from transforms.dataset.files import write_bytes
from transforms.pictures.contact_sheet import RGB, SheetEntry, Words, draw_sheet
from transforms.pictures.decoding import encode_png
from transforms.pictures.limits import STORED_LIMITS, PictureLimits
from transforms.pictures.overlay import overlay

HEADINGS = ("source", "target", "source mask", "target mask")


def write_sheet(folder: Path, path: Path, *, count: int = 12, seed: int = 0) -> int:
    """Draw up to `count` pairs of the data set in `folder` as a PNG at `path`; how many it drew.

    Pairs stand in two columns, each with both pictures, both masks, caption and edit prompt, the
    exchanged word in colour. They are drawn by `seed` as on the page, even over part of speech and
    relation. The same data set, count and seed give the same pixels.

    Raises:
        CommandError: the data set has no pair, or was not completed.
        DatasetError: it cannot be read.
        OutputError: the file cannot be written.
        ValueError: `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"count must be >= 1, got {count}")
    dataset = open_dataset(folder)
    columns = ("part_of_speech", "relation", "method")
    places = sample_places(dataset.pairs, count, seed=seed, columns=columns)
    if not places:
        raise CommandError(f"{folder} holds no pair to draw")
    entries = [
        make_entry(row, dataset.limits) for row in fetch_rows(dataset.pairs, places, CARD_COLUMNS)
    ]
    write_bytes(path, encode_png(draw_sheet(entries, HEADINGS, across=2)))
    return len(places)


def make_entry(row: Mapping[str, Any], limits: PictureLimits = STORED_LIMITS) -> SheetEntry:
    """One pair as the sheet shows it, from a row of the pairs read with `CARD_COLUMNS`.

    `limits` are those of the data set, for decoding its pictures.
    """
    source, source_masked = _draw_side(row, "source", SOURCE_COLOUR, limits=limits)
    target, target_masked = _draw_side(row, "target", TARGET_COLOUR, limits=limits)
    caption, prompt = row["caption"] or "", row["edit_prompt"] or ""
    return SheetEntry(
        pictures=(source, target, source_masked, target_masked),
        lines=(
            _colour_word(mark_word(caption, row["source_word"], other=prompt), SOURCE_COLOUR),
            _colour_word(mark_word(prompt, row["target_word"], other=caption), TARGET_COLOUR),
        ),
    )


def _draw_side(
    row: Mapping[str, Any], side: str, colour: RGB, *, limits: PictureLimits
) -> tuple[Image.Image | None, Image.Image | None]:
    """The picture of one side, and the same with its mask laid over."""
    image, mask = open_side(row, side, limits)
    if image is None or mask is None:
        return image, None
    return image, overlay(image, mask_as_array(mask, image.size), colour)


def _colour_word(text: MarkedText, colour: RGB) -> tuple[Words, ...]:
    return Words(text.before), Words(text.marked, colour), Words(text.after)
