"""The inpainting network: the denoiser with nine channels in, some of its tensors trained on.

Channels are in the order of diffusers' `StableDiffusionInpaintPipeline`: the noisy latent, the
mask at the latent's size, and the latent of the picture that is grey inside the mask.
"""

import json
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionInpaintPipeline,
    UNet2DConditionModel,
)
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file, save_file
from torch import nn

from stilllife.recipes.autoencoder import AT_ONCE, LATENT_CHANNELS
from stilllife.recipes.boxes import draw_boxes
from stilllife.recipes.collection import Collection, to_input
from stilllife.recipes.denoiser import (
    EMPTY_SHARE,
    SNR_CAP,
    CaptionStates,
    build_scheduler,
    load_pipeline,
)
from stilllife.recipes.training import Losses
from stilllife.recipes.workshop import Workshop

BASE = "diffusion"
FOLDER = "inpainting"

PICTURES = 30_000
"""Training pictures, the first of the collection; each with one box, encoded once."""

CHANNELS = 2 * LATENT_CHANNELS + 1

TRAINED = (
    r"conv_in|conv_out|conv_norm_out",
    r"down_blocks\.0|up_blocks\.2",
    r"down_blocks\.1\.resnets",
    r"(down|up)_blocks\.1\.attentions\.\d\.transformer_blocks\.0\.attn1",
)
"""The tensors that are trained and shipped, beside all that have one axis; 1.9 MB as fp16.

What says where to paint comes in at the size of the latent and at half of it. The layers below
know what things look like and stay the denoiser's."""

OUTSIDE_WEIGHT = 0.2
"""What an error outside the mask counts, where the source's own pixels are put back."""


def build_inpainter(denoiser: UNet2DConditionModel) -> UNet2DConditionModel:
    """The denoiser widened to nine channels, which paints as before until it is trained.

    What is not trained asks for no gradients.
    """
    config = {**denoiser.config, "in_channels": CHANNELS}
    config.pop("_name_or_path", None)
    inpainter: UNet2DConditionModel = UNet2DConditionModel.from_config(config)
    state = denoiser.state_dict()
    wide = torch.zeros_like(inpainter.conv_in.weight)
    wide[:, :LATENT_CHANNELS] = state["conv_in.weight"]
    inpainter.load_state_dict(state | {"conv_in.weight": wide})
    for name, parameter in inpainter.named_parameters():
        parameter.requires_grad_(is_trained(name, parameter))
    inpainter.set_attn_processor(AttnProcessor())
    return inpainter


def is_trained(name: str, parameter: torch.Tensor) -> bool:
    """Whether a tensor of the network is trained and shipped."""
    return parameter.ndim == 1 or any(re.match(rf"({each})\b", name) for each in TRAINED)


@dataclass(frozen=True)
class MaskedLatents:
    """Training pictures and one box of each, as the network sees them.

    `clean` and `masked` (n, 4, 16, 16) are scaled latents of the pictures and of those that are
    grey inside their boxes, `masks` (n, 1, 16, 16) the boxes.
    """

    clean: torch.Tensor
    masked: torch.Tensor
    masks: torch.Tensor


@torch.inference_mode()
def encode_masked(
    autoencoder: AutoencoderKL, collection: Collection, *, seed: int, bfloat16: bool = False
) -> torch.Tensor:
    """All of `MaskedLatents` of a collection side by side: (n, 9, 16, 16), float16."""
    parts = []
    generator = torch.Generator().manual_seed(seed)
    scale = autoencoder.config.scaling_factor
    for start in range(0, len(collection), AT_ONCE):
        pictures = to_input(collection.pixels[start : start + AT_ONCE])
        regions = torch.from_numpy(collection.regions[start : start + AT_ONCE])
        masks = draw_boxes(regions, generator)
        with torch.autocast(pictures.device.type, torch.bfloat16, enabled=bfloat16):
            clean, masked = (
                autoencoder.encode(some).latent_dist.mode().half() * scale
                for some in (pictures, pictures * (1 - masks))
            )
        small = F.interpolate(masks, size=clean.shape[-2:]).half()
        parts.append(torch.cat([clean, masked, small], dim=1))
    return torch.cat(parts)


def split_masked(joined: torch.Tensor) -> MaskedLatents:
    """What `encode_masked` joined."""
    clean, masked, masks = joined.split([LATENT_CHANNELS, LATENT_CHANNELS, 1], dim=1)
    return MaskedLatents(clean, masked, masks)


