"""Adding an editor is a folder and a line: every command knows the one that a test registers."""

import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from fakes import tint_editor
from fakes.accelerator import forget_accelerator
from fakes.command_line import run
from fakes.editing import save_world
from fakes.pictures import noise, pixels
from fakes.tint_editor import tinted
from PIL import Image
from safetensors.torch import load_file

from editing.loading import load_editor
from editing.parts import PART_LOADERS
from editing.registry import EDITORS
from editing.training.objective import Objective


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """`tinted.yaml`, a preset with tint's network, `tiny.yaml`, one without, `pairs`, `photo`."""
    root = save_world(tmp_path_factory.mktemp("world"))
    tint_editor.add_to_preset(root / "tiny.yaml", name="tinted")
    noise(3).save(root / "photo.png")
    return root


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """The editor in the registry, and its part among the parts: the two lines."""
    monkeypatch.setitem(EDITORS, tint_editor.NAME, tint_editor.SPEC)
    monkeypatch.setitem(PART_LOADERS, tint_editor.NAME, tint_editor.LOADER)


@pytest.fixture(autouse=True)
def fresh_accelerate():
    forget_accelerator()
    yield
    forget_accelerator()


def tint(world, command, *words, preset="tinted.yaml"):
    return run(command, *words, "--preset", world / preset, "--json")


def edit(world, out, *words, **options):
    prompt = ("--prompt", "a red pear")
    flags = ("--editor", "tint", "--out", out)
    return tint(world, "edit", world / "photo.png", *prompt, *flags, *words, **options)


def edit_images(world, out, *words):
    flags = ("--editor", "tint", "--out", out)
    return tint(world, "edit-images", world / "pairs", *flags, *words)


def evaluate(world, out, *words):
    flags = ("--edits", 5, "--batch-size", 3, "--features", "clip", "--out", out)
    return tint(world, "evaluate", world / "pairs", *flags, *words)


def train(world, out, *words):
    flags = ("--steps", 4, "--batch-size", 2, "--learning-rate", 0.1, "--checkpoint-every", 2)
    return tint(world, "train", world / "pairs", "--editor", "tint", "--out", out, *flags, *words)


def rows(folder, pattern):
    return [row for path in sorted(folder.glob(pattern)) for row in pq.read_table(path).to_pylist()]


def decoded(data):
    return Image.open(io.BytesIO(data)).convert("RGB")


class TestEdit:
    def test_its_settings_are_flags(self, world, tmp_path):
        outcome = edit(world, tmp_path / "a.png", "--amount", 0.25, "--colour", "blue")
        assert outcome.code == 0, outcome.err
        assert outcome.counts["editor"] == "tint"
        expected = tinted(noise(3), 0.25, "blue")
        assert np.abs(pixels(tmp_path / "a.png") - expected).max() <= 1

    def test_a_flag_that_others_have_too_is_its_own_setting(self, world, tmp_path):
        outcome = edit(world, tmp_path / "a.png", "--steps", 2, "--bold", "--amount", 0.5)
        assert outcome.code == 0, outcome.err
        expected = tinted(noise(3), 1 - 0.5**4, "red")
        assert np.abs(pixels(tmp_path / "a.png") - expected).max() <= 1

    def test_what_lies_outside_a_mask_stays(self, world, tmp_path):
        marked = np.zeros((32, 32), np.uint8)
        marked[:, :16] = 255
        Image.fromarray(marked).save(tmp_path / "mask.png")
        outcome = edit(world, tmp_path / "a.png", "--mask", tmp_path / "mask.png")
        assert outcome.code == 0, outcome.err
        found, source = pixels(tmp_path / "a.png"), np.asarray(noise(3))
        assert np.array_equal(found[:, 16:], source[:, 16:])
        assert not np.array_equal(found[:, :16], source[:, :16])

    def test_regions_that_are_found(self, world, tmp_path):
        words = ("--regions", "segmenter", "--mask-phrase", "pear", "--mask-grow", 0.1)
        outcome = edit(world, tmp_path / "a.png", *words, "--mask-out", tmp_path / "mask.png")
        assert outcome.code == 0, outcome.err
        outside = pixels(tmp_path / "mask.png")[..., 0] == 0
        found, source = pixels(tmp_path / "a.png"), np.asarray(noise(3))
        assert np.array_equal(found[outside], source[outside])

    def test_a_preset_without_its_part(self, world, tmp_path):
        outcome = edit(world, tmp_path / "a.png", preset="tiny.yaml")
        assert outcome.error.startswith("preset tiny names no tint model; it has backbone, ")

    def test_a_preset_s_part_that_nobody_asks_for_is_not_looked_at(self, world, tmp_path):
        path = world / "broken.yaml"
        text = (world / "tinted.yaml").read_text()
        path.write_text(text.replace("./tint", "./nowhere").replace("./model", "./neither"))
        photo = ("edit", world / "photo.png", "--prompt", "a", "--editor", "copy")
        outcome = run(*photo, "--out", tmp_path / "a.png", "--preset", path)
        assert outcome.code == 0, outcome.err
        outcome = edit(world, tmp_path / "b.png", preset="broken.yaml")
        assert f"no model at {world}/nowhere" in outcome.error


