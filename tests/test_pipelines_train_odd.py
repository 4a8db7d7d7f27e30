"""Training that cannot go well: odd sizes are refused by the model's rule, overflows end it."""

import pytest
import torch
from fakes.accelerator import forget_accelerator
from fakes.command_line import run
from fakes.objective import ColourObjective
from fakes.training import Run
from safetensors.torch import load_file, save_file

from editing.errors import NotFiniteError
from editing.training.checkpoints import CheckpointError, list_checkpoints, load_last_checkpoint
from editing.training.trainer import TrainingError


@pytest.fixture(autouse=True)
def fresh_accelerate():
    forget_accelerator()
    yield
    forget_accelerator()


def train(world, out, *more):
    flags = ("--steps", 2, "--batch-size", 2, "--checkpoint-every", 1, "--sample-every", 9)
    preset = ("--preset", world / "tiny.yaml")
    return run("train", world / "pairs", "--out", out, *preset, *flags, *more, "--json")


class TestSize:
    @pytest.mark.parametrize("size", [1, 15, 17, 66, 10**9])
    def test_the_model_s_rule_is_named_before_anything_is_written(
        self, editing_world, tmp_path, size
    ):
        outcome = train(editing_world, tmp_path / "run", "--size", size)
        assert outcome.code == 2
        assert outcome.error == (
            "size must be a multiple of 2 pixels and at most 64 (4 times the 16 that the model "
            f"was trained at), got {size}"
        )
        assert not (tmp_path / "run").exists()

    def test_a_size_that_fits_is_trained_at_and_no_other_gone_on_with(
        self, editing_world, tmp_path
    ):
        assert train(editing_world, tmp_path / "run", "--size", 18).code == 0
        forget_accelerator()
        outcome = train(editing_world, tmp_path / "run", "--size", 20)
        assert "holds a run with other settings or data" in outcome.error


@pytest.mark.parametrize(
    ("flag", "value", "rule"),
    [
        ("--learning-rate", "nan", "learning_rate must be a finite number, got nan"),
        ("--learning-rate", "inf", "learning_rate must be a finite number, got inf"),
        ("--clip-norm", "inf", "clip_norm must be a finite number, got inf"),
        ("--weight-decay", "1e999", "weight_decay must be a finite number, got inf"),
        ("--weight-loc", "nan", "weight_loc must be a finite number, got nan"),
        ("--snr-cap", "inf", "snr_cap must be a finite number, got inf"),
        ("--empty-share", "nan", "empty_share must be a finite number, got nan"),
        ("--empty-share", "1.5", "empty_share must be in [0, 1), got 1.5"),
        ("--batch-size", "0", "batch_size must be at least 1, got 0"),
        ("--size", "-64", "size must be at least 1, got -64"),
    ],
)
def test_numbers_that_break_a_rule(editing_world, tmp_path, flag, value, rule):
    outcome = train(editing_world, tmp_path / "run", flag, value)
    assert (outcome.code, rule in outcome.error) == (2, True), outcome.error
    assert not (tmp_path / "run").exists()


def test_an_overflow_ends_in_one_line_and_leaves_no_editor(editing_world, tmp_path):
    outcome = train(editing_world, tmp_path / "run", "--weight-loc", "1e300")
    assert outcome.error == "step 0: the term loc is inf; nothing was updated"
    assert not (tmp_path / "run" / "COMPLETED").exists()
    assert not (tmp_path / "run" / "pipeline").exists()


class TestLoop:
    @pytest.fixture
    def start(self, editing_world, tmp_path):
        def make(objective, **changes):
            return Run(objective, editing_world / "pairs", tmp_path / "run", **changes)

        return make

    def test_a_gradient_that_overflows_updates_nothing(self, start, tmp_path):
        class Steep(ColourObjective):
            def __call__(self, batch, draw):
                outcome = super().__call__(batch, draw)
                if len(self.drawn) == 3:
                    outcome.terms["near"] = (self.factor - self.factor.detach()).abs().sqrt().sum()
                return outcome

        with pytest.raises(TrainingError, match=r"step 2: the norm of the gradient is (nan|inf)"):
            start(Steep()).go()
        kept = load_last_checkpoint(tmp_path / "run", identities=["one"])
        assert kept.step == 2
        assert all(torch.isfinite(value).all() for value in kept.weights.values())

    def test_samples_that_overflow_leave_the_checkpoint_before(self, start, tmp_path):
        run_ = start(ColourObjective(), sample_every=4)
        first = run_.trainer.resume()

        def on_sample(step):
            raise NotFiniteError("the model gave no finite numbers")

        with pytest.raises(TrainingError, match="step 4: samples by the weights of now are not"):
            run_.trainer.run(
                first, run_.batches(first), on_step=run_.reports.append, on_sample=on_sample
            )
        assert [each.name for each in list_checkpoints(tmp_path / "run")] == ["checkpoint-00000002"]

    def test_weights_that_are_not_finite_are_not_saved(self, start, tmp_path):
        objective = ColourObjective()

        def spoil(outcome):
            if len(objective.drawn) == 4:
                with torch.no_grad():
                    objective.factor.fill_(torch.nan)
            return outcome

        objective.spoil = spoil
        with pytest.raises(TrainingError, match=r"step 4: the weight colour.factor is not finite"):
            start(objective).go()
        assert load_last_checkpoint(tmp_path / "run", identities=["one"]).step == 2

    def test_a_checkpoint_that_holds_none_is_damaged(self, start, tmp_path):
        start(ColourObjective(), steps=2).go()
        (place,) = list_checkpoints(tmp_path / "run")
        weights = load_file(place / "trained.safetensors")
        weights["colour.shift"][1] = torch.inf
        save_file(weights, place / "trained.safetensors")
        with pytest.raises(CheckpointError, match=r"colour.shift holds no finite numbers"):
            load_last_checkpoint(tmp_path / "run", identities=["one"])
