"""A preset with every part an editor needs, and a data set: small, random, quick."""

from pathlib import Path
from typing import Any

from fakes.diffusion import save_diffusion
from fakes.model_folders import save_blip, save_clip, save_clipseg
from fakes.pairs import write_pairs

PARTS = """
captioner: {loader: blip, location: ./blip, revision: null}
encoder: {loader: clip, location: ./clip, revision: null}
segmenter: {loader: clipseg, location: ./clipseg, revision: null}
"""
EDITORS = """
diffusion: {loader: stable_diffusion, location: ./model, revision: null}
perceptual: {loader: clip_layer, location: ./clip, revision: null, options: {layer: 1}}
"""


def save_world(root: Path, *, tokenizer: Any = None) -> Path:
    """Writes `tiny.yaml`, `poor.yaml` (no editor's parts), `model` and `pairs`; gives `root`."""
    for name, save in (("blip", save_blip), ("clip", save_clip), ("clipseg", save_clipseg)):
        (root / name).mkdir()
        save(root / name)
    save_diffusion(root, tokenizer=tokenizer)
    (root / "tiny.yaml").write_text(PARTS + EDITORS)
    (root / "poor.yaml").write_text(PARTS)
    write_pairs(root / "pairs")
    return root
