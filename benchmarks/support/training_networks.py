"""Networks and pairs that the time of a training step is measured with, small and at full size."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from editing.diffusion.model import LatentDiffusion, load_diffusion
from editing.features.clip import ClipSpace, load_clip_space
from editing.features.perceptual import PerceptualFeatures, load_perceptual
from editing.training.objective import PairBatch
from stilllife.recipes.autoencoder import build_autoencoder
from stilllife.recipes.denoiser import build_denoiser, build_scheduler
from support.full_size_networks import build_open_clip, build_stable_diffusion, build_vgg16
from support.processes import call_apart
from transforms.models.files import locate
from transforms.models.folder import load_tokenizer
from transforms.models.spec import ModelSpec

CLIP = ModelSpec(loader="clip", location="package:stilllife/weights/clip")
LAYER = ModelSpec(loader="clip_layer", location=CLIP.location)
TRAINED_WITH = {
    "diffusion": ("stable_diffusion", build_stable_diffusion),
    "encoder": ("open_clip", build_open_clip),
    "perceptual": ("vgg16", build_vgg16),
}
NOT_NEEDED = {"captioner": "blip", "segmenter": "clipseg"}


@dataclass(frozen=True, eq=False)
class Networks:
    """What a step of training computes with."""

    model: LatentDiffusion
    clip: ClipSpace
    perceptual: PerceptualFeatures


def small_networks(seed: int) -> Networks:
    """The still life's: autoencoder and UNet as their recipes build them, CLIP as it is shipped."""
    from transformers import CLIPTextModel

    torch.manual_seed(seed)
    folder = locate(CLIP)
    text_encoder = CLIPTextModel.from_pretrained(folder, dtype=torch.float32)
    model = LatentDiffusion(
        vae=build_autoencoder().eval().requires_grad_(requires_grad=False),
        unet=build_denoiser(text_encoder.config.hidden_size).eval(),
        text_encoder=text_encoder.eval().requires_grad_(requires_grad=False),
        tokenizer=load_tokenizer(folder),
        scheduler=build_scheduler(),
    )
    return Networks(model, load_clip_space(CLIP), load_perceptual(LAYER))


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


def build_full_size(folder: Path) -> Path:
    """The networks of training at published size, saved in `folder`; the preset that names them."""
    parts = call_apart(_save_networks, folder)
    parts |= {
        part: {"loader": loader, "location": "/nowhere", "revision": None}
        for part, loader in NOT_NEEDED.items()
    }
    preset = folder / "preset.yaml"
    preset.write_text(json.dumps(parts))  # JSON is YAML
    return preset


def _save_networks(folder: Path) -> dict[str, dict[str, Any]]:
    """Saves the three networks as published; as a preset names them."""
    parts = {}
    for part, (loader, build) in TRAINED_WITH.items():
        (folder / part).mkdir()
        build(folder / part)
        parts[part] = {"loader": loader, "location": f"./{part}", "revision": None}
    return parts


def load_full_size(preset_file: str) -> Networks:
    """The networks that the preset names.

    Raises:
        PresetError: it names no diffusion model or no perceptual network.
    """
    from transforms.presets import load_preset

    preset = load_preset(preset_file)
    return Networks(
        model=load_diffusion(preset.part("diffusion")),
        clip=load_clip_space(preset.encoder),
        perceptual=load_perceptual(preset.part("perceptual")),
    )
