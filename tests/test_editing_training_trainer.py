"""Training: what is trained, that a run repeats and goes on exactly, and how it ends badly."""

import dataclasses

import pytest
import torch
from accelerate import Accelerator
from fakes.accelerator import forget_accelerator
from fakes.diffusion import load_tiny, save_diffusion
from fakes.model_folders import save_clip
from fakes.pairs import SIDE, write_pairs

from editing.editors.iedit.blocks import AlternatingBlocks
from editing.editors.iedit.losses import TermWeights
from editing.editors.iedit.objective import IEditObjective
from editing.features.clip import load_clip_space, load_perceptual
from editing.training.checkpoints import (
    Checkpoint,
    CheckpointError,
    list_checkpoints,
    load_last_checkpoint,
    save_checkpoint,
)
from editing.training.pair_stream import PairOptions, PairStream
from editing.training.trainer import Trainer, TrainingError, TrainOptions, draw_step
from transforms.dataset.manifest import load_manifest
from transforms.models.spec import ModelSpec


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Folders of a diffusion model, a CLIP and a data set."""
    root = tmp_path_factory.mktemp("world")
    (root / "clip").mkdir()
    write_pairs(root / "pairs")
    return save_diffusion(root), save_clip(root / "clip"), root / "pairs"


class Run:
    """A training run on the world; `reports` and `samples` are what it told."""

    def __init__(self, world, folder, *, identity="one", weights=None, accelerator=None, **options):
        diffusion, clip, self.pairs = world
        self.options = TrainOptions(
            **(
                {"steps": 4, "batch_size": 2, "checkpoint_every": 2, "learning_rate": 1e-3}
                | options
            )
        )
        self.model = load_tiny(diffusion)
        spec = ModelSpec(loader="clip_layer", location=str(clip), options=(("layer", 1),))
        self.objective = IEditObjective(
            self.model,
            load_clip_space(ModelSpec(loader="clip", location=str(clip))),
            load_perceptual(spec),
            weights or TermWeights(),
        )
        self.trainer = Trainer(
            self.objective,
            self.options,
            accelerator or Accelerator(cpu=True),
            folder=folder,
            identity=identity,
        )
        self.reports, self.samples = [], []

    def stream(self):
        size = self.options.pairs_a_step(1)
        options = PairOptions(size=SIDE, batch_size=size, seed=self.options.seed)
        return PairStream(self.pairs, load_manifest(self.pairs), options)

    def go(self, *, until=None):
        first = self.trainer.resume()
        report = self.reports.append

        def stop_at(step):
            report(step)
            if until is not None and step.step + 1 == until:
                raise KeyboardInterrupt

        self.trainer.run(
            first,
            self.stream().batches(first_step=first),
            on_step=stop_at,
            on_sample=self.samples.append,
        )
        return self

    def weights(self):
        return {name: value.clone() for name, value in self.model.unet.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_steps_train_input_and_middle_in_turn(world, tmp_path):
    run = Run(world, tmp_path, steps=1)
    start = run.weights()
    run.go()
    after_one = run.weights()
    assert {name.split(".")[0] for name in changed(start, after_one)} == {"conv_in", "down_blocks"}
    second = Run(world, tmp_path, steps=2)
    second.go()
    assert second.reports[0].step == 1
    assert {name.split(".")[0] for name in changed(after_one, second.weights())} == {"mid_block"}


def test_what_is_frozen_has_neither_gradient_nor_state(world, tmp_path):
    run = Run(world, tmp_path, steps=2).go()
    blocks = AlternatingBlocks(run.model.unet)
    trained = {id(p) for number in range(2) for p in blocks.parameters(number)}
    for network in (run.model.unet, run.model.vae, run.model.text_encoder):
        for parameter in network.parameters():
            if id(parameter) not in trained:
                assert parameter.grad is None
    states = [optimiser.optimizer.state for optimiser in run.trainer._optimisers]
    assert {id(p) for state in states for p in state} == trained
    begun = blocks.begin(2)
    assert all(p.requires_grad for p in begun)
    assert not any(p.requires_grad or p.grad is not None for p in blocks.parameters(1))


def test_a_run_repeats(world, tmp_path):
    one, other = (Run(world, tmp_path / name).go() for name in "ab")
    assert same(one.weights(), other.weights())
    assert [report.terms for report in one.reports] == [report.terms for report in other.reports]
    different = Run(world, tmp_path / "c", seed=1).go()
    assert not same(one.weights(), different.weights())


@pytest.mark.parametrize("until", [1, 2, 3])
def test_an_interrupted_run_ends_with_the_weights_of_a_whole_one(world, tmp_path, until):
    whole = Run(world, tmp_path / "whole").go()
    with pytest.raises(KeyboardInterrupt):
        Run(world, tmp_path / "cut").go(until=until)
    rest = Run(world, tmp_path / "cut").go()
    assert rest.reports[0].step == (until - 1) // 2 * 2  # a step is told before it is saved
    assert same(whole.weights(), rest.weights())
    assert rest.reports[-1].terms == whole.reports[-1].terms


def test_accumulation_is_a_larger_batch(world, tmp_path):
    together = Run(world, tmp_path / "a", steps=1, batch_size=4, clip_norm=1e9).go()
    in_parts = Run(world, tmp_path / "b", steps=1, batch_size=1, accumulation=4, clip_norm=1e9).go()
    assert in_parts.reports[0].terms == pytest.approx(together.reports[0].terms, rel=1e-4)
    # Adam's first step has the gradient's sign for its size: only near-zero ones may differ.
    one, other = together.weights(), in_parts.weights()
    gap = torch.cat([(one[name] - other[name]).flatten() for name in one])
    assert (gap.abs() > 1e-5).float().mean() < 0.01


def test_gradient_checkpointing_changes_memory_alone(world, tmp_path):
    plain = Run(world, tmp_path / "a", steps=2).go()
    spared = Run(world, tmp_path / "b", steps=2, gradient_checkpointing=True).go()
    for name, value in plain.weights().items():
        torch.testing.assert_close(value, spared.weights()[name], atol=1e-5, rtol=1e-3)


def test_bfloat16_trains(world, tmp_path):
    forget_accelerator()
    try:
        accelerator = Accelerator(cpu=True, mixed_precision="bf16")
        run = Run(world, tmp_path / "half", steps=1, accelerator=accelerator)
        start, after = run.weights(), run.go().weights()
    finally:
        forget_accelerator()
    whole = Run(world, tmp_path / "whole", steps=1).go()
    assert changed(start, after)
    assert run.reports[0].loss == pytest.approx(whole.reports[0].loss, rel=0.05)
    assert not same(after, whole.weights())


def test_steps_are_reported_and_samples_asked_for(world, tmp_path):
    run = Run(world, tmp_path, steps=5, sample_every=2).go()
    assert [report.step for report in run.reports] == [0, 1, 2, 3, 4]
    assert run.samples == [2, 4, 5]
    assert set(run.reports[0].terms) == {"loc", "global", "mask", "perc"}
    assert run.reports[0].loss == pytest.approx(sum(run.reports[0].terms.values()))


def test_measuring_gradients_changes_nothing_else(world, tmp_path):
    measured = Run(world, tmp_path / "a", steps=4, gradients_every=3, accumulation=2).go()
    names = {"loc", "global", "mask", "perc"}
    assert [set(report.gradients) for report in measured.reports] == [names, set(), set(), names]
    shares = measured.reports[3].gradient_shares
    assert sum(shares.values()) == pytest.approx(1)
    assert all(share > 0 for share in shares.values())
    assert measured.reports[1].gradient_shares == {}
    plain = Run(world, tmp_path / "b", steps=4, gradients_every=100, accumulation=2).go()
    assert same(measured.weights(), plain.weights())


def test_the_loss_falls(world, tmp_path):
    options = {"steps": 60, "batch_size": 4, "learning_rate": 3e-3, "checkpoint_every": 100}
    weights = TermWeights(loc=0, global_=0, perc=0)
    reports = Run(world, tmp_path, weights=weights, **options).go().reports
    first, last = (sum(report.loss for report in part) for part in (reports[:20], reports[-20:]))
    assert last < 0.9 * first


class TestBad:
    def test_a_term_that_is_not_a_number_is_named_with_its_step(self, world, tmp_path):
        run = Run(world, tmp_path)
        broken = dataclasses.replace(run.objective, weights=TermWeights(loc=0, global_=0, perc=0))
        run.trainer._objective = broken
        with torch.no_grad():
            run.model.unet.conv_in.weight.fill_(torch.nan)
        with pytest.raises(
            TrainingError, match="step 0: the term mask is nan; nothing was updated"
        ):
            run.go()
        assert list_checkpoints(tmp_path) == []

    def test_out_of_memory_comes_with_advice(self, world, tmp_path, monkeypatch):
        run = Run(world, tmp_path)

        def full(*_):
            raise torch.OutOfMemoryError("CUDA out of memory")

        monkeypatch.setattr(run.trainer, "_objective", full)
        monkeypatch.setattr(type(run.trainer), "_model", run.model)
        with pytest.raises(TrainingError, match="out of memory at step 0: try --gradient-check"):
            run.go()

    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ({"steps": 0}, "steps must be at least 1, got 0"),
            ({"learning_rate": 0.0}, "learning_rate must be above 0, got 0.0"),
            ({"precision": "fp8"}, "precision must be one of no, fp16, bf16, got 'fp8'"),
            ({"optimiser": "sgd"}, "optimiser must be one of adamw, adamw8bit, got 'sgd'"),
        ],
    )
    def test_options_that_break_a_rule(self, change, rule):
        with pytest.raises(ValueError, match=rule):
            TrainOptions(**change)


class TestCheckpoints:
    checkpoint = Checkpoint(3, "one", {"w": torch.ones(2)}, ({"state": {}, "param_groups": []},))

    def test_it_comes_back(self, tmp_path):
        save_checkpoint(tmp_path, self.checkpoint)
        found = load_last_checkpoint(tmp_path, identity="one")
        assert (found.step, found.optimisers) == (3, self.checkpoint.optimisers)
        assert torch.equal(found.weights["w"], torch.ones(2))

    def test_the_last_ones_are_kept(self, tmp_path):
        for step in (1, 2, 10):
            save_checkpoint(tmp_path, dataclasses.replace(self.checkpoint, step=step))
        assert [path.name for path in list_checkpoints(tmp_path)] == [
            "checkpoint-00000002",
            "checkpoint-00000010",
        ]

    def test_none_is_none(self, tmp_path):
        assert load_last_checkpoint(tmp_path / "nowhere", identity="one") is None

    def test_another_run_s_is_refused(self, tmp_path):
        save_checkpoint(tmp_path, self.checkpoint)
        with pytest.raises(CheckpointError, match="is of a run with other settings"):
            load_last_checkpoint(tmp_path, identity="two")

    @pytest.mark.parametrize("name", ["trained.safetensors", "optimisers.pt", "state.json"])
    def test_a_damaged_one_is_refused(self, tmp_path, name):
        path = save_checkpoint(tmp_path, self.checkpoint) / name
        path.write_bytes(path.read_bytes()[:5])
        with pytest.raises(CheckpointError, match="is damaged"):
            load_last_checkpoint(tmp_path, identity="one")

    def test_an_unfinished_one_is_not_there(self, tmp_path):
        save_checkpoint(tmp_path, self.checkpoint)
        (tmp_path / ".checkpoint-00000009.tmp").mkdir()
        assert load_last_checkpoint(tmp_path, identity="one").step == 3


def test_draws_are_the_step_s(world):
    options, shape = TrainOptions(), (4, 4, 2, 2)
    one, again, other = (
        draw_step(options, step, shape=shape, train_steps=1000) for step in (5, 5, 6)
    )
    assert torch.equal(one.noise, again.noise)
    assert torch.equal(one.timesteps, again.timesteps)
    assert not torch.equal(one.noise, other.noise)
    assert 0 <= int(one.timesteps.min()) <= int(one.timesteps.max()) < 1000
