"""Evaluations of odd pairs, and by editors that cannot make some of the edits."""

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
from fakes.brightness import Brightness
from fakes.cases import edit_case
from fakes.command_line import run
from fakes.editors import DrawingEditor, drawing_spec, half_mask
from fakes.evaluation import cell_rows, write_sized_pairs
from fakes.pairs import drawn_row, write_pairs
from fakes.pictures import encoded
from PIL import Image

from editing.errors import EditingError, NotFiniteError, SettingError
from editing.evaluation.measurer import Cell, Measurer
from editing.evaluation.statistics import Kept
from editing.loading import LoadedEditor
from editing.registry import EDITORS
from editing.settings import NoSettings
from pipelines.evaluation.notes import count_odd_masks, take_notes


class Failing(DrawingEditor):
    """Fails where the prompt, or the setting, says so."""

    def edit(self, requests, settings, generators, on_step):
        for request in requests:
            if "setting" in request.prompt:
                raise SettingError("steps must be at most 1000")
        bad = [n for n, request in enumerate(requests) if "overflow" in request.prompt]
        if bad:
            raise NotFiniteError("the model gave no finite numbers", bad)
        if any("long" in request.prompt for request in requests):
            raise EditingError("a prompt must have at most 12 tokens, got 32")
        return super().edit(requests, settings, generators, on_step)


def case(number, prompt="a pear"):
    made = edit_case(number)
    object.__setattr__(made, "edit_prompt", prompt)
    return made


def measured(*cases, batch_size=8, statistics=None):
    loaded = LoadedEditor(drawing_spec(), Failing())
    measurer = Measurer(
        editors={"draw": (loaded, NoSettings())},
        statistics=[statistics or Brightness()],
        batch_size=batch_size,
    )
    batches = measurer.measure(Cell("draw", None, 0), cases)
    return [row for batch in batches for row in batch]


def test_edits_that_cannot_be_made_say_why_and_the_others_are_as_without_them():
    cases = [case(0), case(1, "overflow"), case(2), case(3, "long"), case(4)]
    rows = measured(*cases)
    assert [row["key"] for row in rows] == [each.key for each in cases]
    assert [rows[n] for n in (0, 2, 4)] == measured(*(cases[n] for n in (0, 2, 4)))
    assert rows[1]["rejected"] == "the model gave no finite numbers"
    assert rows[3]["rejected"] == "a prompt must have at most 12 tokens, got 32"
    assert [set(rows[n]) for n in (1, 3)] == [{"key", "source_key", "image", "rejected"}] * 2
    notes = take_notes([rows])
    assert (notes.made, notes.rejected) == (3, 2)
    assert notes.first_rejected == "case-1: the model gave no finite numbers"


def test_a_setting_that_no_edit_can_be_made_with_ends_it():
    with pytest.raises(SettingError):
        measured(case(0), case(1, "setting"))


def test_what_cannot_be_measured_is_missing_alone():
    class Picky(Brightness):
        def __call__(self, cases, images):
            if any(each.key == "case-1" for each in cases):
                raise EditingError("LPIPS needs pictures of at least 64 pixels a side")
            return super().__call__(cases, images)

    rows = measured(case(0), case(1), case(2), statistics=Picky())
    assert [math.isnan(row["bright"]) for row in rows] == [False, True, False]


@pytest.mark.parametrize("size", [(1, 40), (40, 1), (5, 5), (1, 1)])
def test_a_picture_too_small_for_ssim_has_none(size):
    cases = [edit_case(0, size=size), edit_case(1)]
    found = Kept()(cases, [each.source for each in cases])
    assert math.isnan(found["ssim_outside_mean"][0])
    assert found["ssim_outside_mean"][1] == pytest.approx(1)


def test_masks_of_the_data_set_are_counted():
    size = (24, 24)
    masks = [Image.new("L", size), Image.new("L", size, 255), Image.new("L", size), half_mask(size)]
    cases = [edit_case(n, edit_mask=mask) for n, mask in enumerate(masks)]
    assert count_odd_masks(cases) == {"empty_mask": 2, "whole_mask": 1}
    assert count_odd_masks(cases[3:]) == {}