class TestEditImages:
    def test_every_pair_is_edited(self, world, tmp_path):
        words = ("--amount", 0.25, "--colour", "green")
        outcome = edit_images(world, tmp_path / "edits", *words)
        assert outcome.code == 0, outcome.err
        made = rows(tmp_path / "edits", "edits-*.parquet")
        pairs = rows(world / "pairs", "pairs-*.parquet")
        assert [row["key"] for row in made] == [pair["key"] for pair in pairs]
        for row, pair in zip(made, pairs, strict=True):
            source = decoded(pair["input_image"]["bytes"])
            found = np.asarray(decoded(row["image"]["bytes"]))
            assert np.abs(found - tinted(source, 0.25, "green")).max() <= 1

    def test_what_made_the_pictures_is_kept(self, world, tmp_path):
        assert edit_images(world, tmp_path / "edits", "--amount", 0.25).code == 0
        record = json.loads((tmp_path / "edits" / "edits.json").read_text())
        assert (record["editor"], record["settings"]["amount"]) == ("tint", 0.25)
        assert set(record["models"]) == {"tint"}
        again = edit_images(world, tmp_path / "edits", "--amount", 0.5)
        assert "holds edits with other settings" in again.error


class TestEvaluate:
    def test_beside_others_over_its_own_dial(self, world, tmp_path):
        words = ("--editors", "copy", "tint", "--amounts", 0, 0.4, 1, "--seeds", 0, 1)
        outcome = evaluate(world, tmp_path / "eval", *words, "--baseline", "tint")
        assert outcome.code == 0, outcome.err
        figures = outcome.counts
        assert [(each["editor"], each["value"]) for each in figures["points"]] == [
            ("copy", None),
            ("tint", 0.0),
            ("tint", 0.4),
            ("tint", 1.0),
        ]
        errors = [each["background_error"][0] for each in figures["points"]]
        assert errors[0] == errors[1] == 0 < errors[2] < errors[3]
        assert figures["baseline"] == "tint"
        assert set(figures["differences"]) == {"copy"}
        assert len(list((tmp_path / "eval" / "cells").iterdir())) == 1 + 3 * 2
        page = (tmp_path / "eval" / "evaluation.html").read_text()
        assert "amount 0, 0.4, 1; colour red; steps 1; bold no" in page

    def test_its_dial_s_own_values(self, world, tmp_path):
        outcome = evaluate(world, tmp_path / "eval", "--editors", "tint", "--seeds", 0)
        assert outcome.code == 0, outcome.err
        values = [each["value"] for each in outcome.counts["points"]]
        assert values == list(tint_editor.SPEC.dial.values)
        assert outcome.counts["baseline"] == "tint"

    def test_what_the_dial_turns_is_not_set(self, world, tmp_path):
        words = ("--editors", "tint", "--set", "amount=0.5")
        outcome = evaluate(world, tmp_path / "eval", *words)
        assert outcome.code == 2
        assert outcome.error == "amount of tint is turned by --amounts here, not set"

    def test_a_value_that_the_dial_does_not_take(self, world, tmp_path):
        outcome = evaluate(world, tmp_path / "eval", "--editors", "tint", "--amounts", 2)
        assert (outcome.code, outcome.error) == (2, "amount must be in [0, 1], got 2.0")
        assert not (tmp_path / "eval").exists()


