"""The one sampling loop: with denoisers of a line, with a known noise, with a small network."""

import copy
import dataclasses
from types import SimpleNamespace

import pytest
import torch
from fakes.diffusion import latents

from editing.diffusion.noise import add_noise, alpha_at, ddim_step
from editing.diffusion.sampling import (
    Guidance,
    denoiser_by_row,
    guided_denoiser,
    noise_levels,
    noised_source,
    sample,
)
from editing.errors import SettingError

LEVELS = (401, 301, 201, 101, 1)


@pytest.fixture
def model(tiny_diffusion):
    return tiny_diffusion


@pytest.fixture
def alphas(model):
    return model.alphas_cumprod


def at(alphas, t, count=2):
    return alpha_at(alphas, torch.full((count,), t))


class KnownNoise:
    """A network that always sees the noise it is told of, and remembers what it was shown."""

    dtype = torch.float32

    def __init__(self, noise):
        self.noise = noise
        self.shown = []

    def __call__(self, z_t, timesteps, *, encoder_hidden_states):
        self.shown.append((z_t.clone(), timesteps.tolist(), encoder_hidden_states))
        return SimpleNamespace(sample=self.noise.repeat(len(z_t) // len(self.noise), 1, 1, 1))


class TestLevels:
    @pytest.mark.parametrize(
        ("strength", "levels"), [(1.0, [*range(901, 0, -100)]), (0.3, [201, 101, 1]), (0.05, [1])]
    )
    def test_they_fall_from_where_strength_begins(self, model, strength, levels):
        found = noise_levels(model, strength=strength, num_inference_steps=10)
        assert found == tuple(levels)

    def test_more_steps_than_levels_are_refused(self, model):
        with pytest.raises(SettingError) as caught:
            noise_levels(model, strength=0.5, num_inference_steps=1001)
        assert str(caught.value) == "num_inference_steps must be at most 1000, got 1001"

    def test_as_many_steps_as_levels_are_all_of_them(self, model):
        assert len(noise_levels(model, strength=1.0, num_inference_steps=1000)) == 1000

    def test_a_strength_out_of_range_is_refused(self, model):
        with pytest.raises(ValueError, match=r"strength must be in \(0, 1\], got 2"):
            noise_levels(model, strength=2.0, num_inference_steps=10)

    def test_the_model_s_scheduler_stays_as_it_is(self, model):
        scheduler = model.scheduler
        before = copy.deepcopy(vars(scheduler))
        noise_levels(model, strength=0.5, num_inference_steps=10)
        assert model.scheduler is scheduler
        after = vars(scheduler)
        assert before.keys() == after.keys()
        for name, value in before.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(value, after[name]), name
            else:
                assert value == after[name], name


class TestSample:
    """By a denoiser that is one line, so without any model."""

    def test_with_the_true_noise_the_source_comes_back(self, alphas):
        source, noise = latents(1), latents(9)
        found = sample(
            lambda z_t, t: noise, noised_source(source, noise, alphas)(401), LEVELS, alphas
        )
        # What is left is the noise of the lowest level.
        wanted = add_noise(source, noise, at(alphas, 0))
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)

    def test_a_denoiser_is_shown_every_level_once(self, alphas):
        shown = []

        def denoise(z_t, t):
            shown.append(t)
            return torch.zeros_like(z_t)

        sample(denoise, latents(1), LEVELS, alphas)
        assert shown == list(LEVELS)

    def test_a_denoiser_that_sees_no_noise_widens_the_latent(self, alphas):
        found = sample(lambda z_t, t: torch.zeros_like(z_t), latents(1), (500,), alphas)
        factor = (alphas[0] / alphas[500]).sqrt()
        torch.testing.assert_close(found, latents(1) * factor)

    def test_every_step_is_told(self, alphas):
        told = []
        sample(
            lambda z_t, t: latents(9), latents(1), LEVELS, alphas, on_step=lambda: told.append(1)
        )
        assert len(told) == len(LEVELS)

    def test_no_graph_is_kept(self, alphas):
        z = latents(1).requires_grad_()
        assert not sample(lambda z_t, t: z_t, z, LEVELS, alphas).requires_grad

    def test_a_mask_without_what_is_known_is_refused(self, alphas):
        with pytest.raises(ValueError, match="edit_mask needs what is known of the source"):
            sample(lambda z_t, t: z_t, latents(1), LEVELS, alphas, edit_mask=torch.ones(2, 1, 8, 8))


class TestEquation13:
    mask = torch.zeros(2, 1, 8, 8)
    mask[:, :, 2:5, 3:6] = 1

    def sampled(self, alphas, mask, *, shown=None, denoise=None):
        known = noised_source(latents(1), latents(9), alphas)

        def wrong(z_t, t):
            if shown is not None:
                shown.append((t, z_t.clone()))
            return latents(3)

        return sample(denoise or wrong, known(401), LEVELS, alphas, known=known, edit_mask=mask)

    def test_outside_the_mask_the_result_is_the_source_to_the_bit(self, alphas):
        found = self.sampled(alphas, self.mask)
        outside = self.mask.expand_as(found) == 0
        assert torch.equal(found[outside], latents(1)[outside])
        assert not torch.isclose(found[~outside], latents(1)[~outside]).any()

    def test_an_empty_mask_keeps_all_and_a_full_one_nothing(self, alphas):
        assert torch.equal(self.sampled(alphas, torch.zeros(2, 1, 8, 8)), latents(1))
        full = self.sampled(alphas, torch.ones(2, 1, 8, 8))
        assert torch.equal(full, self.sampled(alphas, None))

    def test_outside_stands_the_source_with_the_same_noise_at_the_level_reached(self, alphas):
        shown = []
        self.sampled(alphas, torch.zeros(2, 1, 8, 8), shown=shown)
        assert [t for t, _ in shown] == list(LEVELS)
        for t, z_t in shown:
            torch.testing.assert_close(z_t, add_noise(latents(1), latents(9), at(alphas, t)))

    def test_each_example_keeps_to_its_own_mask(self, alphas):
        both = torch.cat([torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)])
        found = self.sampled(alphas, both)
        assert torch.equal(found[0], latents(1)[0])
        assert torch.equal(found[1], self.sampled(alphas, None)[1])

    def test_what_is_known_may_be_anything(self, alphas):
        """As with a source that was inverted rather than noised."""
        asked = []

        def known(t):
            asked.append(t)
            return torch.full((2, 4, 8, 8), float(t or 0))

        found = sample(
            lambda z_t, t: latents(3),
            latents(1),
            LEVELS,
            alphas,
            known=known,
            edit_mask=torch.zeros(2, 1, 8, 8),
        )
        assert asked == [301, 201, 101, 1, None]
        assert torch.equal(found, torch.zeros(2, 4, 8, 8))


