"""The noise network of the diffusion model: UNet2DConditionModel under CLIP's text encoder."""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextModel, CLIPTokenizer

from stilllife.judge import Judge
from stilllife.recipes.autoencoder import FACTOR, LATENT_CHANNELS
from stilllife.recipes.caption_texts import number_captions, read_captions
from stilllife.recipes.training import Losses
from stilllife.scene import PICTURE_SIZE
from stilllife.truth import read_caption

EMPTY_SHARE = 0.1
"""Share of training captions replaced by the empty text, for classifier-free guidance."""

SNR_CAP = 5.0
"""gamma of min-SNR weighting (Hang et al. 2023)."""

GUIDANCE_SCALES = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
SAMPLING_STEPS = 25


def build_denoiser(text_width: int) -> UNet2DConditionModel:
    """An untrained noise network over 16 x 16 x 4 latents, with attention at 8 and 4.

    At 16 it would take two fifths of a step; the plain attention, because on a CPU going back
    through the fused one takes a third of a step.
    """
    denoiser = UNet2DConditionModel(
        sample_size=PICTURE_SIZE // FACTOR,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn",
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(64, 128, 128),
        layers_per_block=1,
        attention_head_dim=4,
        cross_attention_dim=text_width,
        norm_num_groups=16,
    )
    denoiser.set_attn_processor(AttnProcessor())
    return denoiser


def build_scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise levels, with v as what is predicted (Salimans and Ho 2022)."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


class CaptionStates:
    """Every distinct caption's text states, computed once: `states` (n, length, width), float16.

    `rows` maps each picture to its caption; state 0 is that of the empty text.
    """

    def __init__(
        self, captions: Sequence[str], text_encoder: CLIPTextModel, tokenizer: CLIPTokenizer
    ) -> None:
        distinct, self.rows = number_captions(captions)
        (self.states,) = read_captions(
            distinct, tokenizer, lambda words: (text_encoder(words).last_hidden_state,)
        )


def denoise_loss(
    denoiser: UNet2DConditionModel,
    scheduler: DDIMScheduler,
    latents: torch.Tensor,
    captions: CaptionStates,
    batch_size: int,
    generator: torch.Generator,
) -> Losses:
    """Squared error of v on a random batch of scaled `latents` (n, 4, 16, 16), min-SNR weighted."""
    rows = torch.randint(len(latents), (batch_size,), generator=generator)
    clean = latents[rows].float()
    noise = torch.randn(clean.shape, generator=generator)
    steps = torch.randint(scheduler.config.num_train_timesteps, (batch_size,), generator=generator)
    empty = torch.rand(batch_size, generator=generator) < EMPTY_SHARE
    text = captions.states[captions.rows[rows].masked_fill(empty, 0)].float()
    found = denoiser(
        scheduler.add_noise(clean, noise, steps), steps, encoder_hidden_states=text
    ).sample
    wanted = scheduler.get_velocity(clean, noise, steps)
    alpha = scheduler.alphas_cumprod[steps]
    snr = alpha / (1 - alpha)
    weight = snr.clamp(max=SNR_CAP) / (snr + 1)
    error = F.mse_loss(found.float(), wanted, reduction="none").mean((1, 2, 3))
    return {"v": (weight * error).mean()}


def assemble(
    autoencoder: AutoencoderKL,
    denoiser: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
) -> StableDiffusionPipeline:
    """The parts as a standard pipeline, without what filters photographs."""
    pipeline = StableDiffusionPipeline(
        vae=autoencoder,
        unet=denoiser,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def load_pipeline(folder: Path) -> StableDiffusionPipeline:
    """A pipeline as it was saved, in float32."""
    pipeline = StableDiffusionPipeline.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, safety_checker=None
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@torch.inference_mode()
def paint(
    pipeline: StableDiffusionPipeline,
    captions: Sequence[str],
    *,
    guidance_scale: float,
    seed: int,
    batch_size: int = 50,
) -> torch.Tensor:
    """One picture of each caption, (n, 3, 64, 64) in [-1, 1]."""
    generator = torch.Generator().manual_seed(seed)
    pictures = []
    for start in range(0, len(captions), batch_size):
        made = pipeline(
            list(captions[start : start + batch_size]),
            height=PICTURE_SIZE,
            width=PICTURE_SIZE,
            num_inference_steps=SAMPLING_STEPS,
            guidance_scale=guidance_scale,
            generator=generator,
            output_type="pt",
        ).images
        pictures.append(made * 2 - 1)
    return torch.cat(pictures)


def attributes_right(
    judge: Judge, pictures: torch.Tensor, captions: Sequence[str]
) -> dict[str, float]:
    """Share of attributes that the judge reads as the captions say, by kind, and `all` of them."""
    right: dict[str, list[bool]] = {}
    for reading, caption in zip(judge.read(pictures), captions, strict=True):
        wanted = read_caption(caption)
        assert wanted is not None, f"no caption of the world: {caption!r}"
        same = {name: reading.get(name) == value for name, value in wanted.items()}
        for name, is_right in (same | {"all": all(same.values())}).items():
            right.setdefault(name, []).append(is_right)
    return {name: sum(found) / len(found) for name, found in right.items()}
