"""The peer of DiffEdit: diffusers' own pipeline of it, over the same weights."""

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from editing.diffusion.model import LatentDiffusion
from editing.pictures import paste_inside, picture_to_tensor
from editing.requests import Request


def load_peer(model: LatentDiffusion) -> Any:
    """`StableDiffusionDiffEditPipeline` of a model's parts, with its own DDIM schedulers."""
    from diffusers import (
        DDIMInverseScheduler,
        DDIMScheduler,
        StableDiffusionDiffEditPipeline,
    )

    config = model.scheduler.config
    pipeline = StableDiffusionDiffEditPipeline(
        vae=model.vae,
        text_encoder=model.text_encoder,
        tokenizer=model.tokenizer,
        unet=model.unet,
        scheduler=DDIMScheduler.from_config(config),
        inverse_scheduler=DDIMInverseScheduler.from_config(config),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def edit_by_peer(
    pipeline: Any,
    requests: Sequence[Request],
    generators: Sequence[torch.Generator],
    *,
    ratio: float,
    guidance_scale: float,
    num_inference_steps: int,
) -> list[Image.Image]:
    """Edits one by one; the source's own pixels are put back outside of the mask it finds."""
    made = []
    how = {"num_inference_steps": num_inference_steps}
    for request, generator in zip(requests, generators, strict=True):
        image = picture_to_tensor(request.image)[None]
        mask = pipeline.generate_mask(
            image=image,
            source_prompt=request.source_prompt,
            target_prompt=request.prompt,
            guidance_scale=guidance_scale,
            generator=generator,
            **how,
        )
        inverted = pipeline.invert(
            prompt="",
            image=image,
            inpaint_strength=ratio,
            guidance_scale=1.0,
            generator=generator,  # it draws from the autoencoder's distribution
            **how,
        ).latents
        found = pipeline(
            prompt=request.prompt,
            mask_image=mask,
            image_latents=inverted,
            inpaint_strength=ratio,
            guidance_scale=guidance_scale,
            generator=generator,
            **how,
        ).images[0]
        small = Image.fromarray((mask[0] * 255).astype("uint8"))
        whole = small.resize(request.image.size, Image.Resampling.NEAREST)
        made.append(paste_inside(found, request.image, whole))
    return made
