"""Cells of an evaluation: what is in them, going on after an interruption, adding editors."""

import dataclasses
import io
import json
import math

import pytest
from fakes import tint_editor
from fakes.command_line import run
from fakes.evaluation import cell_rows, evaluate
from fakes.folders import hashes
from PIL import Image

from editing.evaluation.measurer import Cell
from editing.parts import PART_LOADERS
from editing.registry import EDITORS


def stamps(out):
    return {path.stem: path.stat().st_mtime_ns for path in (out / "cells").iterdir()}


def test_every_cell_has_every_edit(evaluated):
    out, outcome = evaluated
    assert outcome.code == 0, outcome.err
    names = sorted(path.stem for path in (out / "cells").iterdir())
    assert len(names) == 1 + 2 * 2 * 2
    keys = {tuple(row["key"] for row in cell_rows(out, name)) for name in names}
    assert len(keys) == 1
    assert len(next(iter(keys))) == 5


def test_copying_keeps_all_and_edits_nothing(evaluated):
    out, _ = evaluated
    for row in cell_rows(out, "copy-0"):
        assert (row["background_error"], row["ssim_outside_mean"]) == (0, pytest.approx(1))
        assert row["edited"] == 0
        assert row["true_background_error"] == 0 or math.isnan(row["true_background_error"])


def test_the_mask_keeps_what_sdedit_changes(told_world, tmp_path):
    some = ("--editors", "sdedit", "iedit-m", "--strengths", 0.8, "--seeds", 0, "--paste")
    outcome = evaluate(told_world, tmp_path / "eval", *some)
    assert outcome.code == 0, outcome.err

    def errors(editor):
        rows = cell_rows(tmp_path / "eval", f"{editor}-0.8-0")
        return [row["background_error"] for row in rows if not math.isnan(row["background_error"])]

    assert errors("sdedit")
    for masked, whole in zip(errors("iedit-m"), errors("sdedit"), strict=True):
        assert masked < whole


def test_masks_that_were_found_are_kept_and_stand_beside_the_truth(evaluated):
    out, outcome = evaluated
    for row in cell_rows(out, "iedit-m-0.4-0"):
        assert Image.open(io.BytesIO(row["mask"]["bytes"])).mode == "L"
        assert 0 <= row["mask_iou"] <= 1
    assert "mask" not in cell_rows(out, "sdedit-0.4-0")[0]
    points = outcome.counts["points"]
    assert {each["editor"] for each in points if "mask_iou" in each} == {"iedit-m"}


def test_without_a_truth_they_stand_beside_the_pair_s_own(editing_world, tmp_path):
    words = ("--editors", "diffedit", "--encoding-ratios", 0.5, "--seeds", 0, "--steps", 2)
    more = ("--edits", 3, "--features", "clip", "--preset", editing_world / "tiny.yaml", "--json")
    outcome = run("evaluate", editing_world / "pairs", *words, *more, "--out", tmp_path / "eval")
    assert outcome.code == 0, outcome.err
    (row,) = outcome.counts["points"]
    assert 0 <= row["pair_mask_iou"][0] <= 1
    assert "mask_iou" not in row


def test_values_of_a_dial_that_are_nearly_the_same_have_cells_of_their_own():
    assert len({Cell("sdedit", value, 0).name for value in (0.3, 0.301, 0.31)}) == 3


