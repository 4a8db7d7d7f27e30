"""A preset with every part an editor needs, and a data set: small, random, quick."""

from pathlib import Path
from typing import Any

from fakes.diffusion import save_diffusion
from fakes.pairs import write_pairs
from fakes.presets import PARTS, save_preset_file

EDITOR_PARTS = """
diffusion: {loader: stable_diffusion, location: ./model, revision: null}
perceptual: {loader: clip_layer, location: ./clip, revision: null, options: {layer: 1}}
"""


def save_world(root: Path, *, tokenizer: Any = None) -> Path:
    """Writes `tiny.yaml`, `poor.yaml` (no editor's parts), `model` and `pairs`; gives `root`."""
    save_preset_file(root, more_parts=EDITOR_PARTS)
    save_diffusion(root, tokenizer=tokenizer)
    (root / "poor.yaml").write_text(PARTS)
    write_pairs(root / "pairs")
    return root
