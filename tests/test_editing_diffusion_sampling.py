"""SDEdit and equation 13, on a known noise and on a small random network."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch
from fakes.diffusion import load_tiny, save_diffusion

from editing.diffusion.noise import add_noise
from editing.diffusion.sampling import Sampling, edit_latents, guided_noise, noise_levels


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_tiny(save_diffusion(tmp_path_factory.mktemp("diffusion")))


def latents(seed, count=2):
    return torch.randn(count, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


class KnownNoise:
    """A network that always sees the noise it is told of, and remembers what it was shown."""

    dtype = torch.float32

    def __init__(self, noise):
        self.noise = noise
        self.shown = []

    def __call__(self, z_t, timesteps, *, encoder_hidden_states):
        self.shown.append((z_t.clone(), int(timesteps[0])))
        return SimpleNamespace(sample=self.noise.repeat(len(z_t) // len(self.noise), 1, 1, 1))


def knowing(model, noise):
    return dataclasses.replace(model, unet=KnownNoise(noise))


def edit(model, source, **changes):
    text = torch.zeros(len(source), 12, 16)
    arguments = {
        "noise": latents(9),
        "text": text,
        "empty_text": text,
        "sampling": Sampling(strength=0.5, num_inference_steps=10),
    }
    return edit_latents(model, source, **(arguments | changes))


@pytest.mark.parametrize(
    ("strength", "levels"), [(1.0, [*range(901, 0, -100)]), (0.3, [201, 101, 1]), (0.05, [1])]
)
def test_levels_fall_from_where_strength_begins(model, strength, levels):
    assert noise_levels(model, Sampling(strength=strength, num_inference_steps=10)) == levels


def test_with_the_true_noise_the_source_comes_back(model):
    source = latents(1)
    fake = knowing(model, latents(9))
    found = edit(fake, source)
    alpha = model.alphas_cumprod[0].expand(2)
    torch.testing.assert_close(found, add_noise(source, latents(9), alpha), atol=1e-5, rtol=1e-5)
    assert [(len(z), t) for z, t in fake.unet.shown] == [(4, t) for t in (401, 301, 201, 101, 1)]


def test_guidance_1_asks_the_network_once(model):
    fake = knowing(model, latents(9))
    edit(fake, latents(1), sampling=Sampling(guidance_scale=1, num_inference_steps=4))
    assert {len(z) for z, _ in fake.unet.shown} == {2}


def test_guidance_goes_past_the_prompt(model):
    z, text, empty = latents(1), model.embed_texts(["a bus"] * 2), model.embed_texts([""] * 2)
    steps = torch.tensor([500, 500])
    with torch.no_grad():
        found = guided_noise(model, z, 500, text=text, empty_text=empty, guidance_scale=3.0)
        towards = model.predict_noise(z, steps, text)
        away = model.predict_noise(z, steps, empty)
    torch.testing.assert_close(found, away + 3 * (towards - away))
    assert not torch.allclose(towards, away)


class TestEquation13:
    def run(self, model, mask, **changes):
        text, empty = model.embed_texts(["a bus"] * 2), model.embed_texts([""] * 2)
        return edit(model, latents(1), text=text, empty_text=empty, edit_mask=mask, **changes)

    def test_outside_the_mask_the_result_is_the_source_to_the_bit(self, model):
        mask = torch.zeros(2, 1, 8, 8)
        mask[:, :, 2:5, 3:6] = 1
        found = self.run(model, mask)
        outside = mask.expand_as(found) == 0
        assert torch.equal(found[outside], latents(1)[outside])
        assert not torch.isclose(found[~outside], latents(1)[~outside]).any()

    def test_an_empty_mask_keeps_all_and_a_full_one_nothing(self, model):
        assert torch.equal(self.run(model, torch.zeros(2, 1, 8, 8)), latents(1))
        full = self.run(model, torch.ones(2, 1, 8, 8))
        assert torch.equal(full, self.run(model, None))

    def test_outside_stands_the_source_with_the_same_noise_at_the_level_reached(self, model):
        fake = knowing(model, latents(3))
        edit(fake, latents(1), edit_mask=torch.zeros(2, 1, 8, 8))
        assert [t for _, t in fake.unet.shown] == [401, 301, 201, 101, 1]
        for z_t, t in fake.unet.shown:
            alpha = model.alphas_cumprod[t].expand(2)
            torch.testing.assert_close(z_t[:2], add_noise(latents(1), latents(9), alpha))


def test_every_step_is_told(model):
    told = []
    edit(knowing(model, latents(9)), latents(1), on_step=lambda: told.append(1))
    assert len(told) == 5


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"strength": 0.0}, r"strength must be in \(0, 1\], got 0.0"),
        ({"strength": 2.0}, r"strength must be in \(0, 1\], got 2.0"),
        ({"num_inference_steps": 0}, "num_inference_steps must be at least 1, got 0"),
        ({"guidance_scale": -1.0}, r"guidance_scale must be at least 0, got -1\.0"),
    ],
)
def test_what_breaks_a_rule_is_refused(changes, rule):
    with pytest.raises(ValueError, match=rule):
        Sampling(**changes)


def test_more_steps_than_levels_are_refused(model):
    with pytest.raises(ValueError, match="num_inference_steps must be at most 1000, got 1001"):
        noise_levels(model, Sampling(num_inference_steps=1001))