class TestPush:
    def test_it_moves_what_each_step_came_to(self, alphas):
        pushed = []

        def push(z, t):
            pushed.append((t, z.clone()))
            return z - t

        def one_step(z, t, t_next):
            return ddim_step(z, latents(3), at(alphas, t), at(alphas, t_next))

        found = sample(lambda z_t, t: latents(3), latents(1), [401, 101], alphas, push=push)
        first, second = one_step(latents(1), 401, 101), one_step(pushed[0][1] - 401, 101, 0)
        assert [t for t, _ in pushed] == [401, 101]
        torch.testing.assert_close(pushed[0][1], first)
        torch.testing.assert_close(found, second - 101)

    def test_what_is_known_stands_whatever_is_pushed(self, alphas):
        mask = torch.zeros(2, 1, 8, 8)
        mask[..., :4] = 1
        found = sample(
            lambda z_t, t: latents(3),
            latents(1),
            LEVELS,
            alphas,
            push=lambda z, t: z + 1,
            known=lambda t: torch.zeros(2, 4, 8, 8),
            edit_mask=mask,
        )
        assert not found[..., 4:].any()
        assert bool(found[..., :4].abs().max() > 0.5)


class TestNoisedSource:
    def test_at_a_level_it_is_equation_2_with_that_very_noise(self, alphas):
        known = noised_source(latents(1), latents(9), alphas)
        torch.testing.assert_close(known(500), add_noise(latents(1), latents(9), at(alphas, 500)))

    def test_after_the_last_step_it_is_the_source(self, alphas):
        assert torch.equal(noised_source(latents(1), latents(9), alphas)(None), latents(1))


