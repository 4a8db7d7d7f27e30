"""The editors `diffedit` and `encode-decode`: one way of editing, with a mask and without."""

from dataclasses import dataclass

from editing.diffusion.encoding import known_by_inversion, known_by_noise
from editing.diffusion.latent_editor import LatentEditor
from editing.diffusion.noise import Latents
from editing.diffusion.picture_edits import LatentBatch
from editing.diffusion.sampling import Guidance, noise_levels, sample
from editing.editors.diffedit.settings import MOST, EncodingSettings
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
        if settings.encode:
            known = known_by_inversion(
                model, batch, levels, fixed_point_steps=settings.fixed_point_steps, on_step=on_step
            )
        else:
            known = known_by_noise(model, batch)
        denoise = self.denoise_under(
            batch.prompts,
            [
                Guidance.of_first(levels, scale=way.guidance_scale, share=way.guided_share)
                for way in (settings.chosen(wide=wide) for wide in _are_wide(batch))
            ],
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


def _are_wide(batch: LatentBatch) -> list[bool]:
    """Of each edit whether it may change most of its picture."""
    if batch.edit_mask is None:
        return [True] * len(batch.prompts)
    shares: list[float] = batch.edit_mask.flatten(1).mean(1).tolist()
    return [share > MOST for share in shares]
