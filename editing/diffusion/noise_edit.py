"""Edits by noising the source and denoising it: what SDEdit does, and iEdit with other weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from editing.diffusion.model import LatentDiffusion
from editing.diffusion.noise import Latents, draw_noise
from editing.diffusion.picture_edits import LatentBatch, edit_pictures
from editing.diffusion.sampling import guided_denoiser, noise_levels, noised_source, sample
from editing.diffusion.settings import SamplingSettings
from editing.requests import EditOutput, OnStep, Request


@dataclass(frozen=True, eq=False)
class NoiseEditor:
    """Noises the source to a strength and denoises it under the prompt (Meng et al. 2022).

    Where a request has a mask, equation 13 of iEdit keeps what lies outside, with the one noise
    that the source was given.
    """

    model: LatentDiffusion

    def edit(
        self,
        requests: Sequence[Request],
        settings: SamplingSettings,
        generators: Sequence[torch.Generator],
        on_step: OnStep,
    ) -> list[EditOutput]:
        """One result for each request.

        Raises:
            PromptLengthError: a prompt has more tokens than the text encoder takes.
            SettingError: more steps than the model has noise levels.
        """

        def edit_latents(batch: LatentBatch) -> Latents:
            return self._edit_latents(batch, settings, on_step)

        return edit_pictures(self.model, requests, generators, edit_latents, paste=settings.paste)

    def _edit_latents(
        self, batch: LatentBatch, settings: SamplingSettings, on_step: OnStep
    ) -> Latents:
        model, alphas = self.model, self.model.alphas_cumprod
        levels = noise_levels(
            model,
            strength=settings.strength,
            num_inference_steps=settings.num_inference_steps,
        )
        denoise = guided_denoiser(
            model,
            text=model.embed_texts(batch.prompts),
            empty_text=model.embed_texts([""] * len(batch.prompts)),
            guidance_scale=settings.guidance_scale,
        )
        noise = draw_noise(batch.source_latent, batch.generators)
        known = noised_source(batch.source_latent, noise, alphas)
        return sample(
            denoise,
            known(levels[0]),
            levels,
            alphas,
            known=known,
            edit_mask=batch.edit_mask,
            on_step=on_step,
        )