class TestGoingOn:
    def test_editors_are_added_later(self, told_world, evaluated, tmp_path):
        out = tmp_path / "eval"
        first = evaluate(told_world, out, "--editors", "copy", settings=())
        assert first.code == 0, first.err
        assert set(first.counts["best"]) == {"copy"}
        stamp = stamps(out)
        assert evaluate(told_world, out).code == 0
        assert stamps(out)["copy-0"] == stamp["copy-0"]
        assert hashes(out / "cells") == hashes(evaluated[0] / "cells")
        assert hashes(out / "editors") == hashes(evaluated[0] / "editors")
        assert (out / "figures.json").read_text() == (evaluated[0] / "figures.json").read_text()

    def test_values_of_the_dial_and_seeds_are_added_later(self, told_world, evaluated, tmp_path):
        out = tmp_path / "eval"
        assert evaluate(told_world, out, "--strengths", 0.8, "--seeds", 1).code == 0
        before = stamps(out)
        assert evaluate(told_world, out).code == 0
        after = stamps(out)
        assert before.items() <= after.items()
        assert len(after) > len(before)

    def test_an_interrupted_one_goes_on(self, told_world, tmp_path, monkeypatch):
        """Ctrl-C comes at the second batch of the second cell."""
        preset = tint_editor.add_to_preset(told_world / "tiny.yaml", name="tinted")
        monkeypatch.setitem(PART_LOADERS, tint_editor.NAME, tint_editor.LOADER)

        def measure(name, editor):
            monkeypatch.setitem(EDITORS, tint_editor.NAME, editor)
            words = ("--editors", "copy", "tint", "--amounts", 0.2, 0.6, "--seeds", 0)
            flags = ("--edits", 5, "--batch-size", 3, "--features", "clip", "--preset", preset)
            out = ("--out", tmp_path / name)
            return run("evaluate", told_world / "told", *out, *words, *flags, "--json")

        whole = measure("whole", tint_editor.SPEC)
        assert whole.code == 0, whole.err
        stopping = dataclasses.replace(
            tint_editor.SPEC, load=lambda parts: Stopping(tint_editor.SPEC.load(parts), after=3)
        )
        stopped = measure("stopped", stopping)
        assert (stopped.code, stopped.error) == (130, "interrupted")
        assert not (tmp_path / "stopped" / "figures.json").exists()
        before = stamps(tmp_path / "stopped")
        assert set(before) == {"copy-0", "tint-0.2-0"}
        outcome = measure("stopped", tint_editor.SPEC)
        assert outcome.counts == whole.counts
        assert before.items() <= stamps(tmp_path / "stopped").items()
        assert hashes(tmp_path / "stopped") == hashes(tmp_path / "whole")


class Stopping:
    """An editor in whose work Ctrl-C comes `after` batches."""

    def __init__(self, editor, *, after):
        self._editor = editor
        self._left = after

    def edit(self, requests, settings, generators, on_step):
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1
        return self._editor.edit(requests, settings, generators, on_step)


class TestRefused:
    @pytest.mark.parametrize("more", [("--guidance-scale", 3), ("--set", "sdedit.paste=true")])
    def test_an_editor_with_other_settings(self, told_world, evaluated, more):
        before = hashes(evaluated[0])
        outcome = evaluate(told_world, evaluated[0], *more)
        rule = f"{evaluated[0]} holds edits by sdedit with other settings or weights: give another"
        assert (outcome.code, outcome.error) == (1, rule)
        assert hashes(evaluated[0]) == before

    def test_an_editor_with_other_weights(self, told_world, evaluated, tmp_path):
        model = told_world / "model"
        other = tmp_path / "other"
        other.mkdir()
        for path in model.iterdir():
            (other / path.name).symlink_to(path)
        (other / "unet").unlink()
        (other / "unet").mkdir()
        for path in (model / "unet").iterdir():
            (other / "unet" / path.name).write_bytes(path.read_bytes())
        config = json.loads((other / "unet" / "config.json").read_text())
        (other / "unet" / "config.json").write_text(json.dumps(config | {"another": 1}))
        outcome = evaluate(told_world, evaluated[0], "--model", other)
        assert "holds edits by iedit-m with other settings or weights" in outcome.error

    @pytest.mark.parametrize("more", [("--edits", 4), ("--balanced",), ("--batch-size", 2)])
    def test_another_evaluation_s_folder(self, told_world, evaluated, more):
        outcome = evaluate(told_world, evaluated[0], *more)
        assert "holds an evaluation with other settings" in outcome.error

    def test_what_is_no_data_set(self, told_world, tmp_path):
        (tmp_path / "nothing").mkdir()
        outcome = evaluate(told_world, tmp_path / "eval", pairs=tmp_path / "nothing")
        assert "must be a whole data set" in outcome.error
        assert not (tmp_path / "eval").exists()
