"""The arithmetic of diffusion: equations 2, 3 and 7 of iEdit, and DDIM's step."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from editing.diffusion.noise import (
    add_noise,
    alpha_at,
    ddim_step,
    draw_noise,
    estimate_latent,
    noise_from_output,
    target_noise,
)

ALPHA = torch.tensor([0.64, 0.36])


def latents(seed, count=2):
    return torch.randn(count, 4, 3, 3, generator=torch.Generator().manual_seed(seed))


def test_noise_is_added_as_equation_2_says():
    z_t = add_noise(torch.full((2, 1, 1, 1), 2.0), torch.full((2, 1, 1, 1), -1.0), ALPHA)
    assert z_t.flatten().tolist() == pytest.approx([0.8 * 2 - 0.6, 0.6 * 2 - 0.8])


def test_target_noise_is_equation_3():
    z_1, z_2, noise = latents(1), latents(2), latents(3)
    z_t = add_noise(z_1, noise, ALPHA)
    a = ALPHA.view(-1, 1, 1, 1)
    literally = (z_t - a.sqrt() * z_2) / (1 - a).sqrt()
    torch.testing.assert_close(target_noise(z_1, z_2, noise, ALPHA), literally)


def test_target_noise_leads_to_the_target():
    z_1, z_2, noise = latents(1), latents(2), latents(3)
    z_t = add_noise(z_1, noise, ALPHA)
    found = estimate_latent(z_t, target_noise(z_1, z_2, noise, ALPHA), ALPHA)
    torch.testing.assert_close(found, z_2)


def test_target_noise_stays_exact_where_hardly_any_noise_is():
    z, noise, alpha = latents(1), latents(2), torch.tensor([0.99915, 0.9999999])
    assert torch.equal(target_noise(z, z, noise, alpha), noise)
    far = target_noise(z + 1, z, noise, torch.tensor([0.99915, 0.99915]))
    factor = math.sqrt(0.99915 / 0.00085)
    assert factor == pytest.approx(34.3, abs=0.1)
    torch.testing.assert_close(far, noise + factor, atol=0.02, rtol=0)


def test_half_precision_is_widened_first():
    z, noise = latents(1).half(), latents(2).half()
    assert add_noise(z, noise, ALPHA.half()).dtype == torch.float32
    assert target_noise(z, z, noise, ALPHA).dtype == torch.float32
    assert estimate_latent(z, noise, ALPHA).dtype == torch.float32


def test_equation_7_undoes_equation_2():
    z, noise = latents(1), latents(2)
    torch.testing.assert_close(estimate_latent(add_noise(z, noise, ALPHA), noise, ALPHA), z)


def test_noise_is_the_same_from_either_kind_of_network():
    z, noise = latents(1), latents(2)
    z_t, a = add_noise(z, noise, ALPHA), ALPHA.view(-1, 1, 1, 1)
    velocity = a.sqrt() * noise - (1 - a).sqrt() * z
    found = noise_from_output(velocity, z_t, ALPHA, prediction_type="v_prediction")
    torch.testing.assert_close(found, noise)
    assert torch.equal(noise_from_output(noise, z_t, ALPHA, prediction_type="epsilon"), noise)
    with pytest.raises(ValueError, match="epsilon or v_prediction, got 'sample'"):
        noise_from_output(noise, z_t, ALPHA, prediction_type="sample")


@given(st.floats(0.01, 0.999), st.floats(0.01, 0.999), st.integers(0, 100))
@settings(max_examples=50, deadline=None)
def test_a_step_there_and_back_changes_nothing(alpha, other, seed):
    here, there = torch.tensor([alpha] * 2), torch.tensor([other] * 2)
    z, noise = latents(seed), latents(seed + 1)
    back = ddim_step(ddim_step(z, noise, here, there), noise, there, here)
    torch.testing.assert_close(back, z, atol=1e-4, rtol=1e-4)


def test_a_step_with_the_true_noise_stays_on_the_picture():
    z, noise, later = latents(1), latents(2), torch.tensor([0.9, 0.9])
    found = ddim_step(add_noise(z, noise, ALPHA), noise, ALPHA, later)
    torch.testing.assert_close(found, add_noise(z, noise, later))


def test_alpha_is_looked_up_for_each_example():
    alphas = torch.linspace(0.9, 0.1, 9)
    assert alpha_at(alphas, torch.tensor([0, 8])).tolist() == pytest.approx([0.9, 0.1])


def seeds(*numbers):
    return [torch.Generator().manual_seed(number) for number in numbers]


def test_noise_repeats_with_its_seeds():
    like = torch.zeros(2, 4, 3, 3)
    one, two, other = (draw_noise(like, seeds(5, second)) for second in (6, 6, 7))
    assert torch.equal(one, two)
    assert one.std().item() == pytest.approx(1, abs=0.3)
    assert torch.equal(one[0], other[0])
    assert not torch.equal(one[1], other[1])


def test_an_example_s_noise_does_not_depend_on_those_beside_it():
    like = torch.zeros(3, 4, 3, 3)
    together = draw_noise(like, seeds(5, 6, 7))
    for place, seed in enumerate((5, 6, 7)):
        assert torch.equal(together[place : place + 1], draw_noise(like[:1], seeds(seed)))


def test_a_generator_that_goes_on_gives_other_noise():
    (generator,) = seeds(5)
    like = torch.zeros(1, 4, 3, 3)
    first, second = draw_noise(like, [generator]), draw_noise(like, [generator])
    assert not torch.equal(first, second)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_there_is_a_generator_for_each_example(count):
    with pytest.raises(ValueError, match=f"^there must be 2 generators, got {count}$"):
        draw_noise(torch.zeros(2, 4, 3, 3), seeds(*range(count)))
