"""One pair that cannot be edited is a reject with its reason; the others of its batch are made."""

import io
import json
from dataclasses import dataclass, field

import numpy as np
import pytest
from fakes.command_line import run
from fakes.editors import DrawingEditor, drawing_spec
from fakes.pairs import drawn_row, write_pairs
from fakes.pictures import encoded
from PIL import Image

from editing.errors import NotFiniteError, SettingError
from editing.loading import LoadedEditor
from editing.registry import EDITORS
from editing.settings import NoSettings
from pipelines.edit_images.batch import EditBatch
from pipelines.edit_images.shards import EditTask
from pipelines.terminal.console import CommandError
from transforms.record import Batch


@dataclass
class Overflowing(DrawingEditor):
    """Gives no numbers for prompts with `overflow` in them; remembers how often it was asked."""

    calls: list[int] = field(default_factory=list)
    named: bool = True

    def edit(self, requests, settings, generators, on_step):
        self.calls.append(len(requests))
        bad = [n for n, request in enumerate(requests) if "overflow" in request.prompt]
        if bad:
            raise NotFiniteError("the model gave no finite numbers", bad if self.named else ())
        return super().edit(requests, settings, generators, on_step)


def task(number, prompt="a pear", size=(8, 8)):
    picture = encoded(np.full((size[1], size[0], 3), 99, np.uint8))
    return EditTask(
        key=f"k{number}-0",
        source_key=f"k{number}",
        position=number,
        number=0,
        caption="an apple",
        edit_prompt=prompt,
        source_phrase="apple",
        image=picture,
        pseudo_target=b"",
    )


def edited(editor, *tasks, regions=None):
    loaded = LoadedEditor(drawing_spec(editor), editor, regions)
    return EditBatch(NoSettings(), seed=1)(Batch("s", 0, tasks), loaded)


@pytest.mark.parametrize("named", [True, False])
def test_one_overflow_takes_no_other_with_it(named):
    alone = [edited(DrawingEditor(), task(n)).records[0] for n in (0, 2, 3)]
    editor = Overflowing(named=named)
    batch = edited(editor, task(0), task(1, "overflow"), task(2), task(3))
    assert list(batch.records) == alone
    (reject,) = batch.rejects
    assert (reject.key, reject.stage) == ("k1", "edit")
    assert reject.reason == ("not_finite" if named else "model_failed")
    assert "the model gave no finite numbers" in reject.detail
    if named:
        assert editor.calls == [4, 3]


def test_where_all_overflow_none_is_tried_again():
    editor = Overflowing()
    batch = edited(editor, *(task(n, "overflow") for n in range(8)))
    assert (batch.records, len(batch.rejects), editor.calls) == ((), 8, [8])


def test_a_setting_that_no_pair_can_be_edited_with_is_no_reject():
    class Refusing(DrawingEditor):
        def edit(self, requests, settings, generators, on_step):
            raise SettingError("num_inference_steps must be at most 1000, got 2000")

    with pytest.raises(CommandError, match="at most 1000, got 2000") as caught:
        edited(Refusing(), task(0), task(1))
    assert caught.value.exit_code == 2


def test_sizes_that_the_source_let_in_are_not_judged_again():
    batch = edited(DrawingEditor(), task(0, size=(3, 700)), task(1, size=(1, 1)), task(2))
    assert batch.rejects == ()
    sizes = [Image.open(io.BytesIO(each.image)).size for each in batch.records]
    assert sizes == [(3, 700), (1, 1), (8, 8)]


class EmptyRegions:
    def find(self, requests, generators):
        greys = [0 if "apple" in request.phrase() else 255 for request in requests]
        return [
            Image.new("L", each.image.size, grey)
            for each, grey in zip(requests, greys, strict=True)
        ]


def test_masks_that_are_found_empty_are_remarked_on():
    batch = edited(DrawingEditor(), task(0), regions=EmptyRegions())
    assert batch.records[0].remarks == ("empty_mask",)


@pytest.fixture
def strips(tmp_path):
    """Five pairs, one of which is a strip and one of which overflows."""

    def change(row):
        if row["source_position"] == 1:
            strip = encoded(np.full((400, 16, 3), 50, np.uint8))
            row["input_image"] = {"bytes": strip, "path": None}
        if row["source_position"] == 2:
            row["edit_prompt"] = "overflow"
        return row

    write_pairs(tmp_path / "pairs", (5,), change)
    return tmp_path / "pairs"


def test_the_command_goes_on_and_counts(editing_world, strips, tmp_path, monkeypatch):
    monkeypatch.setitem(EDITORS, "draw", drawing_spec(Overflowing()))
    flags = ("--preset", editing_world / "tiny.yaml", "--editor", "draw", "--json")
    outcome = run("edit-images", strips, "--out", tmp_path / "edits", *flags)
    assert outcome.code == 0, outcome.err
    assert (outcome.counts["edits"], outcome.counts["rejects"]) == (4, {"not_finite": 1})
    assert outcome.counts["remarks"] == {}
    (receipt,) = (tmp_path / "edits").glob("edited-*.json")
    assert "remarks" not in json.loads(receipt.read_text())


def test_strips_are_edited_and_counted(editing_world, strips, tmp_path):
    flags = ("--preset", editing_world / "tiny.yaml", "--editor", "sdedit", "--steps", 2)
    outcome = run("edit-images", strips, "--out", tmp_path / "edits", *flags, "--json")
    assert outcome.code == 0, outcome.err
    assert (outcome.counts["edits"], outcome.counts["remarks"]) == (5, {"elongated": 1})
    assert "with a picture so long that it was made smaller" in " ".join(outcome.out.split())
    (receipt,) = (tmp_path / "edits").glob("edited-*.json")
    key = drawn_row(1, "s0")["key"]
    assert json.loads(receipt.read_text())["remarks"] == {"elongated": [key]}
