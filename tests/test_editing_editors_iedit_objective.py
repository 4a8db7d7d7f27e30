"""iEdit's objective on small random networks: each summand is the loss it is said to be."""

import dataclasses

import pytest
import torch
from fakes.diffusion import SIZE, load_tiny

from editing.diffusion.noise import add_noise, alpha_at, estimate_latent, target_noise
from editing.editors.iedit.losses import (
    clip_distance,
    masked_loss,
    paired_loss,
    perceptual_loss,
)
from editing.editors.iedit.objective import IEditDraw, IEditObjective
from editing.editors.iedit.training_settings import TERMS, IEditTraining
from editing.features.clip import load_clip_space
from editing.features.perceptual import load_perceptual
from editing.pictures import to_latent_mask
from editing.training.objective import PairBatch
from editing.training.trainer import begin_step
from transforms.models.spec import ModelSpec

STEPS = torch.tensor([100, 600])


@pytest.fixture(scope="module")
def model(editing_world):
    """One of our own: which of its weights are trained changes."""
    return load_tiny(editing_world / "model")


@pytest.fixture(scope="module")
def clip(editing_world):
    return load_clip_space(ModelSpec(loader="clip", location=str(editing_world / "clip")))


@pytest.fixture(scope="module")
def perceptual(editing_preset):
    return load_perceptual(editing_preset.part("perceptual"))


class Unused:
    """A CLIP that must not be asked for anything."""

    def embed_pictures(self, pictures):
        raise AssertionError

    def embed_texts(self, texts):
        raise AssertionError


def batch(*, empty=False):
    generator = torch.Generator().manual_seed(1)
    pictures = torch.rand(2, 2, 3, SIZE, SIZE, generator=generator) * 2 - 1
    masks = torch.zeros(2, 2, 1, SIZE, SIZE)
    masks[0, :, :, 4:12, 4:12] = 1
    masks[1, :, :, 6:16, 2:10] = 1
    if empty:
        masks[1, 1] = 0
    return PairBatch(
        keys=("1", "2"),
        source=pictures[0],
        target=pictures[1],
        source_mask=masks[0],
        target_mask=masks[1],
        captions=("a red apple", "a red bus"),
        edit_prompts=("a red pear", "a blue bus"),
        source_phrases=("apple", "red bus"),
        target_phrases=("pear", "blue bus"),
        quality=torch.ones(2),
    )


