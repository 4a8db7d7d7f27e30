"""How the inpainting network paints edits, and how many of them are right."""

import torch
from diffusers import StableDiffusionInpaintPipeline

from stilllife.judge import load_judge
from stilllife.recipes.box_edits import BoxEdits, draw_edits, edits_right
from stilllife.recipes.inpainter import BASE, FOLDER, load_inpainting
from stilllife.recipes.workshop import Workshop
from stilllife.scene import PICTURE_SIZE

EDITED = 300
"""Held-out pictures that are edited at each guidance scale, a third in each kind of attribute."""

GUIDANCE_SCALES = (2.0, 3.0, 4.0)
SAMPLING_STEPS = 8
AT_ONCE = 50


@torch.inference_mode()
def paint_edits(
    pipeline: StableDiffusionInpaintPipeline,
    edits: BoxEdits,
    *,
    guidance_scale: float,
    seed: int,
) -> torch.Tensor:
    """The edited pictures, (n, 3, 64, 64) in [-1, 1]; the source outside of the boxes."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for start in range(0, len(edits), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        pictures, masks = edits.pictures[some], edits.boxes[some]
        encoded = pipeline.vae.encode(pictures * (1 - masks)).latent_dist.mode()
        painted = pipeline(
            list(edits.prompts[some]),
            image=(pictures + 1) / 2,
            mask_image=masks,
            # As trained on; the pipeline would draw them from the posterior.
            masked_image_latents=encoded * pipeline.vae.config.scaling_factor,
            height=PICTURE_SIZE,
            width=PICTURE_SIZE,
            strength=1.0,
            num_inference_steps=SAMPLING_STEPS,
            guidance_scale=guidance_scale,
            generator=generator,
            output_type="pt",
        ).images
        made.append(torch.where(masks > 0.5, painted * 2 - 1, pictures))
    return torch.cat(made)


def measure_inpainter(shop: Workshop) -> dict[str, object]:
    """Edits of boxes around things, as the judge reads them, by guidance scale."""
    pipeline = load_inpainting(shop.weights / BASE, shop.weights / FOLDER)
    judge = load_judge()
    edits = draw_edits(shop.held_out["one_object"].first(EDITED), seed=1)
    return {
        "box_edits": {
            f"guidance_{scale:g}": edits_right(
                judge, paint_edits(pipeline, edits, guidance_scale=scale, seed=1), edits
            )
            for scale in GUIDANCE_SCALES
        }
    }
