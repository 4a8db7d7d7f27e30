"""Who makes the masks of pairs: the preset's segmenter, or any other region finder."""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from editing.parts import PART_LOADERS, Parts
from editing.regions.registry import REGIONS
from editing.settings import chosen_numbers
from transforms.models.loading import LoadSegmenter
from transforms.models.spec import ModelSpec
from transforms.presets import Preset
from transforms.protocols import EditSegmenter, PictureEdit, Segmenter, Vectors

if TYPE_CHECKING:
    from editing.regions.finder import RegionFinder

ROOM = "mask_grow"
"""The setting of region finders that leaves room for an edit. Masks of pairs have none: they say
what is edited.
"""

BY_SEGMENTER = "segmenter"
"""The region finder that a build uses where nobody names another."""


@dataclass(frozen=True, eq=False)
class FoundRegions:
    """A region finder as the stage Segment asks: told the edit of each picture, not a phrase alone.

    What is random in it is drawn from the edit's words.
    """

    finder: "RegionFinder"

    def edit_relevance(
        self, images: Sequence[Image.Image], edits: Sequence[PictureEdit]
    ) -> list[Vectors]:
        """1 where an edit may change its picture and 0 elsewhere, of the pictures' sizes."""
        import torch

        from editing.requests import Request

        requests = [
            Request(
                image=image,
                prompt=edit.prompt,
                source_prompt=edit.caption,
                mask_phrase=edit.phrase,
            )
            for image, edit in zip(images, edits, strict=True)
        ]
        seeds = [hashlib.sha256(f"{e.caption}\n{e.prompt}".encode()).digest()[:7] for e in edits]
        drawn = [torch.Generator().manual_seed(int.from_bytes(seed, "big")) for seed in seeds]
        masks = self.finder.find(requests, drawn)
        return [(np.asarray(mask) > 127).astype(np.float32) for mask in masks]


@dataclass(frozen=True)
class LoadRegions:
    """Loads the region finder `name`, its masks not grown, of the parts `specs` when called."""

    name: str
    specs: tuple[tuple[str, ModelSpec], ...]

    def __call__(self) -> EditSegmenter:
        """The region finder.

        Raises:
            ModelError: it cannot be loaded.
        """
        spec = REGIONS[self.name]
        parts = Parts(preset=Preset(name=self.name, parts=dict(self.specs)))
        return FoundRegions(spec.load(parts, pair_settings(self.name)))


def pair_settings(name: str) -> Any:
    """The settings of the region finder `name` for masks of pairs: its usual ones, not grown."""
    settings = REGIONS[name].settings
    grows = ROOM in {each.name for each in dataclasses.fields(settings)}
    return settings(**({ROOM: 0.0} if grows else {}))


def describe_pair_settings(name: str) -> dict[str, Any]:
    """Them as plain data, numbers of named ways included: by others, pairs are other pairs."""
    settings = pair_settings(name)
    return {**dataclasses.asdict(settings), **chosen_numbers(settings)}


def region_parts(name: str) -> tuple[str, ...]:
    """Which parts of a preset the region finder `name` is made of."""
    return tuple(sorted({PART_LOADERS[part].of for part in REGIONS[name].parts}))


def choose_regions(name: str, preset: Preset) -> "LoadSegmenter | LoadRegions":
    """What loads the region finder `name` of a preset in a worker process: picklable, hashable.

    Raises:
        PresetError: the preset lacks a part of it.
    """
    if name == BY_SEGMENTER:
        return LoadSegmenter(preset.segmenter)
    return LoadRegions(name, tuple((part, preset.part(part)) for part in region_parts(name)))


Masker = Segmenter | EditSegmenter
"""What the stage Segment works with."""
