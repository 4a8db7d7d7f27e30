"""The editors `diffedit` and `encode-decode`: one way of editing, with a mask and without."""

from collections.abc import Sequence
from dataclasses import dataclass

from editing.diffusion.inversion import invert
from editing.diffusion.latent_editor import LatentEditor
from editing.diffusion.model import TextStates
from editing.diffusion.noise import Latents, draw_noise
from editing.diffusion.picture_edits import LatentBatch
from editing.diffusion.sampling import (
    Known,
    guided_denoiser,
    noise_levels,
    noised_source,
    sample,
)
from editing.editors.diffedit.settings import EncodingSettings
from editing.requests import OnStep


@dataclass(frozen=True, eq=False)
class EncodingEditor(LatentEditor[EncodingSettings]):
    """Encodes the source without words, so far up the levels, and decodes it under the prompt.

    Steps 2 and 3 of section 5.3 of Couairon's thesis: outside of a mask stands, after every step,
    what the source was encoded to at the level just reached, and in the end the source itself.
    Nothing is random while `encode` is on.
    """

    def edit_latents(
        self, batch: LatentBatch, settings: EncodingSettings, on_step: OnStep
    ) -> Latents:
        """The source's latents, brought up the noise levels and denoised under the prompt."""
        model = self.model
        levels = noise_levels(
            model,
            strength=settings.encoding_ratio,
            num_inference_steps=settings.num_inference_steps,
        )
        empty_text = model.embed_texts([""] * len(batch.prompts))
        known = self._known(batch, levels, settings, empty_text=empty_text, on_step=on_step)
        denoise = guided_denoiser(
            model,
            text=model.embed_texts(batch.prompts),
            empty_text=empty_text,
            guidance_scale=settings.guidance_scale,
        )
        return sample(
            denoise,
            known(levels[0]),
            levels,
            model.alphas_cumprod,
            known=known,
            edit_mask=batch.edit_mask,
            on_step=on_step,
        )

    def _known(
        self,
        batch: LatentBatch,
        levels: Sequence[int],
        settings: EncodingSettings,
        *,
        empty_text: TextStates,
        on_step: OnStep,
    ) -> Known:
        """The source at every level: inverted, or noised by one noise."""
        alphas = self.model.alphas_cumprod
        if not settings.encode:
            noise = draw_noise(batch.source_latent, batch.generators)
            return noised_source(batch.source_latent, noise, alphas)
        without_words = guided_denoiser(
            self.model, text=empty_text, empty_text=empty_text, guidance_scale=1
        )
        return invert(
            without_words,
            batch.source_latent,
            levels,
            alphas,
            fixed_point_steps=settings.fixed_point_steps,
            on_step=on_step,
        )