class TestGuidance:
    def denoiser(self, model, scale, network=None):
        used = dataclasses.replace(model, unet=network) if network else model
        text, empty = model.embed_texts(["a bus"] * 2), model.embed_texts([""] * 2)
        return guided_denoiser(used, text=text, empty_text=empty, guidance_scale=scale)

    def test_it_goes_past_the_prompt(self, model):
        z, text, empty = latents(1), model.embed_texts(["a bus"] * 2), model.embed_texts([""] * 2)
        steps = torch.tensor([500, 500])
        with torch.no_grad():
            found = self.denoiser(model, 3.0)(z, 500)
            towards = model.predict_noise(z, steps, text)
            away = model.predict_noise(z, steps, empty)
        torch.testing.assert_close(found, away + 3 * (towards - away))
        assert not torch.allclose(towards, away)

    def test_both_texts_go_through_the_network_in_one_pass(self, model):
        network = KnownNoise(latents(9))
        self.denoiser(model, 7.5, network)(latents(1), 500)
        ((z_t, steps, texts),) = network.shown
        assert torch.equal(z_t, torch.cat([latents(1), latents(1)]))
        assert steps == [500] * 4
        assert texts.shape[0] == 4

    def test_guidance_1_asks_the_network_for_the_prompt_alone(self, model):
        network = KnownNoise(latents(9))
        found = self.denoiser(model, 1.0, network)(latents(1), 500)
        ((z_t, steps, texts),) = network.shown
        assert (len(z_t), steps) == (2, [500] * 2)
        assert torch.equal(texts, model.embed_texts(["a bus"] * 2))
        assert torch.equal(found, latents(9))

    def by_row(self, model, network, *guidance):
        used = dataclasses.replace(model, unet=network) if network else model
        text, empty = model.embed_texts(["a bus"] * 2), model.embed_texts([""] * 2)
        return denoiser_by_row(used, text=text, empty_text=empty, guidance=guidance)

    def test_below_a_level_the_prompt_alone_is_asked(self, model):
        network = KnownNoise(latents(9))
        denoise = self.by_row(model, network, *[Guidance(scale=7.5, lowest=401)] * 2)
        for level in (401, 400):
            denoise(latents(1), level)
        (guided, _, texts), (plain, _, alone) = network.shown
        assert (len(guided), len(texts)) == (4, 4)
        assert (len(plain), len(alone)) == (2, 2)
        assert torch.equal(alone, model.embed_texts(["a bus"] * 2))

    def test_each_latent_of_a_batch_is_guided_in_its_own_way(self, model):
        z, ways = latents(1), (Guidance(scale=3.0, lowest=401), Guidance(scale=7.5))
        with torch.no_grad():
            for level, scales in ((500, (3.0, 7.5)), (400, (1.0, 7.5))):
                found = self.by_row(model, None, *ways)(z, level)
                for row, scale in enumerate(scales):
                    wanted = self.denoiser(model, scale)(z, level)[row]
                    torch.testing.assert_close(found[row], wanted)

    @pytest.mark.parametrize(
        ("share", "lowest"),
        [(1.0, 1), (0.8, 101), (0.7, 101), (0.6, 201), (0.5, 201), (0.01, 401), (0.0, 402)],
    )
    def test_the_first_share_of_the_levels_is_guided_a_part_of_one_wholly(self, share, lowest):
        assert Guidance.of_first(LEVELS, scale=2.0, share=share).lowest == lowest