def draw(without_text=(False, False)):
    noise = torch.randn(2, 4, SIZE // 2, SIZE // 2, generator=torch.Generator().manual_seed(2))
    return IEditDraw(timesteps=STEPS, noise=noise, without_text=torch.tensor(without_text))


def settings(*, only=None, **changes):
    """The paper's, or those of the terms `only`, each with factor 1."""
    if only is not None:
        changes = {f"weight_{term}": float(term in only) for term in TERMS} | changes
    return IEditTraining(**changes)


def terms(model, clip, perceptual, pairs=None, **changes):
    objective = IEditObjective(model, clip, perceptual, settings(**changes))
    return objective(pairs or batch(), draw())


def by_hand(model, clip, perceptual):
    """Every term of each example, from the functions it is made of."""
    pairs, drawn = batch(), draw()
    alpha = alpha_at(model.alphas_cumprod, STEPS)
    z_1, z_2 = model.encode(pairs.source), model.encode(pairs.target)
    z_t = add_noise(z_1, drawn.noise, alpha)
    predicted = model.predict_noise(z_t, STEPS, model.embed_texts(pairs.edit_prompts))
    wanted = target_noise(z_1, z_2, drawn.noise, alpha)
    edited = model.decode(estimate_latent(z_t, predicted, alpha))
    inside = edited * pairs.source_mask
    masks = {
        "source_mask": to_latent_mask(pairs.source_mask, 2),
        "target_mask": to_latent_mask(pairs.target_mask, 2),
    }
    return {
        "global": clip_distance(clip.embed_pictures(edited), clip.embed_texts(pairs.edit_prompts)),
        "loc": clip_distance(clip.embed_pictures(inside), clip.embed_texts(pairs.target_phrases)),
        "mask": masked_loss(predicted, drawn.noise, wanted, **masks),
        "paired": paired_loss(predicted, wanted),
        "perc": perceptual_loss(perceptual(inside), perceptual(pairs.target * pairs.target_mask)),
    }


def test_the_summands_are_equation_12_s(model, clip, perceptual):
    with torch.no_grad():
        outcome = terms(model, clip, perceptual, weight_paired=1.0)
        found = by_hand(model, clip, perceptual)
    level = STEPS / 1000
    factors = {"loc": 1 - level, "global": 1 - level, "mask": level, "paired": level, "perc": 0.1}
    assert set(outcome.terms) == set(factors)
    for name, factor in factors.items():
        torch.testing.assert_close(outcome.terms[name], (factor * found[name]).mean())
    assert outcome.counts == {"empty_masks": 0}


def test_without_its_text_a_pair_asks_for_its_source(model, clip, perceptual):
    """The second example does; the first is as ever."""
    objective = IEditObjective(model, clip, perceptual, IEditTraining())
    pairs, drawn = batch(), draw(without_text=(False, True))
    with torch.no_grad():
        found = objective(pairs, drawn).terms
        with_text = by_hand(model, clip, perceptual)
        alpha = alpha_at(model.alphas_cumprod, STEPS)
        z_t = add_noise(model.encode(pairs.source), drawn.noise, alpha)
        predicted = model.predict_noise(z_t, STEPS, model.embed_texts(["", ""]))
    level = STEPS / 1000
    plain = paired_loss(predicted, drawn.noise)
    wanted = (level[0] * with_text["mask"][0] + level[1] * plain[1]) / 2
    torch.testing.assert_close(found["mask"], wanted)
    for name, factor in (
        ("loc", 1 - level),
        ("global", 1 - level),
        ("perc", 0.1 * (1 + 0 * level)),
    ):
        torch.testing.assert_close(found[name], factor[0] * with_text[name][0] / 2)


def test_a_term_without_weight_is_not_computed(model):
    outcome = terms(model, Unused(), None, only=["mask"])
    assert set(outcome.terms) == {"mask"}


def test_an_empty_mask_falls_back_to_the_pair_and_is_counted(model, clip):
    with torch.no_grad():
        outcome = terms(model, clip, None, batch(empty=True), only=["mask"])
        found = by_hand(model, clip, lambda pictures: pictures)
    level = STEPS / 1000
    expected = (level[0] * found["mask"][0] + level[1] * found["paired"][1]) / 2
    torch.testing.assert_close(outcome.terms["mask"], expected)
    assert outcome.counts == {"empty_masks": 1}


def test_the_union_of_masks_is_another_loss(model, clip):
    one, other = (
        terms(model, clip, None, only=["mask"], mask_combine=combine).terms["mask"].item()
        for combine in ("paper", "union")
    )
    assert one != pytest.approx(other)


@pytest.fixture
def untrained_after(model):
    yield
    model.unet.requires_grad_(requires_grad=False)
    model.unet.zero_grad(set_to_none=True)


@pytest.mark.usefixtures("untrained_after")
@pytest.mark.parametrize("group", [0, 1])
@pytest.mark.parametrize("term", TERMS)
def test_every_term_reaches_the_weights_that_are_trained(model, clip, perceptual, term, group):
    objective = IEditObjective(model, clip, perceptual, settings(only=[term]))
    trained = begin_step(objective, group)
    (summand,) = objective(batch(), draw()).terms.values()
    summand.backward()
    assert sum(p.grad.abs().sum() for p in trained) > 0


@pytest.mark.usefixtures("untrained_after")
def test_how_hard_a_term_pulls_is_the_norm_of_its_gradient(model, clip):
    objective = IEditObjective(model, clip, None, settings(only=["paired"]))
    begin_step(objective, 0)
    outcome = objective(batch(), draw())
    with torch.no_grad():
        drawn, pairs = draw(), batch()
        alpha = alpha_at(model.alphas_cumprod, STEPS)
        z_1, z_2 = model.encode(pairs.source), model.encode(pairs.target)
        gap = outcome.pulled - target_noise(z_1, z_2, drawn.noise, alpha)
        # Of the mean over all elements of the squared gap, times t/T.
        gradient = 2 * gap * (STEPS / 1000).view(-1, 1, 1, 1) / gap.numel()
    assert outcome.gradient_norms() == {"paired": pytest.approx(gradient.norm().item(), rel=1e-4)}
    sum(outcome.terms.values()).backward()  # the graph is still there


def test_quality_weighs_pairs(model, clip):
    pairs = batch()
    lone = dataclasses.replace(pairs, quality=torch.tensor([2.0, 0.0]))
    with torch.no_grad():
        outcome = terms(model, clip, None, lone, only=["mask"])
        found = by_hand(model, clip, lambda pictures: pictures)
    torch.testing.assert_close(outcome.terms["mask"], 0.1 * found["mask"][0])


def test_a_perceptual_weight_needs_a_network(model, clip):
    with pytest.raises(ValueError, match="perceptual network must be given"):
        terms(model, clip, None)


class TestGroups:
    def test_input_layers_and_the_middle_are_trained_in_turn(self, model, clip, perceptual):
        objective = IEditObjective(model, clip, perceptual, IEditTraining())
        tops = [{name.split(".")[0] for name in group} for group in objective.groups]
        assert tops == [{"conv_in", "down_blocks"}, {"mid_block"}]
        assert [objective.group_of(step) for step in range(4)] == [0, 1, 0, 1]

    def test_they_are_the_network_s_own_weights_by_its_own_names(self, model, clip, perceptual):
        own = dict(model.unet.named_parameters())
        groups = IEditObjective(model, clip, perceptual, IEditTraining()).groups
        for name, parameter in [pair for group in groups for pair in group.items()]:
            assert own[name] is parameter
        assert not groups[0].keys() & groups[1].keys()

    def test_nothing_requires_a_gradient_before_it_is_trained(self, editing_world, clip):
        model = load_tiny(editing_world / "model")
        model.unet.requires_grad_(requires_grad=True)
        IEditObjective(model, clip, None, settings(only=["mask"]))
        assert not any(p.requires_grad for p in model.unet.parameters())


class TestDraw:
    def drawn(self, model, seed=0, count=4, **changes):
        objective = IEditObjective(model, Unused(), None, settings(only=["mask"], **changes))
        generator = torch.Generator().manual_seed(seed)
        return objective.draw(generator, count=count, height=SIZE, width=2 * SIZE)

    def test_it_is_the_generator_s(self, model):
        one, again, other = (self.drawn(model, seed) for seed in (5, 5, 6))
        assert torch.equal(one.noise, again.noise)
        assert torch.equal(one.timesteps, again.timesteps)
        assert not torch.equal(one.noise, other.noise)

    def test_it_has_an_entry_for_each_pair_at_the_latents_size(self, model):
        found = self.drawn(model, count=200)
        assert found.noise.shape == (200, 4, SIZE // 2, SIZE)
        assert 0 <= int(found.timesteps.min()) <= int(found.timesteps.max()) < 1000
        assert len(found.timesteps.unique()) > 100
        assert found.noise.std().item() == pytest.approx(1, abs=0.02)

    def test_the_share_without_text_is_what_was_asked_for(self, model):
        assert not self.drawn(model, count=200).without_text.any()
        some = self.drawn(model, count=2000, empty_share=0.25).without_text
        assert some.float().mean().item() == pytest.approx(0.25, abs=0.03)

    def test_the_share_changes_neither_noise_nor_levels(self, model):
        without, some = self.drawn(model), self.drawn(model, empty_share=0.5)
        assert torch.equal(without.noise, some.noise)
        assert torch.equal(without.timesteps, some.timesteps)
