"""Sampling with a diffusion model: one loop for every editor.

A denoiser is a callable `(z_t, t) -> noise`, with text and guidance bound outside of the loop. An
editor brings the latent it starts from, and, where part of the picture shall stay, what is known of
the source at every noise level: noised by one fixed noise (SDEdit, iEdit), or inverted.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from editing.diffusion.model import Channels, LatentDiffusion, TextStates
from editing.diffusion.noise import (
    Alphas,
    AlphaTable,
    Latents,
    add_noise,
    alpha_at,
    ddim_step,
)
from editing.diffusion.settings import steps_left_out
from editing.errors import SettingError
from editing.finite import require_some_finite
from editing.tensors import LatentMask

Denoiser = Callable[[Latents, int], Latents]
"""epsilon(z_t, t): the noise that is seen in z_t."""

Known = Callable[[int | None], Latents]
"""The source's latent at noise level t; for None, after the last step, without any noise."""


Push = Callable[[Latents, int], Latents]
"""What moves a latent that a step from noise level t came to, towards what an editor wants."""


def _stay(z: Latents, t: int) -> Latents:
    return z


def noise_levels(
    model: LatentDiffusion, *, strength: float, num_inference_steps: int
) -> tuple[int, ...]:
    """The steps t to denoise at, falling, from the one that `strength` begins with.

    The model's own scheduler says how they are spaced, and stays as it is.

    Raises:
        SettingError: more steps than the model has noise levels.
        ValueError: a value out of its range.
    """
    if num_inference_steps > model.train_steps:
        raise SettingError(
            f"num_inference_steps must be at most {model.train_steps}, got {num_inference_steps}"
        )
    scheduler = model.scheduler.from_config(model.scheduler.config)
    scheduler.set_timesteps(num_inference_steps)
    left_out = steps_left_out(strength, num_inference_steps)
    return tuple(int(t) for t in scheduler.timesteps[left_out:])


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """Classifier-free guidance by `scale` at noise levels from `lowest` on; below it, none."""

    scale: float
    lowest: int = 0

    @classmethod
    def of_first(cls, levels: Sequence[int], *, scale: float, share: float) -> "Guidance":
        """Of the first `share` of the falling `levels`; of a part of a step the whole is guided."""
        guided = math.ceil(len(levels) * share - 1e-6)
        return cls(scale=scale, lowest=levels[guided - 1] if guided > 0 else levels[0] + 1)

    def at(self, t: int) -> float:
        """The factor at noise level t, 1 for none."""
        return self.scale if t >= self.lowest else 1.0


def guided_denoiser(
    model: LatentDiffusion,
    *,
    text: TextStates,
    empty_text: TextStates,
    guidance_scale: float,
    beside: Channels | None = None,
) -> Denoiser:
    """`denoiser_by_row` with one factor for all latents and noise levels."""
    guidance = [Guidance(scale=guidance_scale)] * len(text)
    return denoiser_by_row(
        model, text=text, empty_text=empty_text, guidance=guidance, beside=beside
    )


def denoiser_by_row(
    model: LatentDiffusion,
    *,
    text: TextStates,
    empty_text: TextStates,
    guidance: Sequence[Guidance],
    beside: Channels | None = None,
) -> Denoiser:
    """Classifier-free guidance: empty + scale (conditional - empty), in one pass of the network.

    Each latent of a batch has its own `guidance`; at a noise level at which none has any, half of
    the work is left out. `beside` are channels that the network sees beside the latent, with both
    texts.
    """
    twice = None if beside is None else torch.cat([beside, beside])

    def denoise(z_t: Latents, t: int) -> Latents:
        scales = [each.at(t) for each in guidance]
        if all(scale == 1 for scale in scales):
            return model.predict_noise(z_t, _steps(t, z_t), text, beside=beside)
        both, texts = torch.cat([z_t, z_t]), torch.cat([empty_text, text])
        noise = model.predict_noise(both, _steps(t, both), texts, beside=twice)
        unconditional, conditional = noise.chunk(2)
        scale = z_t.new_tensor(scales)[:, None, None, None]
        return unconditional + scale * (conditional - unconditional)

    return denoise


def noised_source(source_latent: Latents, noise: Latents, alphas_cumprod: AlphaTable) -> Known:
    """The source with that very noise, at any level: equation 2 of iEdit with one fixed epsilon."""

    def known(t: int | None) -> Latents:
        if t is None:
            return source_latent
        return add_noise(source_latent, noise, level_alpha(alphas_cumprod, t, source_latent))

    return known


@torch.no_grad()
def sample(
    denoise: Denoiser,
    z: Latents,
    levels: Sequence[int],
    alphas_cumprod: AlphaTable,
    *,
    push: Push = _stay,
    known: Known | None = None,
    edit_mask: LatentMask | None = None,
    on_step: Callable[[], None] = lambda: None,
) -> Latents:
    """What DDIM (Song et al. 2021) makes of `z`, a latent at the first of the falling `levels`.

    `alphas_cumprod` has alpha_t for every noise level t. `push` may move what each step comes to,
    of the latent and the noise level that the step began at.

    With `edit_mask` (1 = may change) every step is followed by equation 13 of iEdit: outside the
    mask stands what is `known` of the source at the level just reached, and after the last step the
    source itself, so that there the result IS the source.

    Raises:
        ValueError: a mask without what is known.
        NotFiniteError: a step came to infinite numbers, or none, in all of the batch. Where some
            are finite, the broken ones stay as they are.
    """
    if edit_mask is not None and known is None:
        raise ValueError("edit_mask needs what is known of the source outside of it")
    for step, (t, t_next) in enumerate(zip(levels, [*levels[1:], None], strict=True), 1):
        # Below the last level lies that of t = 0, as with diffusers' set_alpha_to_one=False.
        alpha, alpha_next = (level_alpha(alphas_cumprod, level, z) for level in (t, t_next or 0))
        z = push(ddim_step(z, denoise(z, t), alpha, alpha_next), t)
        require_some_finite(z, where=f"at step {step} of {len(levels)}")
        if edit_mask is not None and known is not None:
            z = torch.where(edit_mask > 0.5, z, known(t_next))
        on_step()
    return z


def _steps(t: int, like: Latents) -> Tensor:
    return torch.full((len(like),), t, device=like.device, dtype=torch.long)


def level_alpha(alphas_cumprod: AlphaTable, t: int, like: Latents) -> Alphas:
    """alpha_t of level t for every latent of a batch."""
    return alpha_at(alphas_cumprod, _steps(t, like))
