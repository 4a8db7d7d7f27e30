"""`pairloom edit-images`: every pair edited, the same pictures whoever makes them."""

import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from fakes.command_line import run
from fakes.editing import save_world
from fakes.folders import hashes
from fakes.pairs import write_pairs
from PIL import Image

from indexes.folder_lock import lock_folder

# The graph runs by FnApiRunner, which `edit_images` names itself.


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return save_world(tmp_path_factory.mktemp("world"))


def edit_images(world, out, *more, pairs="pairs", editor="iedit-m"):
    flags = ("--preset", world / "tiny.yaml", "--steps", 3, "--editor", editor)
    model = ("--model", world / "model")
    return run("edit-images", world / pairs, "--out", out, *flags, *model, "--json", *more)


@pytest.fixture(scope="module")
def edited(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("edits") / "edits"
    return out, edit_images(world, out)


def rows(out):
    return [
        row
        for path in sorted(out.glob("edits-*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


def pairs_of(world):
    paths = sorted((world / "pairs").glob("pairs-*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def test_every_pair_has_its_edit_in_the_order_of_the_pairs(world, edited):
    out, outcome = edited
    assert outcome.code == 0, outcome.err
    counts = {name: outcome.counts[name] for name in ("edits", "rejects", "shards")}
    assert counts == {"edits": 16, "rejects": {}, "shards": 3}
    assert [(r["key"], r["edit_prompt"]) for r in rows(out)] == [
        (r["key"], r["edit_prompt"]) for r in pairs_of(world)
    ]
    for row, pair in zip(rows(out), pairs_of(world), strict=True):
        made, source = (
            np.asarray(Image.open(io.BytesIO(data)))
            for data in (row["image"]["bytes"], pair["input_image"]["bytes"])
        )
        assert made.shape == source.shape
        assert not np.array_equal(made, source)
    assert (out / "COMPLETED").exists()


def test_pictures_show_as_pictures(edited):
    from datasets import load_dataset

    out, _ = edited
    files = sorted(str(path) for path in out.glob("edits-*.parquet"))
    data = load_dataset("parquet", data_files=files, split="train", cache_dir=str(out / "cache"))
    assert isinstance(data[0]["image"], Image.Image)


def test_two_workers_make_the_same_bytes(world, edited, tmp_path):
    out = tmp_path / "edits"
    assert edit_images(world, out, "--workers", 2).code == 0
    ours, theirs = (
        {name: value for name, value in hashes(place).items() if not name.startswith("cache")}
        for place in (out, edited[0])
    )
    assert ours == theirs


def test_a_shard_that_is_there_is_not_made_again(world, edited, tmp_path):
    out = tmp_path / "edits"
    edit_images(world, out)
    (out / "edited-00002-of-00003.json").unlink()
    (out / "edits-00002-of-00003.parquet").unlink()
    outcome = edit_images(world, out)
    assert outcome.counts["shards_skipped"] == 2
    assert (
        hashes(out)["edits-00002-of-00003.parquet"]
        == (hashes(edited[0])["edits-00002-of-00003.parquet"])
    )


def test_what_cannot_be_edited_is_rejected_and_the_others_come_through(world, tmp_path):
    def spoil(row):
        position = row["source_position"]
        if position == 2:
            return row | {"input_image": {"bytes": b"no picture", "path": None}}
        return row | {"edit_prompt": "a " * 30} if position == 3 else row

    write_pairs(tmp_path / "pairs", change=spoil)
    outcome = edit_images(world, tmp_path / "edits", pairs=tmp_path / "pairs")
    assert outcome.code == 0, outcome.err
    assert outcome.counts["edits"] == 14
    assert outcome.counts["rejects"] == {"model_failed": 1, "not_an_image": 1}
    paths = sorted((tmp_path / "edits").glob("rejects-*.parquet"))
    rejects = [row for path in paths for row in pq.read_table(path).to_pylist()]
    assert [(row["position"], row["stage"], row["number"]) for row in rejects] == [
        (2, "edit", 0),
        (3, "edit", 0),
    ]
    assert "a prompt must have at most 12 tokens, got 32" in rejects[1]["detail"]


def test_pseudo_targets_are_read_for_an_editor_that_needs_them(world, tmp_path):
    out = tmp_path / "edits"
    flags = ("--preset", world / "tiny.yaml", "--editor", "retrieve", "--json")
    outcome = run("edit-images", world / "pairs", "--out", out, *flags)
    assert outcome.code == 0, outcome.err
    for row, pair in zip(rows(out), pairs_of(world), strict=True):
        found, real = (
            np.asarray(Image.open(io.BytesIO(data)))
            for data in (row["image"]["bytes"], pair["edited_image"]["bytes"])
        )
        assert np.array_equal(found, real)
    assert json.loads((out / "edits.json").read_text())["models"] == {}


def test_regions_are_a_choice_beside_the_editor(world, edited, tmp_path):
    """The same weights in the same regions, and anywhere, whatever the editor is called."""

    def images(name, *words, editor):
        outcome = edit_images(world, tmp_path / name, *words, editor=editor)
        assert outcome.code == 0, outcome.err
        return [row["image"]["bytes"] for row in rows(tmp_path / name)]

    masked = [row["image"]["bytes"] for row in rows(edited[0])]
    assert images("in", "--regions", "segmenter", editor="sdedit") == masked
    anywhere = images("anywhere", editor="iedit")
    assert images("none", "--regions", "none", editor="iedit-m") == anywhere


def test_method_is_an_earlier_word_for_editor(world, tmp_path):
    flags = ("--preset", world / "tiny.yaml", "--method", "copy", "--json")
    outcome = run("edit-images", world / "pairs", "--out", tmp_path / "edits", *flags)
    assert outcome.code == 0
    (line,) = outcome.err.splitlines()
    assert line == "pairloom: --method is called --editor now, and goes away in the next release"
    assert json.loads((tmp_path / "edits" / "edits.json").read_text())["editor"] == "copy"


class TestBad:
    def test_other_edits_folder(self, world, edited):
        outcome = edit_images(world, edited[0], "--seed", 5)
        assert "holds edits with other settings" in outcome.error

    def test_a_strength_out_of_range(self, world, tmp_path):
        outcome = edit_images(world, tmp_path / "edits", "--strength", 0)
        assert (outcome.code, "strength must be in (0, 1]" in outcome.error) == (2, True)

    def test_regions_that_have_other_settings(self, world, edited):
        outcome = edit_images(world, edited[0], "--mask-grow", 0.1)
        assert "holds edits with other settings" in outcome.error

    def test_an_editor_without_its_model(self, world, tmp_path):
        flags = ("--preset", world / "tiny.yaml", "--editor", "iedit")
        outcome = run("edit-images", world / "pairs", "--out", tmp_path / "edits", *flags)
        assert (outcome.code, "--editor iedit needs --model" in outcome.error) == (2, True)

    def test_what_is_no_data_set(self, world, tmp_path):
        (tmp_path / "nothing").mkdir()
        outcome = edit_images(world, tmp_path / "edits", pairs=tmp_path / "nothing")
        assert "must be a whole data set" in outcome.error

    def test_what_made_the_pictures_is_kept(self, edited):
        record = json.loads((edited[0] / "edits.json").read_text())
        assert record["editor"] == "iedit-m"
        assert set(record["models"]) == {"diffusion", "segmenter"}


def test_a_folder_that_another_job_writes_to_is_left(world, tmp_path):
    with lock_folder(tmp_path / "edits", "another job"):
        line = edit_images(world, tmp_path / "edits").error
    assert line.startswith(f"{tmp_path / 'edits'} is being written by another job (process ")
    assert not (tmp_path / "edits").exists()
