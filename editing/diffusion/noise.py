"""The arithmetic of diffusion that training and editing share.

Symbols and names: z_t `z_t`, z_1 and z_2 `source_latent` and `target_latent`, epsilon `noise`,
alpha_t `alpha`. As in iEdit (after Song et al. 2021) alpha_t is the CUMULATIVE product of
(1 - beta), which other papers write with a bar; it falls from almost 1 at t = 0 to almost 0 at
t = T - 1.

All is computed in float32: at t = 0 equation 3 divides by a number near 0.03.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

Latents = Float[Tensor, "b c h w"]
Alphas = Float[Tensor, " b"]


def spread(alpha: Alphas) -> Float[Tensor, "b 1 1 1"]:
    """One number an example, in float32, shaped to multiply latents with."""
    return alpha.float().view(-1, 1, 1, 1)


def alpha_at(
    alphas_cumprod: Float[Tensor, " t"], timesteps: Int[Tensor, " b"]
) -> Float[Tensor, " b"]:
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


def first_step(strength: float, num_inference_steps: int) -> int:
    """How many of the steps are left out when denoising begins at `strength`.

    At strength 1 none are; 0.5 of 50 steps leaves out 25. At least one step is made.

    Raises:
        ValueError: a strength outside (0, 1], or fewer than one step.
    """
    if not 0 < strength <= 1:
        raise ValueError(f"strength must be in (0, 1], got {strength}")
    if num_inference_steps < 1:
        raise ValueError(f"num_inference_steps must be at least 1, got {num_inference_steps}")
    # The allowance keeps 0.7 of 50, which is 34.99..., from being 34.
    made = max(1, math.floor(num_inference_steps * strength + 1e-6))
    return num_inference_steps - made


Generators = torch.Generator | Sequence[torch.Generator] | None
"""Where noise comes from: one generator for a batch, or one for each of its examples."""


def draw_noise(like: Latents, generator: Generators) -> Latents:
    """Standard normal noise of the shape and device of `like`.

    It is drawn on the CPU unless the generator lives elsewhere, so that the same seed gives the
    same picture on every device. With a generator for each example, an example's noise does not
    depend on those beside it.

    Raises:
        ValueError: as many generators as there are examples must be given, and are not.
    """
    if isinstance(generator, Sequence):
        if len(generator) != len(like):
            raise ValueError(f"generators must be one or {len(like)}, got {len(generator)}")
        return torch.cat([draw_noise(like[:1], each) for each in generator])
    device = generator.device if generator is not None else torch.device("cpu")
    drawn = torch.randn(like.shape, generator=generator, device=device, dtype=torch.float32)
    return drawn.to(like.device)


def ddim_step(z_t: Latents, noise: Latents, alpha: Alphas, alpha_next: Alphas) -> Latents:
    """The latent at the next, lower noise level, without randomness: Song et al. 2021, equation 12.

    With equal `noise` the step from `alpha_next` back to `alpha` undoes it.
    """
    return add_noise(estimate_latent(z_t, noise, alpha), noise, alpha_next)
