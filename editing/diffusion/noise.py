"""The arithmetic of diffusion that training and editing share.

Symbols and names: z_t `z_t`, z_1 and z_2 `source_latent` and `target_latent`, epsilon `noise`,
alpha_t `alpha`. As in iEdit (after Song et al. 2021) alpha_t is the CUMULATIVE product of
(1 - beta), which other papers write with a bar; it falls from almost 1 at t = 0 to almost 0 at
t = T - 1.

All is computed in float32: at t = 0 equation 3 divides by a number near 0.03.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

Latents = Float[Tensor, "b c h w"]
"""Latents of pictures of one size, scaled as the noise was trained on."""

Timesteps = Int[Tensor, " b"]
"""t of each example, from 0 to T - 1."""

AlphaTable = Float[Tensor, " t"]
"""alpha_t of every noise level."""

Alphas = Float[Tensor, " b"]
"""alpha_t of each example."""


def spread(alpha: Alphas) -> Float[Tensor, "b 1 1 1"]:
    """One number an example, in float32, shaped to multiply latents with."""
    return alpha.float().view(-1, 1, 1, 1)


def alpha_at(alphas_cumprod: AlphaTable, timesteps: Timesteps) -> Alphas:
    """alpha_t of each example's step, in (0, 1), float32, on the steps' device."""
    return alphas_cumprod.to(timesteps.device).float()[timesteps]


def add_noise(z_0: Latents, noise: Latents, alpha: Alphas) -> Latents:
    """z_t = sqrt(alpha_t) z_0 + sqrt(1 - alpha_t) noise: equation 2 of iEdit."""
    a = spread(alpha)
    return a.sqrt() * z_0.float() + (1 - a).sqrt() * noise.float()


def target_noise(
    source_latent: Latents, target_latent: Latents, source_noise: Latents, alpha: Alphas
) -> Latents:
    """The noise epsilon_2 that explains z_t as a noisy TARGET: equation 3 of iEdit.

    z_t is the source with `source_noise`; with equation 2 put in, (z_t - sqrt(alpha_t) z_2) /
    sqrt(1 - alpha_t) becomes epsilon_1 + sqrt(alpha_t / (1 - alpha_t)) (z_1 - z_2), which does not
    lose the small difference of two large numbers. The factor is 34 at the first step of Stable
    Diffusion's schedule; the weight t/T of equation 12 is 0 there.
    """
    a = spread(alpha)
    gap = source_latent.float() - target_latent.float()
    return source_noise.float() + (a / (1 - a)).sqrt() * gap


def estimate_latent(z_t: Latents, noise: Latents, alpha: Alphas) -> Latents:
    """The clean latent that `noise` leaves of z_t: equation 7 of iEdit."""
    a = spread(alpha)
    return (z_t.float() - (1 - a).sqrt() * noise.float()) / a.sqrt()


def noise_from_output(
    output: Latents, z_t: Latents, alpha: Alphas, *, prediction_type: str
) -> Latents:
    """The noise that a network's `output` stands for.

    `prediction_type` is diffusers' word: with `epsilon` the output is the noise itself, with
    `v_prediction` it is v = sqrt(alpha) noise - sqrt(1 - alpha) z_0 (Salimans and Ho 2022).

    Raises:
        ValueError: another prediction type.
    """
    if prediction_type == "epsilon":
        return output.float()
    if prediction_type == "v_prediction":
        a = spread(alpha)
        return a.sqrt() * output.float() + (1 - a).sqrt() * z_t.float()
    raise ValueError(f"prediction_type must be epsilon or v_prediction, got {prediction_type!r}")


def draw_noise(like: Latents, generators: Sequence[torch.Generator]) -> Latents:
    """Standard normal noise of the shape and device of `like`, a generator for each example.

    It is drawn on the CPU unless the generator lives elsewhere, so that the same seed gives the
    same picture on every device, and an example's noise does not depend on those beside it.

    Raises:
        ValueError: more or fewer generators than examples.
    """
    if len(generators) != len(like):
        raise ValueError(f"there must be {len(like)} generators, got {len(generators)}")
    shape = (1, *like.shape[1:])
    drawn = [torch.randn(shape, generator=each, device=each.device) for each in generators]
    # One way to a card for all, not one for each.
    return torch.cat([noise.to(drawn[0].device) for noise in drawn]).to(like.device)


def ddim_step(z_t: Latents, noise: Latents, alpha: Alphas, alpha_next: Alphas) -> Latents:
    """The latent at the next, lower noise level, without randomness: Song et al. 2021, equation 12.

    With equal `noise` the step from `alpha_next` back to `alpha` undoes it.
    """
    return add_noise(estimate_latent(z_t, noise, alpha), noise, alpha_next)
