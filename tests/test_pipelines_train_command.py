"""`pairloom train`, from a small data set to a pipeline that others can load."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.accelerator import forget_accelerator
from fakes.command_line import run
from fakes.editing import save_world
from fakes.folders import hashes
from fakes.object_store import new_folder, upload_folder
from PIL import Image
from safetensors.torch import load_file

from indexes.folder_lock import lock_folder

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return save_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(autouse=True)
def fresh_accelerate():
    forget_accelerator()
    yield
    forget_accelerator()


def train(world, out, *more, preset="tiny.yaml", pairs="pairs"):
    flags = ("--steps", 3, "--batch-size", 2, "--checkpoint-every", 2, "--sample-every", 2)
    return run(
        "train", world / pairs, "--out", out, "--preset", world / preset, *flags, "--json", *more
    )


def weights(out):
    return hashes(out / "pipeline")


@pytest.fixture(scope="module")
def trained(world, tmp_path_factory):
    forget_accelerator()
    out = tmp_path_factory.mktemp("run") / "run"
    return out, train(world, out)


def test_a_run_leaves_an_editor_and_what_made_it(world, trained):
    out, outcome = trained
    assert outcome.code == 0, outcome.err
    assert outcome.counts["steps_made"] == 3
    assert set(outcome.counts["terms"]) == {"loc", "global", "mask", "perc"}
    assert outcome.out.splitlines()[-2] == f"editor: {out}/pipeline"
    record = json.loads((out / "run.json").read_text())
    assert record["dataset"]["manifest_sha256"]
    assert set(record["models"]) == {"diffusion", "encoder", "perceptual"}
    assert record["loop"]["seed"] == 0
    assert record["software"]["torch"]
    assert (out / "COMPLETED").exists()


def test_the_editor_loads_in_diffusers_and_is_not_what_it_began_as(world, trained):
    from diffusers import DiffusionPipeline

    out, _ = trained
    DiffusionPipeline.from_pretrained(out / "pipeline", safety_checker=None)
    name = "unet/diffusion_pytorch_model.safetensors"
    before, after = load_file(world / "model" / name), load_file(out / "pipeline" / name)
    changed = {key.split(".")[0] for key in before if not before[key].equal(after[key])}
    assert changed == {"conv_in", "down_blocks", "mid_block"}
    texts = [path.read_text() for path in (out / "pipeline").rglob("*.json")]
    assert not any(str(world) in text for text in texts)


def test_samples_are_sheets(trained):
    out, _ = trained
    sheets = sorted((out / "samples").iterdir())
    assert [sheet.name for sheet in sheets] == ["step-00000002.png", "step-00000003.png"]
    with Image.open(sheets[-1]) as sheet:
        assert sheet.width > 4 * 128
        assert sheet.height > 4 * 128


def test_curves_are_there_for_tensorboard(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out, outcome = trained
    events = EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    assert "loss/mask" in events.Tags()["scalars"]
    last = events.Scalars("loss/mask")[-1]
    assert (last.step, last.value) == (2, pytest.approx(outcome.counts["terms"]["mask"]))


def test_a_shorter_run_goes_on_to_the_same_weights(world, trained, tmp_path):
    out = tmp_path / "run"
    assert train(world, out, "--steps", 2).counts["steps_made"] == 2
    forget_accelerator()
    assert train(world, out).counts["steps_made"] == 1
    assert weights(out) == weights(trained[0])


def test_a_finished_run_is_left_alone(world, trained):
    before = weights(trained[0])
    outcome = train(world, trained[0])
    assert (outcome.code, outcome.counts["steps_made"]) == (0, 0)
    assert weights(trained[0]) == before


@pytest.mark.slow
def test_pairs_on_a_store_train_the_same(world, trained, tmp_path):
    pairs = upload_folder(world / "pairs", new_folder("memory://tests"))
    flags = ("--preset", world / "tiny.yaml", "--steps", 3, "--batch-size", 2)
    outcome = run("train", pairs, "--out", tmp_path / "run", *flags)
    assert outcome.code == 0, outcome.err
    assert weights(tmp_path / "run") == weights(trained[0])


def test_two_processes_train_as_one_does(world, tmp_path):
    alone = train(world, tmp_path / "one", "--batch-size", 4)
    assert alone.code == 0, alone.err
    launch = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "pairloom")
    words = ("train", world / "pairs", "--out", tmp_path / "two", "--preset", world / "tiny.yaml")
    flags = ("--steps", "3", "--batch-size", "2", "--json")
    cpu = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    ended = subprocess.run(
        [sys.executable, *launch, *map(str, words), *flags],
        cwd=ROOT,
        env=os.environ | cpu,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    name = "pipeline/unet/diffusion_pytorch_model.safetensors"
    one, two = (load_file(tmp_path / folder / name) for folder in ("one", "two"))
    for key, value in one.items():
        # Sums in another order; Adam makes the sign of a tiny gradient a whole step.
        assert (value - two[key]).abs().mean() < 1e-5, key
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("{")]
    assert json.loads(line)["terms"] == pytest.approx(alone.counts["terms"], rel=1e-3)


def test_set_says_what_a_flag_says(world, tmp_path):
    ways = (
        ("--weight-loc", 0, "--seed", 7, "--align"),
        ("--set", "weight_loc=0", "--set", "seed=7", "--set", "align=true"),
        ("--set", "iedit.weight_loc=0", "--set", "training.seed=7", "--set", "pairs.align=true"),
    )
    found = []
    for number, words in enumerate(ways):
        forget_accelerator()
        outcome = train(world, tmp_path / str(number), *words)
        assert outcome.code == 0, outcome.err
        assert "loc" not in outcome.counts["terms"]
        found.append(weights(tmp_path / str(number)))
    assert found[0] == found[1] == found[2]


def test_method_is_an_earlier_word_for_editor(world, trained):
    outcome = train(world, trained[0], "--method", "iedit")
    assert (outcome.code, outcome.counts["steps_made"]) == (0, 0)
    (line,) = outcome.err.splitlines()
    assert line == "pairloom: --method is called --editor now, and goes away in the next release"


def test_help_is_grouped_by_what_a_setting_is_of():
    text = run("train", "--help").out
    groups = [line for line in text.splitlines() if line.startswith("settings of ")]
    assert groups == [
        "settings of training:",
        "settings of pairs:",
        "settings of the loss of iedit:",
        "settings of the loss of learned-regions:",
        "settings of the loss of learned-regions, simat:",
        "settings of the loss of simat:",
    ]
    assert "--editor NAME" in text
    assert "--method" not in text


class TestBad:
    def test_another_run_s_folder(self, world, trained):
        outcome = train(world, trained[0], "--learning-rate", "1e-3")
        assert outcome.code == 1
        assert "holds a run with other settings or data" in outcome.error

    def test_a_folder_with_something_else(self, world, tmp_path):
        (tmp_path / "thesis.txt").write_text("mine")
        assert "must be empty or hold this run" in train(world, tmp_path).error

    def test_a_preset_without_a_diffusion_model(self, world, tmp_path):
        outcome = train(world, tmp_path / "run", preset="poor.yaml")
        assert (
            outcome.error
            == "preset poor names no diffusion model; it has captioner, encoder, segmenter"
        )

    @pytest.mark.parametrize("spoil", ["missing", "altered"])
    def test_shards_that_are_not_what_the_manifest_says(self, world, tmp_path, spoil):
        pairs = shutil.copytree(world / "pairs", tmp_path / "pairs")
        shard = pairs / "pairs-00000-of-00003.parquet"
        if spoil == "missing":
            shard.unlink()
        else:
            shard.write_bytes(shard.read_bytes()[:-1] + b"x")
        outcome = train(world, tmp_path / "run", pairs=pairs)
        assert outcome.code == 1
        assert "must be a whole data set: pairs-00000-of-00003.parquet" in outcome.error
        assert not (tmp_path / "run").exists()

    def test_a_folder_that_is_no_data_set(self, world, tmp_path):
        (tmp_path / "nothing").mkdir()
        outcome = train(world, tmp_path / "run", pairs=tmp_path / "nothing")
        assert "must be a whole data set: manifest.json: it is missing" in outcome.error

    @pytest.mark.parametrize(
        ("flags", "rule"),
        [
            (("--learning-rate", "0"), "learning_rate must be above 0, got 0.0"),
            (("--empty-share", "1"), "empty_share must be in [0, 1), got 1.0"),
            (("--snr-cap", "0"), "snr_cap must be above 0, got 0.0"),
            (("--weight-loc", "-1"), "weight_loc must be at least 0, got -1.0"),
            (("--steps", "0"), "steps must be at least 1, got 0"),
            (("--editor", "magic"), "argument --editor: invalid choice: 'magic'"),
            (("--editor", "copy"), "argument --editor: invalid choice: 'copy'"),
            (("--size", "0"), "size must be at least 1, got 0"),
            (("--quality", "looks"), "quality must be one of retrieval, "),
            (("--set", "weight_all=1"), "--set weight_all=1: nothing has a setting weight_all"),
            (
                ("--set", "sdedit.paste=true"),
                "with a NAME of training, pairs, iedit, learned-regions, simat, got",
            ),
        ],
    )
    def test_flags_that_break_a_rule(self, world, tmp_path, flags, rule):
        outcome = train(world, tmp_path / "run", *flags)
        assert outcome.code == 2
        assert rule in outcome.error


def test_a_folder_that_another_job_writes_to_is_left(world, tmp_path):
    with lock_folder(tmp_path / "run", "another job"):
        line = train(world, tmp_path / "run").error
    assert line.startswith(f"{tmp_path / 'run'} is being written by another job (process ")
    assert not (tmp_path / "run").exists()