def evaluate(world, pairs, out, *words):
    flags = ("--preset", world / "tiny.yaml", "--seeds", 0, "--batch-size", 3, "--json")
    return run("evaluate", pairs, "--out", out, "--features", "clip", *flags, *words)


@pytest.fixture
def odd_pairs(tmp_path):
    """Six pairs: a strip, a line, an overflow, an empty mask, a whole mask, and a plain one."""
    shapes = {0: (300, 16), 1: (1, 40)}

    def change(row):
        number = row["source_position"]
        height, width = shapes.get(number, (16, 16))
        mask = np.zeros((height, width), np.uint8)
        mask[: 1 + height // 2] = 0 if number == 3 else 255
        mask[:] = 255 if number == 4 else mask
        pictures = np.full((height, width, 3), 40 * number, np.uint8)
        row["input_image"] = {"bytes": encoded(pictures), "path": None}
        row["source_mask"] = {"bytes": encoded(mask), "path": None}
        if number == 2:
            row["edit_prompt"] = "overflow"
        return row

    write_pairs(tmp_path / "pairs", (6,), change)
    return tmp_path / "pairs"


def test_the_command_measures_what_there_is_and_tells_the_rest(
    editing_world, odd_pairs, tmp_path, monkeypatch
):
    monkeypatch.setitem(EDITORS, "draw", drawing_spec(Failing()))
    out = tmp_path / "eval"
    outcome = evaluate(editing_world, odd_pairs, out, "--editors", "copy", "draw")
    assert outcome.code == 0, outcome.err
    figures = json.loads((out / "figures.json").read_text())
    assert figures["odd_masks"] == {"empty_mask": 1, "whole_mask": 2}
    assert (figures["notes"]["draw"]["made"], figures["notes"]["draw"]["rejected"]) == (5, 1)
    assert set(figures["notes"]) == {"draw"}
    assert [point["editor"] for point in figures["points"]] == ["copy", "draw"]
    assert "fid" in figures["points"][1]
    page = (out / "evaluation.html").read_text()
    assert "draw: 1 edits could not be made, first" in page
    assert "1 pairs have an empty mask" in page
    key = drawn_row(2, "s0")["key"]
    (rejected,) = [row for row in cell_rows(out, "draw-0") if row["rejected"]]
    assert (rejected["key"], rejected["image"], rejected["clip_score"]) == (key, None, None)
    names = pq.read_schema(out / "cells" / "copy-0.parquet").names
    assert not {"rejected", "remarks"} & set(names)


def test_an_editor_that_can_make_none_is_told_of_and_not_compared(
    editing_world, tmp_path, monkeypatch
):
    pairs = write_sized_pairs(tmp_path / "pairs", [16], count=3)
    flags = ("--editors", "copy", "sdedit", "--strengths", 1, "--steps", 3)
    overflow = ("--guidance-scale", "1e300", "--baseline")
    out = tmp_path / "eval"
    outcome = evaluate(editing_world, pairs, out, *flags, *overflow, "copy")
    assert outcome.code == 0, outcome.err
    assert outcome.counts["notes"]["sdedit"]["made"] == 0
    assert list(outcome.counts["best"]) == ["copy"]
    assert "pairloom: note: sdedit: 3 edits could not be made" in outcome.err
    outcome = evaluate(editing_world, pairs, out, *flags, *overflow, "sdedit")
    assert outcome.error.startswith("no edit by sdedit, which others are compared with, could be")


@pytest.mark.parametrize("count", [1, 4])
def test_equal_pictures_and_few_have_figures(editing_world, tmp_path, count):
    def change(row):
        one = drawn_row(0, "s0")
        return row | {name: one[name] for name in ("input_image", "edited_image")}

    write_pairs(tmp_path / "pairs", (count,), change)
    outcome = evaluate(
        editing_world, tmp_path / "pairs", tmp_path / "eval", "--editors", "copy", "retrieve"
    )
    assert outcome.code == 0, outcome.err
    fids = [point.get("fid") for point in outcome.counts["points"]]
    if count == 1:
        assert fids == [None, None]
    else:
        assert fids[0][0] > fids[1][0] == pytest.approx(0, abs=1e-6)
