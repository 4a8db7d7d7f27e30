"""DDIM inversion: exact for a noise that never changes, bounded for one that is known."""

import math

import pytest
import torch
from fakes.diffusion import latents

from editing.diffusion.inversion import invert
from editing.diffusion.noise import alpha_at
from editing.diffusion.sampling import guided_denoiser, noise_levels, sample
from editing.errors import NotFiniteError


@pytest.fixture
def model(tiny_diffusion):
    return tiny_diffusion


@pytest.fixture
def alphas(model):
    return model.alphas_cumprod


def levels_to(model, ratio, steps=20):
    return noise_levels(model, strength=ratio, num_inference_steps=steps)


class TestTheWayBack:
    @pytest.mark.parametrize("ratio", [0.3, 0.8, 1.0])
    def test_it_ends_where_it_began_for_one_noise(self, model, alphas, ratio):
        source, noise = latents(0), latents(1)
        levels = levels_to(model, ratio)
        inverted = invert(lambda z, t: noise, source, levels, alphas)
        found = sample(lambda z, t: noise, inverted(levels[0]), levels, alphas)
        assert (found - source).abs().max() < 1e-5

    def test_more_exact_steps_end_nearer(self, model, alphas):
        source = latents(2)
        text = model.embed_texts(["", ""])
        denoise = guided_denoiser(model, text=text, empty_text=text, guidance_scale=1)
        levels = levels_to(model, 0.9)

        def miss(fixed_point_steps):
            inverted = invert(denoise, source, levels, alphas, fixed_point_steps=fixed_point_steps)
            found = sample(denoise, inverted(levels[0]), levels, alphas)
            return (found - source).square().mean().item()

        assert miss(1) < 0.5 * miss(0)
        assert miss(3) <= miss(1)

    def test_the_noise_is_asked_at_the_level_above(self, model, alphas):
        asked = []

        def denoise(z, t):
            asked.append(t)
            return torch.zeros_like(z)

        levels = levels_to(model, 0.5, steps=4)
        invert(denoise, latents(3), levels, alphas)
        assert asked == list(reversed(levels))
        asked.clear()
        invert(denoise, latents(3), levels, alphas, fixed_point_steps=1)
        assert asked == [t for level in reversed(levels) for t in (level, level)]


class TestWhatIsKnown:
    def test_every_level_is_there_and_the_source_below(self, model, alphas):
        source = latents(4)
        levels = levels_to(model, 0.6, steps=5)
        inverted = invert(lambda z, t: latents(5), source, levels, alphas)
        assert set(inverted.at) == set(levels)
        assert inverted(None) is source
        for t in levels:
            alpha, first = (alpha_at(alphas, torch.tensor([level])).item() for level in (t, 0))
            # Of one noise z_t is known: x_0 = (z - sqrt(1 - a_0) e) / sqrt(a_0), noised to a_t.
            clean = (source - math.sqrt(1 - first) * latents(5)) / math.sqrt(first)
            wanted = math.sqrt(alpha) * clean + math.sqrt(1 - alpha) * latents(5)
            torch.testing.assert_close(inverted(t), wanted, rtol=1e-4, atol=1e-5)

    def test_outside_of_a_mask_stands_the_source_of_the_same_level(self, model, alphas):
        source = latents(6)
        levels = levels_to(model, 0.8, steps=5)
        inverted = invert(lambda z, t: torch.zeros_like(z), source, levels, alphas)
        mask = torch.zeros(2, 1, 8, 8)
        mask[..., :4] = 1
        seen = {}

        def denoise(z, t):
            seen[t] = z.clone()
            return 10 * torch.ones_like(z)

        found = sample(denoise, inverted(levels[0]), levels, alphas, known=inverted, edit_mask=mask)
        assert torch.equal(found[..., 4:], source[..., 4:])
        assert not torch.equal(found[..., :4], source[..., :4])
        for t in levels:
            assert torch.equal(seen[t][..., 4:], inverted(t)[..., 4:])

    def test_numbers_that_are_not_finite_are_told(self, model, alphas):
        with pytest.raises(NotFiniteError, match=r"of the inversion"):
            invert(lambda z, t: z * math.nan, latents(7), levels_to(model, 0.5), alphas)


class TestTheBoundsOfTheThesis:
    """Proposition 5.1 on a denoiser whose C, K_1 and K_2 are known.

    Bound 5.5 is taken as its proof has it up to A.14. The step to A.15 divides by
    sqrt(tau^2 + 1), which the coordinates of the source at level 0 do not: two texts whose noise
    differs by one vector everywhere are apart by K_2 tau, more than 5.5 as it is printed allows.
    """

    ratio, steps = 0.8, 200
    apart, most = 0.05, 1.0

    def tau(self, alphas, levels):
        return math.sqrt(1 / alphas[levels[0]].item() - 1)

    def denoisers(self, lipschitz):
        direction = torch.ones(1, 4, 8, 8)
        direction = direction / direction.norm()
        rest = self.most - self.apart

        def without_words(z, t):
            # Smooth, bounded by `rest`, and nowhere steeper than `lipschitz`.
            return rest * direction * torch.tanh(lipschitz / rest * (z * direction).sum())

        def with_words(z, t):
            return without_words(z, t) + self.apart * direction

        return without_words, with_words

    def encoded_and_back(self, model, alphas, levels, lipschitz):
        """How far an edit by encoding lies from its source."""
        without_words, with_words = self.denoisers(lipschitz)
        source = latents(8, count=1)
        inverted = invert(without_words, source, levels, alphas, fixed_point_steps=3)
        found = sample(with_words, inverted(levels[0]), levels, alphas)
        return (found - source).norm().item()

    @pytest.mark.parametrize("lipschitz", [0.0, 0.3, 1.0])
    def test_an_edit_by_encoding_stays_near(self, model, alphas, lipschitz):
        levels = noise_levels(model, strength=self.ratio, num_inference_steps=self.steps)
        tau = self.tau(alphas, levels)
        bound = self.apart * tau * (tau + math.sqrt(tau**2 + 1)) ** lipschitz
        moved = self.encoded_and_back(model, alphas, levels, lipschitz)
        assert 0.2 * self.apart * tau < moved <= bound

    def test_as_printed_the_bound_does_not_hold(self, model, alphas):
        levels = noise_levels(model, strength=self.ratio, num_inference_steps=self.steps)
        tau = self.tau(alphas, levels)
        moved = self.encoded_and_back(model, alphas, levels, lipschitz=0.0)
        assert moved == pytest.approx(self.apart * tau, rel=0.02)
        assert moved > 2 * self.apart * tau / math.sqrt(tau**2 + 1)

    def test_an_edit_by_noise_stays_within_a_wider_one(self, model, alphas):
        levels = noise_levels(model, strength=self.ratio, num_inference_steps=self.steps)
        _, with_words = self.denoisers(lipschitz=1.0)
        source, noise = latents(8, count=1), latents(9, count=1)
        noise = noise / noise.norm()  # the expectation is over noise of norm 1 in the proof
        alpha = alphas[levels[0]]
        noised = alpha.sqrt() * source + (1 - alpha).sqrt() * noise
        edited = sample(with_words, noised, levels, alphas)
        assert (edited - source).norm().item() <= (self.most + 1) * self.tau(alphas, levels)
