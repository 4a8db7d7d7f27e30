"""iEdit trained on a small random model: what changes, and that a run goes on exactly."""

import pytest
import torch
from accelerate import Accelerator
from fakes.accelerator import forget_accelerator
from fakes.diffusion import load_tiny
from fakes.editors import same_pixels, seeded
from fakes.pictures import noise as picture
from fakes.training import Run, changed, same

from editing.editors.iedit.objective import IEditObjective
from editing.editors.iedit.training_settings import IEditTraining
from editing.features.clip import load_clip_space
from editing.features.perceptual import load_perceptual
from editing.requests import Request
from editing.training.checkpoints import list_checkpoints, load_last_checkpoint
from editing.training.trainer import TrainingError

NOISE_ALONE = {"weight_loc": 0, "weight_global": 0, "weight_perc": 0}


@pytest.fixture
def start(editing_world, editing_preset, tmp_path):
    """Begins a run of the whole objective, or of one with other `terms`."""

    def start(name="run", *, terms=None, **options):
        objective = IEditObjective(
            load_tiny(editing_world / "model"),
            load_clip_space(editing_preset.encoder),
            load_perceptual(editing_preset.part("perceptual")),
            IEditTraining(**(terms or {})),
        )
        return Run(objective, editing_world / "pairs", tmp_path / name, **options)

    return start


def weights(run):
    unet = run.objective.model.unet
    return {name: value.clone() for name, value in unet.state_dict().items()}


def tops(names):
    return {name.split(".")[0] for name in names}


def test_steps_train_input_and_middle_in_turn(start):
    run = start(steps=1)
    before = weights(run)
    after_one = weights(run.go())
    assert tops(changed(before, after_one)) == {"conv_in", "down_blocks"}
    second = start(steps=2).go()
    assert second.reports[0].step == 1
    assert tops(changed(after_one, weights(second))) == {"mid_block"}


def test_what_is_frozen_has_neither_gradient_nor_state(start, tmp_path):
    run = start(steps=2).go()
    objective = run.objective
    trained = {id(p) for group in objective.groups for p in group.values()}
    networks = (objective.model.unet, objective.model.vae, objective.model.text_encoder)
    for parameter in [p for network in networks for p in network.parameters()]:
        if id(parameter) not in trained:
            assert parameter.grad is None
            assert not parameter.requires_grad
    # The last step trained the middle.
    assert all(p.requires_grad for p in objective.groups[1].values())
    assert not any(p.requires_grad or p.grad is not None for p in objective.groups[0].values())
    saved = load_last_checkpoint(tmp_path / "run", identities=["one"])
    assert [len(optimiser["state"]) for optimiser in saved.optimisers] == [
        len(group) for group in objective.groups
    ]
    assert tops(saved.weights) == {"conv_in", "down_blocks", "mid_block"}


def test_three_steps_and_their_rest_end_with_the_weights_of_a_whole_run(start):
    whole = start("whole", steps=3).go()
    with pytest.raises(KeyboardInterrupt):
        start("cut", steps=3).go(until=3)
    rest = start("cut", steps=3).go()
    assert [report.step for report in rest.reports] == [2]
    assert same(weights(whole), weights(rest))
    assert rest.reports[-1].terms == whole.reports[-1].terms
    different = start("other", steps=3, seed=1).go()
    assert not same(weights(whole), weights(different))


def test_its_terms_are_reported_and_their_pull(start):
    run = start(steps=2, gradients_every=2).go()
    names = {"loc", "global", "mask", "perc"}
    assert [set(report.terms) for report in run.reports] == [names, names]
    assert [set(report.gradients) for report in run.reports] == [names, set()]
    assert all(share > 0 for share in run.reports[0].gradient_shares.values())
    assert [report.counts for report in run.reports] == [{"empty_masks": 0}] * 2


def test_accumulation_is_a_larger_batch(start):
    together = start("a", steps=1, batch_size=4, clip_norm=1e9).go()
    in_parts = start("b", steps=1, batch_size=1, accumulation=4, clip_norm=1e9).go()
    assert in_parts.reports[0].terms == pytest.approx(together.reports[0].terms, rel=1e-4)
    # Adam's first step has the gradient's sign for its size: only near-zero ones may differ.
    one, other = weights(together), weights(in_parts)
    gap = torch.cat([(one[name] - other[name]).flatten() for name in one])
    assert (gap.abs() > 1e-5).float().mean() < 0.01


def test_gradient_checkpointing_changes_memory_alone(start):
    plain = weights(start("a", steps=2).go())
    spared = start("b", steps=2, gradient_checkpointing=True).go()
    assert spared.objective.model.unet.is_gradient_checkpointing
    for name, value in weights(spared).items():
        torch.testing.assert_close(plain[name], value, atol=1e-5, rtol=1e-3)


def test_bfloat16_trains(start):
    forget_accelerator()
    try:
        accelerator = Accelerator(cpu=True, mixed_precision="bf16")
        run = start("half", steps=1, accelerator=accelerator)
        before, after = weights(run), weights(run.go())
    finally:
        forget_accelerator()
    whole = start("whole", steps=1).go()
    assert changed(before, after)
    assert run.reports[0].loss == pytest.approx(whole.reports[0].loss, rel=0.05)
    assert not same(after, weights(whole))


def test_the_loss_falls(start):
    options = {"steps": 60, "batch_size": 4, "learning_rate": 3e-3, "checkpoint_every": 100}
    reports = start(terms=NOISE_ALONE, **options).go().reports
    first, last = (sum(report.loss for report in part) for part in (reports[:20], reports[-20:]))
    assert last < 0.9 * first


def test_a_term_that_is_not_a_number_is_named_with_its_step(start, tmp_path):
    run = start(terms=NOISE_ALONE)
    with torch.no_grad():
        run.objective.model.unet.conv_in.weight.fill_(torch.nan)
    with pytest.raises(TrainingError, match="step 0: the term mask is nan; nothing was updated"):
        run.go()
    assert list_checkpoints(tmp_path / "run") == []


def test_samples_and_what_is_saved_are_of_the_weights_of_now(start, tmp_path):
    run = start(steps=2, learning_rate=0.05)
    request = Request(image=picture(1, (16, 16)), prompt="a red pear")
    (before,) = run.objective.edit_samples([request], [seeded()])
    (after,) = run.go().objective.edit_samples([request], [seeded()])
    assert not same_pixels(before.image, after.image)
    run.objective.save(tmp_path / "saved")
    again = load_tiny(tmp_path / "saved").unet.state_dict()
    assert same(again, weights(run))