def inpaint_loss(
    inpainter: nn.Module,
    scheduler: DDIMScheduler,
    latents: MaskedLatents,
    captions: CaptionStates,
    batch_size: int,
    generator: torch.Generator,
) -> Losses:
    """Squared error of v on a random batch, min-SNR weighted, most of it inside the boxes."""
    rows = torch.randint(len(latents.clean), (batch_size,), generator=generator)
    clean, masked, mask = (
        some[rows].float() for some in (latents.clean, latents.masked, latents.masks)
    )
    noise = torch.randn(clean.shape, generator=generator)
    steps = torch.randint(scheduler.config.num_train_timesteps, (batch_size,), generator=generator)
    empty = torch.rand(batch_size, generator=generator) < EMPTY_SHARE
    text = captions.states[captions.rows[rows].masked_fill(empty, 0)].float()
    seen = torch.cat([scheduler.add_noise(clean, noise, steps), mask, masked], dim=1)
    found = inpainter(seen, steps, encoder_hidden_states=text).sample
    wanted = scheduler.get_velocity(clean, noise, steps)
    alpha = scheduler.alphas_cumprod[steps]
    snr = alpha / (1 - alpha)
    weight = (snr.clamp(max=SNR_CAP) / (snr + 1)).view(-1, 1, 1, 1)
    place = OUTSIDE_WEIGHT + (1 - OUTSIDE_WEIGHT) * mask
    error = (found.float() - wanted).square().mean(1, keepdim=True)
    return {"v": (weight * place * error).sum() / place.sum()}


def save_trained(inpainter: UNet2DConditionModel, index: Path, folder: Path) -> None:
    """Writes what `is_trained` in the layout of diffusers' inpainting pipeline, fp16.

    All else is that of the denoiser's pipeline, whose `index` names the parts.
    """
    (folder / "unet").mkdir(parents=True, exist_ok=True)
    parts = json.loads(index.read_text(encoding="utf-8"))
    parts["_class_name"] = "StableDiffusionInpaintPipeline"
    text = json.dumps(parts, indent=2, sort_keys=True) + "\n"
    (folder / index.name).write_text(text, encoding="utf-8")
    inpainter.save_config(folder / "unet")
    kept = {
        name: value.detach().half().contiguous()
        for name, value in inpainter.named_parameters()
        if is_trained(name, value)
    }
    save_file(kept, str(folder / "unet" / "diffusion_pytorch_model.safetensors"), {"format": "pt"})


def make_inpainter(shop: Workshop) -> None:
    """Trains some tensors of the denoiser on, to inpaint, and writes them alone."""
    pipeline = load_pipeline(shop.weights / BASE)
    scenes = shop.training.first(PICTURES)
    seed = shop.schedule("inpainter").seed
    joined = shop.kept(
        f"masked-{len(scenes)}",
        lambda: encode_masked(pipeline.vae, scenes, seed=seed, bfloat16=shop.bfloat16),
    )
    captions = CaptionStates(scenes.captions(), pipeline.text_encoder, pipeline.tokenizer)
    inpainter = build_inpainter(pipeline.unet)
    loss = partial(inpaint_loss, inpainter, build_scheduler(), split_masked(joined), captions)
    shop.train("inpainter", inpainter, loss)
    save_trained(inpainter, shop.weights / BASE / "model_index.json", shop.weights / FOLDER)


def load_inpainting(base: Path, folder: Path) -> StableDiffusionInpaintPipeline:
    """The whole pipeline, of the tensors in `folder` and the denoiser's, in float32."""
    parts = load_pipeline(base)
    inpainter = build_inpainter(parts.unet).eval()
    weights = load_file(str(folder / "unet" / "diffusion_pytorch_model.safetensors"))
    inpainter.load_state_dict(inpainter.state_dict() | weights)
    return assemble_inpainting(parts, inpainter)


def assemble_inpainting(
    parts: object, inpainter: UNet2DConditionModel
) -> StableDiffusionInpaintPipeline:
    """A pipeline for inpainting, of which all but the noise network is another pipeline's."""
    shared = {name: getattr(parts, name) for name in ("vae", "text_encoder", "tokenizer")}
    pipeline = StableDiffusionInpaintPipeline(
        **shared,
        unet=inpainter,
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
