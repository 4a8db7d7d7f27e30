"""Networks and pairs that the time of a training step is measured with, small and at full size."""

from dataclasses import dataclass, replace

import torch

from editing.diffusion.model import LatentDiffusion
from editing.features.clip import ClipSpace, load_clip_space
from editing.features.perceptual import PerceptualFeatures, load_perceptual
from editing.parts import Parts
from editing.training.objective import PairBatch
from stilllife.recipes.autoencoder import build_autoencoder
from stilllife.recipes.denoiser import build_denoiser, build_scheduler
from transforms.models.files import locate
from transforms.models.folder import load_tokenizer
from transforms.models.spec import ModelSpec

CLIP = ModelSpec(loader="clip", location="package:stilllife/weights/clip")
LAYER = ModelSpec(loader="clip_layer", location=CLIP.location)
TRAINED_WITH = ("diffusion", "encoder", "perceptual")
"""The parts of a preset that a step of iEdit's training needs."""


@dataclass(frozen=True, eq=False)
class Networks:
    """What a step of training computes with."""

    model: LatentDiffusion
    clip: ClipSpace
    perceptual: PerceptualFeatures


def small_networks(seed: int, device: str) -> Networks:
    """The still life's: autoencoder and UNet as their recipes build them, CLIP as it is shipped."""
    from transformers import CLIPTextModel

    torch.manual_seed(seed)
    folder = locate(CLIP)
    text_encoder = CLIPTextModel.from_pretrained(folder, dtype=torch.float32)
    model = LatentDiffusion(
        vae=build_autoencoder().eval().requires_grad_(requires_grad=False).to(device),
        unet=build_denoiser(text_encoder.config.hidden_size).eval().to(device),
        text_encoder=text_encoder.eval().requires_grad_(requires_grad=False).to(device),
        tokenizer=load_tokenizer(folder),
        scheduler=build_scheduler(),
    )
    clip, layer = (replace(spec, options=(("device", device),)) for spec in (CLIP, LAYER))
    return Networks(model, load_clip_space(clip), load_perceptual(layer))


def draw_batch(size: int, side: int, *, seed: int) -> PairBatch:
    """Pairs of noise with the middle of the picture as mask: what is in a picture takes no time."""
    generator = torch.Generator().manual_seed(seed)
    shape = (size, 3, side, side)
    mask = torch.zeros(size, 1, side, side)
    mask[..., side // 4 : -side // 4, side // 4 : -side // 4] = 1
    return PairBatch(
        keys=tuple(map(str, range(size))),
        source=torch.rand(shape, generator=generator) * 2 - 1,
        target=torch.rand(shape, generator=generator) * 2 - 1,
        source_mask=mask,
        target_mask=mask,
        captions=("a large green apple on a plain background, on the left",) * size,
        edit_prompts=("a large red apple on a plain background, on the left",) * size,
        source_phrases=("green apple",) * size,
        target_phrases=("red apple",) * size,
        quality=torch.ones(size),
    )


def load_full_size(preset_file: str, device: str) -> Networks:
    """The networks that the preset names, on a device as torch names it.

    Raises:
        PresetError: it names no diffusion model or no perceptual network.
    """
    from transforms.presets import load_preset

    parts = Parts(preset=load_preset(preset_file), device=device)
    return Networks(parts.diffusion, parts.load("clip_space"), parts.load("perceptual"))
