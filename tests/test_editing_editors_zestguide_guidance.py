"""A step of ZestGuide, its schedule, and paint-with-words, on a small random model."""

import dataclasses

import pytest
import torch
from fakes.diffusion import load_tiny, save_diffusion

from editing.editors.zestguide.guidance import LayoutGuide, plan_fades, shrink
from editing.editors.zestguide.losses import layout_losses
from editing.editors.zestguide.settings import WAYS

PROMPT = "a red apple on the green bus"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_tiny(save_diffusion(tmp_path_factory.mktemp("model")))


def make_guide(model, *, way, scale=1.0, checkpointing=False):
    marks = torch.zeros(1, 16, 16)
    marks[:, :, :8] = 1
    return LayoutGuide(
        model=model,
        text=model.embed_texts([PROMPT]),
        empty_text=model.embed_texts([""]),
        guidance_scale=scale,
        way=way,
        tokens=[[(2, 3)]],
        targets=[marks],
        fades={500: 0.5},
        checkpointing=checkpointing,
    )


def way(**more):
    return dataclasses.replace(WAYS["measured"], layers=(1,), **more)


def loss_at(guide, z):
    """L_Zest of the latent at noise level 500."""
    guide.denoise(z, 500)
    assert guide.seen is not None
    maps = guide.seen
    targets = [shrink(each, maps.shape[1:3]) for each in guide.targets]
    (loss,) = layout_losses(maps, guide.tokens, targets, weight_normalised=0)
    return float(loss)


class TestTheStep:
    @pytest.fixture
    def z(self):
        return torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))

    def test_its_direction_lowers_the_loss(self, model, z):
        guide = make_guide(model, way=way(eta=0.02))
        before = loss_at(guide, z)
        moved = guide.push(z, 500)
        after = loss_at(make_guide(model, way=way()), moved)
        against = loss_at(make_guide(model, way=way()), 2 * z - moved)
        assert after < before < against

    def test_its_length_is_eta_times_lambda_at_the_largest(self, model, z):
        guide = make_guide(model, way=way(eta=0.8))
        guide.denoise(z, 500)
        moved = guide.push(z, 500) - z
        assert float(moved.abs().max()) == pytest.approx(0.4)
        assert torch.equal(guide.push(z, 500), z)  # a gradient is used once

    def test_a_level_that_is_not_pushed_is_denoised_as_ever(self, model, z):
        guide = make_guide(model, way=way(), scale=3.0)
        levels = torch.tensor([20])
        plain, empty = (
            model.predict_noise(z, levels, text) for text in (guide.text, guide.empty_text)
        )
        torch.testing.assert_close(guide.denoise(z, 20), empty + 3 * (plain - empty))
        assert torch.equal(guide.push(z, 20), z)

    def test_the_noise_of_a_pushed_step_is_the_model_s(self, model, z):
        guide = make_guide(model, way=way())
        found = guide.denoise(z, 500)
        assert not found.requires_grad
        torch.testing.assert_close(found, model.predict_noise(z, torch.tensor([500]), guide.text))

    def test_checkpointing_gives_the_same_gradient(self, model, z):
        moved = []
        for checkpointing in (False, True):
            guide = make_guide(model, way=way(), checkpointing=checkpointing)
            guide.denoise(z, 500)
            moved.append(guide.push(z, 500))
        torch.testing.assert_close(*moved)

    def test_paint_turns_attention_to_the_phrase_inside_its_segment(self, model, z):
        shares = []
        for paint in (0.0, 5.0):
            guide = make_guide(model, way=way(paint=paint))
            guide.denoise(z, 500)
            phrase = guide.seen[0, ..., [2, 3]].sum(-1)
            shares.append((float(phrase[:, :4].mean()), float(phrase[:, 4:].mean())))
        (plain_in, _), (painted_in, painted_out) = shares
        assert painted_in > plain_in + 0.02
        assert painted_in > painted_out + 0.02


class TestSchedule:
    ALPHAS = torch.linspace(0.99, 0.01, 1000)

    def plan(self, levels, way):
        return plan_fades(levels, way, self.ALPHAS)

    def test_the_first_tau_of_the_steps(self):
        levels = [901, 701, 501, 301, 101]
        found = self.plan(levels, way(tau=0.5))
        assert list(found) == [901, 701, 501]  # i = 0, 1, 2 < 2.5
        assert found[901] == pytest.approx(float((1 - self.ALPHAS[901]) ** 0.5))
        assert self.plan(levels, way(tau=0.0)) == {}
        assert self.plan(levels, way(eta=0.0)) == {}
        assert list(self.plan(levels, way(tau=1.0))) == levels

    def test_in_a_line(self):
        found = self.plan([901, 701, 501, 301], way(tau=1.0, fade="linear"))
        assert list(found.values()) == [1, 0.75, 0.5, 0.25]
