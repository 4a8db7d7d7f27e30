"""The contact sheet for a README."""

import numpy as np
import pytest
from fakes.report import write_dataset
from PIL import Image

from pipelines.report.pictures import SOURCE_COLOUR
from pipelines.report.sheet import write_sheet
from pipelines.terminal.console import CommandError
from transforms.pictures.contact_sheet import LINE, MARGIN, PAPER, TILE

CELL_HEIGHT = TILE + 3 * LINE


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data"), pairs=9, rejects=0)


@pytest.mark.parametrize(("count", "drawn", "rows"), [(1, 1, 1), (5, 5, 3), (40, 9, 5)])
def test_the_sheet_has_a_cell_for_every_pair(folder, tmp_path, count, drawn, rows):
    path = tmp_path / "sheet.png"
    assert write_sheet(folder, path, count=count) == drawn
    with Image.open(path) as sheet:
        assert sheet.height - rows * CELL_HEIGHT < CELL_HEIGHT
        assert sheet.width > 4 * TILE * min(2, drawn)


def test_the_first_tile_is_the_source_picture_and_the_word_is_in_colour(tmp_path):
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, :32] = (10, 200, 30)
    buffer = tmp_path / "x.png"
    Image.fromarray(pixels).save(buffer)

    def change(row):
        return row | {"input_image": {"bytes": buffer.read_bytes(), "path": None}}

    write_dataset(tmp_path / "data", pairs=1, rejects=0, shards=1, change=change)
    write_sheet(tmp_path / "data", tmp_path / "sheet.png", count=1)
    with Image.open(tmp_path / "sheet.png") as sheet:
        drawn = np.asarray(sheet.convert("RGB"))
    green = (drawn == (10, 200, 30)).all(axis=2)
    assert green.sum() >= TILE * TILE // 2
    assert tuple(drawn[0, 0]) == PAPER
    below = drawn[MARGIN + LINE + TILE :]
    assert (below == SOURCE_COLOUR).all(axis=2).any()


def test_the_same_seed_gives_the_same_file(folder, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_sheet(folder, tmp_path / name, count=4, seed=seed)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_nothing_to_draw(folder, tmp_path):
    empty = write_dataset(tmp_path / "empty", pairs=0, rejects=6)
    with pytest.raises(CommandError, match="no pair to draw"):
        write_sheet(empty, tmp_path / "sheet.png")
    with pytest.raises(ValueError, match="count must be >= 1, got 0"):
        write_sheet(folder, tmp_path / "sheet.png", count=0)
    assert not (tmp_path / "sheet.png").exists()
