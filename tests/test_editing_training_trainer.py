"""The training loop, by an objective of six weights: what it trains when, and how it goes on."""

import dataclasses
import sys

import pytest
import torch
from accelerate import Accelerator
from fakes.objective import ColourObjective, weights_of
from fakes.pairs import SIDE, write_pairs
from fakes.training import Run, changed, same

from editing.errors import EditingError
from editing.training.checkpoints import CheckpointError, list_checkpoints, load_last_checkpoint
from editing.training.objective import Objective, Outcome
from editing.training.trainer import (
    StepReport,
    TrainingError,
    begin_step,
    split,
    step_generator,
)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    write_pairs(folder)
    return folder


@pytest.fixture
def start(pairs, tmp_path):
    """Begins a run with a new objective."""

    def start(name="run", *, objective=None, **options):
        return Run(objective or ColourObjective(), pairs, tmp_path / name, **options)

    return start


def test_any_objective_will_do():
    assert isinstance(ColourObjective(), Objective)


class TestGroups:
    def test_a_step_trains_its_group_and_nothing_else(self, start):
        run = start(steps=1)
        before = weights_of(run.objective)
        run.go()
        after_one = weights_of(run.objective)
        assert changed(before, after_one) == {"colour.factor"}
        second = start(steps=2, objective=run.objective).go()
        assert [report.step for report in second.reports] == [1]
        assert changed(after_one, weights_of(run.objective)) == {"colour.shift"}

    def test_what_is_not_trained_requires_no_gradient_and_has_none(self, start):
        objective = start(steps=3).go().objective
        assert objective.trained == [(True, False), (False, True), (True, False)]
        assert objective.factor.grad is not None
        assert objective.shift.grad is None

    def test_beginning_a_step_takes_up_its_group_and_lays_down_the_others(self):
        objective = ColourObjective()
        objective.shift.requires_grad = True
        objective.shift.grad = torch.ones(3)
        (factor,) = begin_step(objective, 2)
        assert factor is objective.factor
        assert (objective.factor.requires_grad, objective.shift.requires_grad) == (True, False)
        assert objective.shift.grad is None
        (shift,) = begin_step(objective, 3)
        assert shift is objective.shift
        assert (objective.factor.requires_grad, objective.shift.requires_grad) == (False, True)

    def test_each_group_has_an_optimiser_of_its_own(self, start, tmp_path):
        start(steps=3, checkpoint_every=1).go()
        found = load_last_checkpoint(tmp_path / "run", identities=["one"])
        steps = [[int(one["step"]) for one in o["state"].values()] for o in found.optimisers]
        assert steps == [[2], [1]]
        assert found.weights.keys() == {"colour.factor", "colour.shift"}

    def test_weight_decay_and_rate_are_the_settings(self, start, tmp_path):
        start(steps=1, learning_rate=0.25, weight_decay=0.125).go()
        found = load_last_checkpoint(tmp_path / "run", identities=["one"])
        for optimiser in found.optimisers:
            (group,) = optimiser["param_groups"]
            assert (group["lr"], group["weight_decay"]) == (0.25, 0.125)

    def test_a_rate_that_falls_is_that_of_the_step(self, start, tmp_path):
        start(steps=3, learning_rate=0.25, decay_steps=10, checkpoint_every=1).go()
        found = load_last_checkpoint(tmp_path / "run", identities=["one"])
        rates = [one["param_groups"][0]["lr"] for one in found.optimisers]
        assert rates == pytest.approx([0.25 * 0.8, 0.25 * 0.9])  # each group's last step

    def test_a_run_whose_rate_falls_goes_on_as_a_whole_one(self, start):
        whole = start("whole", steps=6, decay_steps=6).go()
        with pytest.raises(KeyboardInterrupt):
            start("cut", steps=6, decay_steps=6).go(until=3)
        rest = start("cut", steps=6, decay_steps=6).go()
        assert same(weights_of(whole.objective), weights_of(rest.objective))


