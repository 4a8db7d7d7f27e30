"""A preset with every part an editor needs, and a data set: small, random, quick."""

import json
from pathlib import Path
from typing import Any

import torch

from editing.boxes.text_region_net import TextRegionNet, save_region_net
from fakes.diffusion import save_diffusion
from fakes.pairs import write_pairs
from fakes.presets import PARTS, save_preset_file

EDITOR_PARTS = """
diffusion: {loader: stable_diffusion, location: ./model, revision: null}
perceptual: {loader: clip_layer, location: ./clip, revision: null, options: {layer: 1}}
backbone: {loader: clip_attention, location: ./clip, revision: null}
region_net: {loader: region_net, location: ./region_net, revision: null}
inpainting:
  loader: stable_diffusion_inpaint
  location: ./painter/model
  revision: null
  options: {num_inference_steps: 2, guidance_scale: 2.0}
masked_sdedit:
  loader: masked_sdedit
  location: ./model
  revision: null
  options: {num_inference_steps: 2, guidance_scale: 2.0}
"""


def save_world(root: Path, *, tokenizer: Any = None) -> Path:
    """Writes `tiny.yaml`, `poor.yaml` (no editor's parts), `model`, `painter` and `pairs`.

    Gives `root`.
    """
    save_preset_file(root, more_parts=EDITOR_PARTS)
    save_diffusion(root, tokenizer=tokenizer)
    save_diffusion(root / "painter", tokenizer=tokenizer, in_channels=9)
    save_region_net(_region_net(root), root / "region_net")
    (root / "poor.yaml").write_text(PARTS)
    write_pairs(root / "pairs")
    return root


def _region_net(root: Path) -> TextRegionNet:
    """A random network that fits the CLIP in `root`."""
    config = json.loads((root / "clip" / "config.json").read_text())
    torch.manual_seed(0)
    return TextRegionNet(
        depth=config["vision_config"]["hidden_size"],
        text_width=config["projection_dim"],
        picture_size=16,
        width=8,
    )
