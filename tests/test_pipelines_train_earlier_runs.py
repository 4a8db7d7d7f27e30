"""A training run that version 0.1 wrote is gone on with, to the weights of an uninterrupted run."""

import hashlib
import json
import shutil

import pytest
from fakes.accelerator import forget_accelerator
from fakes.command_line import run
from fakes.editing import save_world
from fakes.folders import hashes

from pipelines.train import job

OPTIONS = {
    "steps": 2,
    "batch_size": 2,
    "accumulation": 1,
    "empty_share": 0.25,
    "learning_rate": 2e-4,
    "weight_decay": 0.01,
    "clip_norm": 1.0,
    "seed": 3,
    "precision": "no",
    "gradient_checkpointing": False,
    "optimiser": "adamw",
    "checkpoint_every": 2,
    "sample_every": 500,
    "gradients_every": 100,
}
WEIGHTS = {"loc": 1.0, "global_": 0.5, "mask": 1.0, "paired": 0.0, "perc": 0.1, "snr_cap": 3.0}
FREE = ("steps", "checkpoint_every", "sample_every", "gradients_every", "gradient_checkpointing")
FLAGS = (
    *("--batch-size", 2, "--seed", 3, "--checkpoint-every", 2, "--empty-share", 0.25),
    *("--weight-global", 0.5, "--snr-cap", 3, "--mask-combine", "union", "--align"),
    *("--quality", "directional", "--prompts", "target"),
)
STEPS = 4


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return save_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(autouse=True)
def fresh_accelerate():
    forget_accelerator()
    yield
    forget_accelerator()


def train(world, out, steps=STEPS, *more, flags=FLAGS):
    forget_accelerator()
    preset = ("--preset", world / "tiny.yaml", "--json")
    words = (*preset, "--steps", steps, *flags, *more)
    return run("train", world / "pairs", "--out", out, *words)


@pytest.fixture(scope="module")
def begun(world, tmp_path_factory):
    """A run after two steps."""
    out = tmp_path_factory.mktemp("begun") / "run"
    outcome = train(world, out, 2)
    assert outcome.code == 0, outcome.err
    return out


@pytest.fixture(scope="module")
def whole(world, tmp_path_factory):
    """The weights of a run of all steps."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert train(world, out).code == 0
    return hashes(out / "pipeline")


def description(run_folder, **changed):
    """What version 0.1 wrote into `run.json` of the run of `FLAGS`."""
    today = json.loads((run_folder / "run.json").read_text())
    return {
        "method": "iedit",
        "dataset": today["dataset"],
        "models": today["models"],
        "options": OPTIONS,
        "weights": WEIGHTS,
        "mask_combine": "union",
        "prompts": "target",
        "quality": "directional",
        "align": True,
        "size": None,
        **changed,
    }


def identity(described):
    """What version 0.1 called a run."""
    options = {name: value for name, value in described["options"].items() if name not in FREE}
    told = described | {"options": options}
    canonical = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


@pytest.fixture
def earlier(begun, tmp_path):
    """Makes the folder of two steps one that version 0.1 left, and gives it."""

    def write(**changed):
        out = shutil.copytree(begun, tmp_path / "run")
        described = description(begun, **changed)
        mark = identity(described)
        record = described | {"identity": mark, "software": {"torch": "2.9.0"}}
        (out / "run.json").write_text(json.dumps(record, indent=2, sort_keys=True))
        state = {"step": 2, "identity": mark}
        (out / "checkpoints" / "checkpoint-00000002" / "state.json").write_text(json.dumps(state))
        return out

    return write


def test_it_is_gone_on_with_to_the_same_weights(world, whole, earlier):
    out = earlier()
    outcome = train(world, out)
    assert outcome.code == 0, outcome.err
    assert outcome.counts["steps_made"] == STEPS - 2
    assert hashes(out / "pipeline") == whole
    record = json.loads((out / "run.json").read_text())
    assert (record["editor"], record["loop"]["steps"]) == ("iedit", STEPS)
    assert train(world, out).counts["steps_made"] == 0


def test_an_interruption_before_its_next_checkpoint_loses_nothing(
    world, whole, earlier, monkeypatch
):
    out = earlier()

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as changed:
        changed.setattr(job, "open_stream", interrupted)
        for _ in range(2):
            assert train(world, out).code == 130
    assert json.loads((out / "run.json").read_text())["editor"] == "iedit"
    outcome = train(world, out)
    assert outcome.code == 0, outcome.err
    assert outcome.counts["steps_made"] == STEPS - 2
    assert hashes(out / "pipeline") == whole


@pytest.mark.parametrize(
    "changed",
    [
        {"options": OPTIONS | {"learning_rate": 1e-3}},
        {"options": OPTIONS | {"empty_share": 0.0}},
        {"weights": WEIGHTS | {"global_": 1.0}},
        {"weights": WEIGHTS | {"snr_cap": None}},
        {"mask_combine": "paper"},
        {"prompts": "edit"},
        {"size": 32},
        {"models": {"diffusion": "another"}},
    ],
)
def test_one_of_other_settings_is_refused_in_one_line(world, earlier, changed):
    out = earlier(**changed)
    before = hashes(out)
    outcome = train(world, out)
    rule = f"{out} holds a run with other settings or data: give another"
    assert (outcome.code, outcome.error) == (1, rule)
    assert hashes(out) == before


def test_what_may_differ_is_not_other_settings(world, whole, earlier):
    more = {"sample_every": 1, "gradients_every": 7, "gradient_checkpointing": True}
    out = earlier(options=OPTIONS | more)
    outcome = train(world, out)
    assert outcome.code == 0, outcome.err
    assert hashes(out / "pipeline") == whole


@pytest.mark.parametrize("lost", ["options", "weights", "align", "identity"])
def test_a_record_that_is_none_is_refused_in_one_line(world, earlier, lost):
    out = earlier()
    record = json.loads((out / "run.json").read_text())
    del record[lost]
    (out / "run.json").write_text(json.dumps(record))
    assert "holds a run with other settings or data" in train(world, out).error


def test_a_checkpoint_of_another_run_is_refused_in_one_line(world, earlier):
    out = earlier()
    state = out / "checkpoints" / "checkpoint-00000002" / "state.json"
    state.write_text(json.dumps({"step": 2, "identity": "0" * 64}))
    outcome = train(world, out)
    assert outcome.code == 1
    assert "is of a run with other settings or data: give another --out, or remove" in outcome.error