class TestRepeats:
    def test_a_run_is_a_function_of_its_seed(self, start):
        one, other = (start(name).go() for name in "ab")
        assert same(weights_of(one.objective), weights_of(other.objective))
        assert [r.terms for r in one.reports] == [r.terms for r in other.reports]
        different = start("c", seed=1).go()
        assert not same(weights_of(one.objective), weights_of(different.objective))

    @pytest.mark.parametrize("until", [1, 2, 3, 4, 5])
    def test_an_interrupted_run_ends_with_the_weights_of_a_whole_one(self, start, until):
        whole = start("whole", steps=6).go()
        with pytest.raises(KeyboardInterrupt):
            start("cut", steps=6).go(until=until)
        rest = start("cut", steps=6).go()
        assert rest.reports[0].step == (until - 1) // 2 * 2  # a step is told before it is saved
        assert same(weights_of(whole.objective), weights_of(rest.objective))
        assert [r.terms for r in rest.reports] == [
            r.terms for r in whole.reports[rest.reports[0].step :]
        ]

    def test_a_finished_run_makes_no_step(self, start):
        first = start().go()
        again = start(objective=ColourObjective()).go()
        assert (again.reports, again.samples) == ([], [])
        assert same(weights_of(first.objective), weights_of(again.objective))

    def test_accumulation_is_a_larger_batch(self, start):
        together = start("a", steps=3, batch_size=4).go()
        in_parts = start("b", steps=3, batch_size=1, accumulation=4).go()
        for one, other in zip(together.reports, in_parts.reports, strict=True):
            assert other.terms == pytest.approx(one.terms, rel=1e-5)
            assert other.counts == one.counts
        one, other = weights_of(together.objective), weights_of(in_parts.objective)
        for name, value in one.items():
            torch.testing.assert_close(other[name], value, atol=1e-5, rtol=1e-5)
        assert sum(in_parts.objective.prompts, ()) == sum(together.objective.prompts, ())

    def test_the_largest_norm_of_a_gradient_is_kept(self, start):
        objective = start(steps=1, clip_norm=1e-3).go().objective
        assert objective.factor.grad.norm().item() == pytest.approx(1e-3, rel=1e-3)

    def test_the_loss_falls(self, start):
        options = {"steps": 60, "batch_size": 4, "learning_rate": 3e-2, "checkpoint_every": 100}
        reports = start(**options).go().reports
        first, last = (
            sum(report.loss for report in part) for part in (reports[:20], reports[-20:])
        )
        assert last < 0.5 * first


class TestTold:
    def test_steps_are_reported_and_samples_asked_for(self, start):
        run = start(steps=5, sample_every=2).go()
        assert [report.step for report in run.reports] == [0, 1, 2, 3, 4]
        assert run.samples == [2, 4, 5]
        assert set(run.reports[0].terms) == {"near", "small"}
        assert run.reports[0].loss == pytest.approx(sum(run.reports[0].terms.values()))

    def test_counts_are_those_of_all_parts_of_a_step(self, start):
        whole = start("a", steps=2, batch_size=4).go()
        assert all(0 <= report.counts["dark"] <= 4 for report in whole.reports)
        assert any(report.counts["dark"] for report in whole.reports)
        in_parts = start("b", steps=2, batch_size=1, accumulation=4).go()
        assert [r.counts for r in in_parts.reports] == [r.counts for r in whole.reports]

    def test_measuring_gradients_changes_nothing_else(self, start):
        measured = start("a", gradients_every=3, accumulation=2).go()
        names = {"near", "small"}
        found = [set(report.gradients) for report in measured.reports]
        assert found == [names, set(), set(), names]
        shares = measured.reports[3].gradient_shares
        assert sum(shares.values()) == pytest.approx(1)
        assert all(share > 0 for share in shares.values())
        assert measured.reports[1].gradient_shares == {}
        plain = start("b", gradients_every=100, accumulation=2).go()
        assert same(weights_of(measured.objective), weights_of(plain.objective))

    def test_terms_that_do_not_pull_have_no_shares(self):
        assert StepReport(0, {"near": 1.0}, gradients={"near": 0.0}).gradient_shares == {}


class TestCheckpoints:
    def test_they_are_written_now_and_then_and_at_the_end(self, start, tmp_path):
        start(steps=5).go()
        names = [path.name for path in list_checkpoints(tmp_path / "run")]
        assert names == ["checkpoint-00000004", "checkpoint-00000005"]

    def test_another_run_s_is_refused(self, start):
        start().go()
        with pytest.raises(CheckpointError, match="is of a run with other settings"):
            start(identities=("two",)).go()

    def test_what_a_run_was_called_earlier_is_gone_on_from_and_called_by_its_new_name(
        self, start, tmp_path
    ):
        start(steps=2, identities=("earlier",)).go()
        run = start(identities=("today", "earlier")).go()
        assert [report.step for report in run.reports] == [2, 3]
        found = load_last_checkpoint(tmp_path / "run", identities=["today"])
        assert (found.step, found.identity) == (4, "today")