class TestTrain:
    def test_a_run_is_what_model_takes(self, world, tmp_path):
        outcome = train(world, tmp_path / "run")
        assert outcome.code == 0, outcome.err
        assert outcome.counts["editor"] == f"{tmp_path}/run/network"
        assert set(outcome.counts["terms"]) == {"pull"}
        strength = load_file(tmp_path / "run" / "network" / tint_editor.FILE)["strength"]
        assert not torch.equal(strength, torch.ones(3))
        words = ("--model", tmp_path / "run", "--amount", 0.5)
        assert edit(world, tmp_path / "a.png", *words).code == 0
        expected = tinted(noise(3), 0.5, "red", strength.tolist())
        assert np.abs(pixels(tmp_path / "a.png") - expected).max() <= 1
        assert len(list((tmp_path / "run" / "samples").iterdir())) == 1

    def test_a_run_that_is_gone_on_with_ends_with_the_same_weights(self, world, tmp_path):
        train(world, tmp_path / "whole")
        assert train(world, tmp_path / "run", "--steps", 2).counts["steps_made"] == 2
        forget_accelerator()
        assert train(world, tmp_path / "run").counts["steps_made"] == 2
        one, other = (tmp_path / name / "network" / tint_editor.FILE for name in ("whole", "run"))
        assert one.read_bytes() == other.read_bytes()

    def test_its_loss_has_settings(self, world, tmp_path):
        assert train(world, tmp_path / "run", "--pull", 2).code == 0
        record = json.loads((tmp_path / "run" / "run.json").read_text())
        assert (record["editor"], record["objective"]) == ("tint", {"pull": 2.0})
        assert set(record["models"]) == {"tint"}
        outcome = train(world, tmp_path / "run", "--pull", 3)
        assert "holds a run with other settings or data" in outcome.error
        outcome = train(world, tmp_path / "other", "--pull", 0)
        assert (outcome.code, outcome.error) == (2, "pull must be above 0, got 0.0")

    def test_another_editor_s_loss(self, world, tmp_path):
        outcome = train(world, tmp_path / "run", "--weight-loc", 1)
        assert outcome.code == 2
        assert outcome.error.startswith("--weight-loc is a setting of iedit; training, pairs and")

    def test_its_objective_is_one(self):
        network = tint_editor.TintNetwork()
        objective = tint_editor.TintObjective(network, tint_editor.TintTraining())
        assert isinstance(objective, Objective)


class TestHelp:
    @pytest.mark.parametrize("command", ["edit", "edit-images", "evaluate"])
    def test_it_has_a_group_of_its_own(self, command):
        text = run(command, "--help").out
        assert "tint (a colour blended in, up to 100 %)" in " ".join(text.split())
        assert "\nsettings of tint:\n" in text
        assert "{red,green,blue}" in text
        own = text.split("\nsettings of tint:\n")[1].split("\n\n")[0]
        assert "--colour" in own
        assert ("--amount " in own) == (command != "evaluate")

    def test_its_dial_is_a_flag_of_evaluate(self):
        text = " ".join(run("evaluate", "--help").out.split())
        assert "--amounts VALUE [VALUE ...] values of amount for tint (default 0 0.5 1)" in text

    def test_its_loss_is_a_group_of_train(self):
        assert "\nsettings of the loss of tint:\n" in run("train", "--help").out


def test_from_python(world):
    editor = load_editor("tint", str(world / "tinted.yaml"))
    settings = editor.spec.settings(amount=1.0, colour="green")
    output = editor(noise(3), "a green thing", settings=settings)
    assert np.array_equal(np.asarray(output.image), tinted(noise(3), 1.0, "green"))
