"""Inpainting by a diffusion network that sees the mask: the backend `inpaint`.

Its nine channels in are those of Stable Diffusion inpainting (Rombach et al. 2022): the noisy
latent, the mask at the latent's size, and the latent of the picture that is grey inside the mask.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from editing.diffusion.model import Channels, LatentDiffusion, save_pipeline
from editing.diffusion.noise import draw_noise
from editing.diffusion.sampling import noise_levels, noised_source, sample
from editing.inpainting.inpainter import InpaintSettings
from editing.inpainting.over_model import OverModel
from editing.inpainting.pasting import check_batch, paste
from editing.inpainting.sampled import encode_distinct, text_denoiser
from editing.tensors import MaskBatch, PictureBatch


@dataclass(frozen=True, eq=False)
class LatentInpainter(OverModel[LatentDiffusion]):
    """`Inpainter` of a `LatentDiffusion` whose noise network has nine channels in."""

    @torch.no_grad()
    def inpaint(
        self,
        pictures: PictureBatch,
        masks: MaskBatch,
        prompts: Sequence[str],
        generators: Sequence[torch.Generator],
        *,
        settings: InpaintSettings,
        on_step: Callable[[], None] = lambda: None,
    ) -> PictureBatch:
        """The pictures with what lies inside their masks painted anew; see `Inpainter`.

        At strength 1 nothing but noise is begun with, as diffusers does.
        """
        check_batch(pictures, masks, prompts, generators, multiple=self.size_multiple)
        model = self.model
        levels = noise_levels(
            model, strength=settings.strength, num_inference_steps=settings.num_inference_steps
        )
        beside = self._beside(pictures, masks)
        denoise = text_denoiser(
            model, prompts, guidance_scale=settings.guidance_scale, beside=beside
        )
        noise = draw_noise(beside[:, 1:], generators)
        z = noise
        if settings.strength < 1:
            z = noised_source(encode_distinct(model, pictures), noise, model.alphas_cumprod)(
                levels[0]
            )
        z = sample(denoise, z, levels, model.alphas_cumprod, on_step=on_step)
        return paste(pictures, masks, model.decode(z))

    def _beside(self, pictures: PictureBatch, masks: MaskBatch) -> Channels:
        """What the network sees beside the noisy latent, (b, 5, h, w)."""
        masked = torch.where(masks > 0.5, torch.zeros_like(pictures), pictures)
        masked_latent = self.model.encode(masked)
        # Nearest, as those networks were trained: of each place its first pixel.
        mask = F.interpolate(masks.float(), size=masked_latent.shape[-2:])
        return torch.cat([mask.to(masked_latent), masked_latent], dim=1)

    def save(self, folder: Path) -> None:
        """Writes a folder that diffusers' `StableDiffusionInpaintPipeline` loads."""
        from diffusers import StableDiffusionInpaintPipeline

        save_pipeline(self.model, StableDiffusionInpaintPipeline, folder)