class TestMemory:
    def test_it_is_saved_where_that_is_asked_for(self, start):
        assert start("a", steps=1).go().objective.memory_saved == 0
        assert start("b", steps=1, gradient_checkpointing=True).go().objective.memory_saved == 1


class SecondOfTwo(Accelerator):
    """As the second of two devices sees it, whose other half always comes to the same."""

    num_processes, process_index, is_main_process = 2, 1, False

    def reduce(self, tensor, reduction="sum", scale=1.0):
        return 2 * tensor if reduction == "sum" else tensor


class TestDevices:
    def test_each_takes_its_share_of_what_one_would_draw(self, start, tmp_path):
        alone = start("one", steps=2, batch_size=4).go().objective
        second = start("two", steps=2, accelerator=SecondOfTwo(cpu=True)).go()
        for whole, part in zip(alone.drawn, second.objective.drawn, strict=True):
            assert torch.equal(part.noise, whole.noise[2:])
        assert second.objective.prompts == [prompts[2:] for prompts in alone.prompts]

    def test_terms_are_means_and_counts_sums_over_all(self, start):
        second = start(steps=2, accelerator=SecondOfTwo(cpu=True)).go()
        outcomes = []
        objective = ColourObjective(spoil=lambda outcome: outcomes.append(outcome) or outcome)
        start("b", steps=2, objective=objective, accelerator=SecondOfTwo(cpu=True)).go()
        for report, outcome in zip(second.reports, outcomes, strict=True):
            assert report.terms == pytest.approx(
                {name: value.item() for name, value in outcome.terms.items()}
            )
            assert report.counts == {"dark": 2 * outcome.counts["dark"]}

    def test_one_writes_checkpoints(self, start, tmp_path):
        start(steps=2, accelerator=SecondOfTwo(cpu=True)).go()
        assert list_checkpoints(tmp_path / "run") == []


class TestBad:
    def test_a_term_that_is_not_a_number_is_named_with_its_step(self, start, tmp_path):
        def nan_at_the_third(outcome):
            if len(objective.drawn) < 3:
                return outcome
            terms = outcome.terms | {"small": outcome.terms["small"] * torch.nan}
            return dataclasses.replace(outcome, terms=terms)

        objective = ColourObjective(spoil=nan_at_the_third)
        run = start(objective=objective)
        with pytest.raises(TrainingError) as caught:
            run.go()
        assert str(caught.value) == "step 2: the term small is nan; nothing was updated"
        assert [path.name for path in list_checkpoints(tmp_path / "run")] == ["checkpoint-00000002"]
        kept = load_last_checkpoint(tmp_path / "run", identities=["one"]).weights
        assert same(weights_of(objective), kept)

    def test_out_of_memory_comes_with_advice(self, start):
        def full(_: Outcome):
            raise torch.OutOfMemoryError("CUDA out of memory")

        with pytest.raises(TrainingError, match="out of memory at step 0: try --gradient-check"):
            start(objective=ColourObjective(spoil=full)).go()

    def test_an_optimiser_whose_package_is_missing(self, start, monkeypatch):
        monkeypatch.setitem(sys.modules, "bitsandbytes", None)
        monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
        with pytest.raises(TrainingError, match="adamw8bit needs the package bitsandbytes"):
            start(optimiser="adamw8bit")

    def test_they_are_errors_a_user_can_mend(self):
        assert issubclass(TrainingError, EditingError)


class TestDraws:
    def test_they_are_the_step_s(self):
        one, again, other, seed = (
            torch.randn(4, generator=step_generator(*which))
            for which in ((0, 5), (0, 5), (0, 6), (1, 5))
        )
        assert torch.equal(one, again)
        assert not torch.equal(one, other)
        assert not torch.equal(one, seed)

    def test_a_batch_and_its_draw_are_split_alike(self, start):
        run = start(batch_size=4)
        batch = next(run.batches(0))
        draw = run.objective.draw(step_generator(0, 0), count=4, height=SIDE, width=SIDE)
        parts = list(split(batch, draw, 2))
        assert [part.edit_prompts for part, _ in parts] == [
            batch.edit_prompts[:2],
            batch.edit_prompts[2:],
        ]
        assert torch.equal(torch.cat([part.source for part, _ in parts]), batch.source)
        assert torch.equal(torch.cat([drawn.noise for _, drawn in parts]), draw.noise)
