"""The rows of the table of DiffEdit, its edits, and how masks stand beside the truth."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from editing.editors.diffedit.settings import WAYS
from editing.evaluation.overlap import overlap
from editing.layouts import Marks
from editing.parts import Parts
from editing.pictures import to_latent_mask
from editing.regions.contrast_settings import ContrastSettings
from editing.regions.contrast_spec import CONTRAST
from editing.regions.finder import RegionFinder
from editing.regions.segmenter_spec import SEGMENTER
from stilllife.render import render
from stilllife.scene import PICTURE_SIZE
from stilllife.truth import PictureId
from support.edit_cells import Cell, seeded
from support.region_tasks import BACKGROUND, FIRST_SEED, RegionTask, draw_tasks
from transforms.protocols import Encoder

ONE_SHARE = 0.4
BACKGROUND_SHARE = 0.2
"""Edits of backgrounds, which stand apart, for each of the others."""

GROW = 0.05
STRENGTHS = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)
RATIOS = (0.5, 0.7, 0.8, 0.9)
USUAL = 0.8
"""The default ratio."""

POOL = 2000
"""Real pictures that `retrieve` chooses from."""

DEFAULT, FREE, NOISED, PEER = "diffedit", "encode-decode", "diffedit, noised", "diffusers"
SDEDIT, MASKED, TRAINED = "sdedit", "sdedit, segmenter", "iedit-m, trained"
HALF = ", half guided"
"""Of rows that are guided for as long as `diffedit` is, which their editors are not by default."""

OF_BACKGROUNDS: Mapping[str, Sequence[float]] = {
    "copy": (0.0,),
    SDEDIT: (0.1, 0.3, 0.5, 0.7),
    MASKED: (0.5, 0.7, 0.9),
    FREE: (0.5, 0.7),
    DEFAULT: (0.7, 0.8, 0.9),
    "diffedit, thesis": (0.9,),
    "diffedit, segmenter": (0.9,),
}
"""The cells that edit backgrounds as well."""

Cells = Mapping[str, Mapping[float, Cell]]


def list_cells(steps: int, *, trained: Path | None = None) -> Cells:
    """The cells of every row by the value of its dial; `trained` are weights of masked iEdit."""
    how = {"num_inference_steps": steps}

    def encoded(values: Sequence[float], editor: str, **more: Any) -> dict[float, Cell]:
        extra = more.pop("settings", {})
        return {
            value: Cell(editor=editor, settings={**how, **extra, "encoding_ratio": value}, **more)
            for value in values
        }

    def noised(values: Sequence[float], editor: str = "sdedit", **more: Any) -> dict[float, Cell]:
        extra = more.pop("settings", {})
        return {
            value: Cell(editor=editor, settings={**how, **extra, "strength": value}, **more)
            for value in values
        }

    grown = {"regions": SEGMENTER.name, "region_values": {"mask_grow": GROW}}
    masked: dict[str, Any] = {**grown, "settings": {"paste": True}}
    contrast: dict[str, Any] = {"regions": CONTRAST.name}
    always: dict[str, Any] = {"settings": {"ways": "thesis"}}
    thesis = {"region_values": {"contrast_ways": "thesis"}, **always}
    half = {"guided_share": WAYS["measured"].guided_share}
    rows = {
        "copy": {0.0: Cell(editor="copy")},
        "retrieve": {0.0: Cell(editor="retrieve")},
        SDEDIT: noised(STRENGTHS),
        SDEDIT + HALF: noised(STRENGTHS, settings=half),
        MASKED: noised((0.5, 0.7, 0.9), **masked),
        FREE: encoded((0.3, 0.5, 0.7), FREE),
        DEFAULT: encoded(RATIOS, DEFAULT, **contrast),
        "diffedit, always guided": encoded((0.7, 0.8), DEFAULT, **contrast, **always),
        "diffedit, thesis": encoded((0.8, 0.9), DEFAULT, **contrast, **thesis),
        NOISED: encoded((0.9,), DEFAULT, **contrast, settings={"encode": False}),
        "diffedit, segmenter": encoded((0.9,), DEFAULT, **grown),
    }
    if trained is not None:
        weights: dict[str, Any] = {**grown, "model": str(trained)}
        for name, more in ((TRAINED, {}), (TRAINED + HALF, half)):
            settings = {"paste": True, **more}
            rows[name] = noised((0.5, 0.6, 0.7), "iedit-m", **weights, settings=settings)
    return rows


def cells_of_backgrounds(cells: Cells) -> Cells:
    """Those of `cells` that edit backgrounds as well."""
    return {row: {at: cells[row][at] for at in values} for row, values in OF_BACKGROUNDS.items()}


def draw_mixed(seed: int, count: int) -> list[RegionTask]:
    """Edits of pictures with one thing and with two, as the world mixes them."""
    one = round(count * ONE_SHARE)
    return draw_tasks(seed, one) + draw_tasks(seed, count - one, things=2)


def draw_backgrounds(seed: int, count: int) -> list[RegionTask]:
    """Edits of backgrounds, mixed in the same way, for `count` others."""
    some = round(count * BACKGROUND_SHARE)
    one, kinds = round(some * ONE_SHARE), (BACKGROUND,)
    two = draw_tasks(seed, some - one, things=2, kinds=kinds)
    return draw_tasks(seed, one, kinds=kinds) + two


def retrieve_targets(tasks: Sequence[RegionTask], encoder: Encoder, seed: int) -> list[RegionTask]:
    """The tasks with the real picture nearest to source and prompt, in CLIP's space.

    It is looked for as iEdit does, by the mean of both embeddings, among `POOL` fresh pictures.
    """
    percent = round(100 * (1 - ONE_SHARE))
    pool = [
        Image.fromarray(render(PictureId(FIRST_SEED + seed, percent, index).scene()).pixels)
        for index in range(POOL)
    ]
    texts = encoder.encode_texts([task.prompt for task in tasks])
    queries = encoder.encode_images([task.image for task in tasks]) + texts
    nearest = (queries @ encoder.encode_images(pool).T).argmax(1)
    return [
        replace(task, pseudo_target=pool[place])
        for task, place in zip(tasks, nearest.tolist(), strict=True)
    ]


def measure_masks(
    tasks: Sequence[RegionTask], parts: Parts, *, seed: int
) -> dict[str, dict[str, Any]]:
    """Masks that are found, not grown: mean IoU with what truly changes, and CPU seconds of one."""
    requests = [task.request for task in tasks]
    finders: dict[str, RegionFinder] = {
        "difference": CONTRAST.load(parts, ContrastSettings(mask_grow=0.0)),
        "difference, thesis": CONTRAST.load(parts, ContrastSettings(contrast_ways="thesis")),
        "segmenter": SEGMENTER.load(parts, SEGMENTER.settings()),
    }
    found = {}
    for name, finder in finders.items():
        generators = [seeded(seed, number) for number in range(len(tasks))]
        began = time.process_time()
        masks = [np.asarray(mask) > 127 for mask in finder.find(requests, generators)]
        seconds = (time.process_time() - began) / len(tasks)
        found[name] = {"iou": overlaps_by_kind(masks, tasks), "seconds": seconds}
    factor = parts.diffusion.factor
    size = PICTURE_SIZE // factor
    coarse = [_at_latent_size(task, factor) for task in tasks]
    found[f"at most, {size} x {size}"] = {"iou": overlaps_by_kind(coarse, tasks), "seconds": None}
    return found


def overlaps_by_kind(masks: Sequence[Marks], tasks: Sequence[RegionTask]) -> dict[str, float]:
    """Mean intersection over union of masks with what truly changes, for each kind of edit."""
    shares = [overlap(mask, task.mask.numpy()) for mask, task in zip(masks, tasks, strict=True)]
    return mean_by_kind(shares, tasks)


def mean_by_kind(values: Sequence[float], tasks: Sequence[RegionTask]) -> dict[str, float]:
    """The mean of values, one for each task, for each kind of edit that there is."""
    kinds = dict.fromkeys(task.kind for task in tasks)
    pairs = list(zip(values, tasks, strict=True))
    return {
        kind: float(np.mean([value for value, task in pairs if task.kind == kind]))
        for kind in kinds
    }


def _at_latent_size(task: RegionTask, factor: int) -> Marks:
    """What truly changes as finely as a mask of the latent's size has it."""
    small = to_latent_mask(task.mask[None, None].float(), factor)[0, 0].numpy() > 0.5
    return small.repeat(factor, 0).repeat(factor, 1)
