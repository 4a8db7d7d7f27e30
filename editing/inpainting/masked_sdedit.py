"""Inpainting by a network that was never trained to: the backend `sdedit`.

Inside the mask the source is noised and denoised under the prompt (Meng et al. 2022); outside, what
is known of it stands after every step (equation 13 of iEdit), so that the two fit together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from editing.diffusion.model import LatentDiffusion, load_folder, require_pipeline
from editing.diffusion.noise import draw_noise
from editing.diffusion.sampling import noise_levels, noised_source, sample
from editing.inpainting.inpainter import InpaintSettings
from editing.inpainting.over_model import OverModel
from editing.inpainting.pasting import check_batch, paste
from editing.inpainting.sampled import SampledOptions, encode_distinct, text_denoiser
from editing.pictures import to_latent_mask
from editing.tensors import MaskBatch, PictureBatch
from transforms.models.files import locate
from transforms.models.spec import ModelError, ModelSpec, read_options


@dataclass(frozen=True, eq=False)
class MaskedSDEdit(OverModel[LatentDiffusion]):
    """`Inpainter` of an ordinary `LatentDiffusion`."""

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

        At strength 1 nothing but noise is begun with inside of a mask.
        """
        check_batch(pictures, masks, prompts, generators, multiple=self.size_multiple)
        model, alphas = self.model, self.model.alphas_cumprod
        levels = noise_levels(
            model, strength=settings.strength, num_inference_steps=settings.num_inference_steps
        )
        denoise = text_denoiser(model, prompts, guidance_scale=settings.guidance_scale)
        source_latent = encode_distinct(model, pictures)
        edit_mask = to_latent_mask(masks, model.factor).to(source_latent.device)
        noise = draw_noise(source_latent, generators)
        known = noised_source(source_latent, noise, alphas)
        z = known(levels[0])
        if settings.strength == 1:
            z = torch.where(edit_mask > 0.5, noise, z)
        z = sample(denoise, z, levels, alphas, known=known, edit_mask=edit_mask, on_step=on_step)
        return paste(pictures, masks, model.decode(z))


@dataclass(frozen=True)
class MaskedSDEditOptions(SampledOptions):
    """`SampledOptions`, with a strength that leaves something of the source."""

    strength: float = 0.9


def load_masked_sdedit(spec: ModelSpec) -> MaskedSDEdit:
    """The inpainter by the diffusion model that a spec names.

    Raises:
        ModelError: it cannot be loaded; the message says why.
    """
    options = read_options(MaskedSDEditOptions, spec)
    folder = require_pipeline(locate(spec))
    model = load_folder(folder, device=options.device, dtype=options.dtype, variant=options.variant)
    found, latent = model.unet.config.in_channels, model.unet.config.out_channels
    if found != latent:
        raise ModelError(
            f"{folder / 'unet'}: the network has {found} channels in, of which {latent} are its "
            "latent's; one that sees a mask is loaded by stable_diffusion_inpaint"
        )
    return MaskedSDEdit(model=model, defaults=options.defaults())
