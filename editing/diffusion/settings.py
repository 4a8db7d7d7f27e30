"""Settings that editors by a diffusion model share. Imports no network library."""

import math
from dataclasses import dataclass

from editing.settings import Dial, require_numbers, setting
from editing.trained_part import TrainedPart

DTYPES = ("float32", "float16", "bfloat16")
"""Precision of a diffusion model's weights; sums of noise and latents are in float32 always."""

DIFFUSION_MODEL = TrainedPart(part="diffusion", loader="stable_diffusion", inside="pipeline")
"""What `--model` replaces where an editor runs on a latent diffusion model."""

STRENGTH_DIAL = Dial(
    setting="strength", values=(0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), flag="strengths"
)


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """How far a picture is noised and how it is denoised; the names are diffusers'.

    `strength` in (0, 1]: the share of `num_inference_steps` that are made, from the noise level
    where they begin; the papers edit with 0.6 to 0.8. `guidance_scale` is the factor of classifier-
    free guidance (Ho and Salimans 2022), 1 for none; the first `guided_share` in [0, 1] of the
    steps that are made have it. With `paste` the source's own pixels are put back outside an edit
    mask; else its round trip through the autoencoder stands there.
    """

    strength: float = setting("how far the source is noised, in (0, 1]", default=0.7)
    guidance_scale: float = setting("factor of classifier-free guidance, 1 for none", default=7.5)
    guided_share: float = setting(
        "share of the steps that are guided, the first of them, in [0, 1]", default=1.0
    )
    num_inference_steps: int = setting("steps from pure noise", default=50, flag="steps")
    paste: bool = setting("put untouched pixels back outside the mask", default=False)

    def __post_init__(self) -> None:
        steps_left_out(self.strength, self.num_inference_steps)  # raises where they break a rule
        require_guidance(self.guidance_scale, self.guided_share)
        require_numbers(self)


def require_guidance(guidance_scale: float, guided_share: float = 1.0) -> None:
    """Make sure that steps can be guided so.

    Raises:
        ValueError: a negative factor, or a share that is not in [0, 1].
    """
    if not guidance_scale >= 0:
        raise ValueError(f"guidance_scale must be at least 0, got {guidance_scale}")
    if not 0 <= guided_share <= 1:
        raise ValueError(f"guided_share must be in [0, 1], got {guided_share}")


def steps_left_out(strength: float, num_inference_steps: int) -> int:
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
