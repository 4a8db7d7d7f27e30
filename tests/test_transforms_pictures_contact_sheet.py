"""Contact sheets: every picture in its tile, words below, the same pixels for the same entries."""

import numpy as np
import pytest
from fakes.pictures import noise
from PIL import Image

from transforms.pictures.contact_sheet import (
    GAP,
    GUTTER,
    LINE,
    MARGIN,
    NO_PICTURE,
    PAPER,
    TILE,
    SheetEntry,
    Words,
    draw_sheet,
)

RED = (210, 10, 10)
TOP = MARGIN + LINE


def plain(colour, size=(TILE, TILE)):
    return Image.new("RGB", size, colour)


def tile(sheet, column, *, row=0, lines=1):
    """The pixels of one tile of a sheet with one entry beside another."""
    x, y = MARGIN + column * (TILE + GAP), TOP + row * (TILE + LINE * (1 + lines))
    return np.asarray(sheet)[y : y + TILE, x : x + TILE]


def test_each_picture_fills_its_own_tile():
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    entries = [
        SheetEntry((plain(colours[0]), plain(colours[1])), ("one",)),
        SheetEntry((plain(colours[2]), None), ("two",)),
    ]
    sheet = draw_sheet(entries, ("a", "b"))
    shown = [tile(sheet, 0), tile(sheet, 1), tile(sheet, 0, row=1), tile(sheet, 1, row=1)]
    for found, colour in zip(shown, [*colours, NO_PICTURE], strict=True):
        assert (found == colour).all()
    assert sheet.width == 2 * MARGIN + 2 * TILE + GAP
    assert (np.asarray(sheet)[:, :MARGIN] == PAPER).all()


def test_small_pictures_grow_pixel_for_pixel_and_large_ones_shrink():
    small, wide = noise(0, (32, 16)), plain(RED, (512, 256))
    sheet = draw_sheet([SheetEntry((small, wide), ("",))], ("a", "b"))
    grown = np.asarray(small).repeat(4, axis=0).repeat(4, axis=1)
    assert np.array_equal(tile(sheet, 0)[TILE // 4 : -TILE // 4], grown)
    assert (tile(sheet, 1)[TILE // 4 : -TILE // 4] == RED).all()
    assert (tile(sheet, 1)[: TILE // 4] == NO_PICTURE).all()


def test_entries_stand_beside_one_another():
    entries = [SheetEntry((plain((n, 0, 0)),), ("words", "more")) for n in (50, 100, 150)]
    sheet = draw_sheet(entries, ("a",), across=2)
    assert sheet.size == (
        2 * MARGIN + 2 * TILE + GUTTER,
        2 * MARGIN + LINE + 2 * (TILE + 3 * LINE),
    )
    pixels = np.asarray(sheet)
    assert (pixels[TOP, MARGIN + TILE + GUTTER] == (100, 0, 0)).all()
    assert (pixels[TOP + TILE + 3 * LINE, MARGIN] == (150, 0, 0)).all()
    assert draw_sheet(entries[:1], ("a",), across=2).width == 2 * MARGIN + TILE


def test_words_have_their_colours_and_end_with_their_entry():
    line = (Words("a "), Words("red", RED), Words(" apple " * 40))
    sheet = np.asarray(draw_sheet([SheetEntry((plain((0, 0, 0)),), (line,))], ("a",)))
    below = sheet[TOP + TILE :]
    assert (below == RED).all(axis=2).any()
    assert (below[:, MARGIN + TILE :] == PAPER).all()


def test_a_text_is_a_line_in_one_colour():
    pictures = (plain(RED),)
    text = draw_sheet([SheetEntry(pictures, ("a red\napple",))], ("a",))
    words = draw_sheet([SheetEntry(pictures, ((Words("a red apple"),),))], ("a",))
    assert text.tobytes() == words.tobytes()


@pytest.mark.parametrize(
    ("entries", "across", "rule"),
    [
        ([], 1, "a sheet needs entries and across >= 1, got 0 and 1"),
        ([SheetEntry((None,))], 0, "got 1 and 0"),
        ([SheetEntry((None, None))], 1, "an entry must have 1 pictures, got 2"),
    ],
)
def test_what_cannot_be_drawn(entries, across, rule):
    with pytest.raises(ValueError, match=rule):
        draw_sheet(entries, ("a",), across=across)
