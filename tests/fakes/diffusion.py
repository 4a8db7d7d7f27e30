"""A very small random diffusion model, saved as a pipeline folder: what the editor tests load."""

from pathlib import Path
from typing import Any

import torch

from editing.diffusion.model import LatentDiffusion, load_diffusion
from fakes.model_folders import clip_text_config, save_clip_tokenizer
from transforms.models.spec import ModelSpec

SIZE = 16
"""Side of its pictures; latents have half of it."""


def save_diffusion(
    folder: Path,
    *,
    prediction_type: str = "epsilon",
    tokenizer: Any = None,
    in_channels: int = 4,
) -> Path:
    """A Stable Diffusion of a few thousand weights; its words are the tokenizer's.

    With nine `in_channels` it is one for inpainting.
    """
    from diffusers import (
        AutoencoderKL,
        PNDMScheduler,
        StableDiffusionInpaintPipeline,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    if tokenizer is None:
        text = clip_text_config(save_clip_tokenizer(folder / "words"))
        tokenizer = CLIPTokenizer.from_pretrained(folder / "words")
    else:
        text = clip_text_config(tokenizer.get_vocab())
        text["max_position_embeddings"] = tokenizer.model_max_length
    torch.manual_seed(4)
    kind = StableDiffusionPipeline if in_channels == 4 else StableDiffusionInpaintPipeline
    pipeline = kind(
        vae=AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            block_out_channels=(8, 8),
            norm_num_groups=4,
            sample_size=SIZE,
            scaling_factor=0.5,
        ),
        unet=UNet2DConditionModel(
            sample_size=SIZE // 2,
            in_channels=in_channels,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            block_out_channels=(8, 16),
            layers_per_block=1,
            attention_head_dim=2,
            cross_attention_dim=16,
            norm_num_groups=4,
        ),
        text_encoder=CLIPTextModel(CLIPTextConfig(**text)),
        tokenizer=tokenizer,
        # As Stable Diffusion v1.4 comes.
        scheduler=PNDMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            prediction_type=prediction_type,
            skip_prk_steps=True,
            steps_offset=1,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder / "model")
    return folder / "model"


def load_tiny(folder: Path) -> LatentDiffusion:
    """The model that `save_diffusion` gave the folder of."""
    return load_diffusion(ModelSpec(loader="stable_diffusion", location=str(folder)))


def latents(seed: int, count: int = 2) -> torch.Tensor:
    """Latents of its pictures, drawn."""
    return torch.randn(count, 4, 8, 8, generator=torch.Generator().manual_seed(seed))
