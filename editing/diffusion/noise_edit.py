"""Edits by noising the source and denoising it: what SDEdit does, and iEdit with other weights."""

from dataclasses import dataclass

from editing.diffusion.latent_editor import LatentEditor
from editing.diffusion.noise import Latents, draw_noise
from editing.diffusion.picture_edits import LatentBatch
from editing.diffusion.sampling import Guidance, noise_levels, noised_source, sample
from editing.diffusion.settings import SamplingSettings
from editing.requests import OnStep


@dataclass(frozen=True, eq=False)
class NoiseEditor(LatentEditor[SamplingSettings]):
    """Noises the source to a strength and denoises it under the prompt (Meng et al. 2022).

    Where a request has a mask, equation 13 of iEdit keeps what lies outside, with the one noise
    that the source was given.
    """

    def edit_latents(
        self, batch: LatentBatch, settings: SamplingSettings, on_step: OnStep
    ) -> Latents:
        """The source's latents, brought up the noise levels and denoised under the prompt."""
        model, alphas = self.model, self.model.alphas_cumprod
        levels = noise_levels(
            model,
            strength=settings.strength,
            num_inference_steps=settings.num_inference_steps,
        )
        guidance = Guidance.of_first(
            levels, scale=settings.guidance_scale, share=settings.guided_share
        )
        denoise = self.denoise_under(batch.prompts, [guidance] * len(batch.prompts))
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
