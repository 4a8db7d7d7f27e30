"""A preset whose networks have the published sizes and random weights, for timing and memory."""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from support.full_size_networks import (
    BUILDERS,
    build_amused,
    build_dino,
    build_inpainting,
    build_stable_diffusion,
    build_vgg16,
)
from support.processes import call_apart
from transforms.presets import PIPELINE_PARTS, load_preset

OF_LOADER: Mapping[str, Callable[[Path], int]] = {
    **BUILDERS,
    "stable_diffusion": build_stable_diffusion,
    "stable_diffusion_inpaint": build_inpainting,
    "masked_sdedit": build_stable_diffusion,
    "dino": build_dino,
    "vgg16": build_vgg16,
    "amused": build_amused,
}
"""What saves the network that a loader of the preset sd14 reads."""

OF_PUBLISHED_FILES = {"variant"}
"""Options that say how the published files are named; those made here have the usual names."""


def write_full_size_preset(folder: Path, parts: Collection[str]) -> Path:
    """The preset sd14, its `parts` with random weights in `folder`, in a file there.

    Parts that are not asked for stand at a place where nothing is, or are left out.
    """
    published = load_preset("sd14")
    fields: dict[str, Any] = {}
    for part in dict.fromkeys((*PIPELINE_PARTS, *parts)):
        spec = published.part(part)
        location = "/nowhere"
        if part in parts:
            (folder / part).mkdir()
            call_apart(OF_LOADER[spec.loader], folder / part)
            location = f"./{part}"
        options = {k: v for k, v in dict(spec.options).items() if k not in OF_PUBLISHED_FILES}
        fields[part] = {
            "loader": spec.loader,
            "location": location,
            "revision": None,
            "options": options,
        }
    preset = folder / "preset.yaml"
    preset.write_text(json.dumps(fields), encoding="utf-8")  # JSON is YAML
    return preset
