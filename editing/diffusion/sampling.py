"""Editing by adding noise and taking it away again: SDEdit, and iEdit's masked form of it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from editing.diffusion.model import LatentDiffusion, TextStates
from editing.diffusion.noise import Latents, add_noise, alpha_at, ddim_step, first_step

LatentMask = Float[Tensor, "b 1 h w"]


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How far a picture is noised and how it is denoised; the names are diffusers'.

    `strength` in (0, 1]: the share of `num_inference_steps` that are made, from the noise level
    where they begin; the papers edit with 0.6 to 0.8. `guidance_scale` is the factor of classifier-
    free guidance (Ho and Salimans 2022), 1 for none.
    """

    strength: float = 0.7
    guidance_scale: float = 7.5
    num_inference_steps: int = 50

    def __post_init__(self) -> None:
        first_step(self.strength, self.num_inference_steps)  # raises where they break a rule
        if not self.guidance_scale >= 0:
            raise ValueError(f"guidance_scale must be at least 0, got {self.guidance_scale}")


def noise_levels(model: LatentDiffusion, sampling: Sampling) -> list[int]:
    """The steps t to denoise at, falling, from the one that `strength` begins with.

    Raises:
        ValueError: more steps than the model has noise levels.
    """
    if sampling.num_inference_steps > model.train_steps:
        raise ValueError(
            f"num_inference_steps must be at most {model.train_steps}, "
            f"got {sampling.num_inference_steps}"
        )
    model.scheduler.set_timesteps(sampling.num_inference_steps)
    left_out = first_step(sampling.strength, sampling.num_inference_steps)
    return [int(t) for t in model.scheduler.timesteps[left_out:]]


def guided_noise(
    model: LatentDiffusion,
    z_t: Latents,
    t: int,
    *,
    text: TextStates,
    empty_text: TextStates,
    guidance_scale: float,
) -> Latents:
    """Classifier-free guidance: empty + scale (conditional - empty), in one pass of the network."""
    if guidance_scale == 1:
        return model.predict_noise(z_t, _steps(t, z_t), text)
    both = torch.cat([z_t, z_t])
    noise = model.predict_noise(both, _steps(t, both), torch.cat([empty_text, text]))
    unconditional, conditional = noise.chunk(2)
    return unconditional + guidance_scale * (conditional - unconditional)


@torch.no_grad()
def edit_latents(
    model: LatentDiffusion,
    source_latent: Latents,
    *,
    noise: Latents,
    text: TextStates,
    empty_text: TextStates,
    sampling: Sampling,
    edit_mask: LatentMask | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> Latents:
    """The edited latents.

    Without a mask this is SDEdit (Meng et al. 2022): the source is noised to `strength` with
    `noise` and denoised under the prompt. With `edit_mask` (1 = may change) every step is followed
    by equation 13 of iEdit: outside the mask stands the source with that very noise, at the level
    just reached, and after the last step the source itself, so that there the result IS the source.
    """
    levels = noise_levels(model, sampling)
    z = add_noise(source_latent, noise, _alpha(model, levels[0], source_latent))
    for t, t_next in zip(levels, [*levels[1:], None], strict=True):
        predicted = guided_noise(
            model,
            z,
            t,
            text=text,
            empty_text=empty_text,
            guidance_scale=sampling.guidance_scale,
        )
        # Below the last level lies that of t = 0, as with diffusers' set_alpha_to_one=False.
        alpha_next = _alpha(model, t_next or 0, z)
        z = ddim_step(z, predicted, _alpha(model, t, z), alpha_next)
        if edit_mask is not None:
            known = source_latent
            if t_next is not None:
                known = add_noise(source_latent, noise, alpha_next)
            z = torch.where(edit_mask > 0.5, z, known)
        on_step()
    return z


def _steps(t: int, like: Latents) -> Tensor:
    return torch.full((len(like),), t, device=like.device, dtype=torch.long)


def _alpha(model: LatentDiffusion, t: int, like: Latents) -> Tensor:
    return alpha_at(model.alphas_cumprod, _steps(t, like))
