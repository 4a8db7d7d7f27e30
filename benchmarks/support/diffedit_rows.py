"""The rows of the table of DiffEdit, its edits, and how masks stand beside the truth."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from editing.evaluation.overlap import overlap
from editing.layouts import Marks
from editing.parts import Parts
from editing.pictures import to_latent_mask
from editing.regions.contrast_settings import ContrastSettings
from editing.regions.contrast_spec import CONTRAST
from editing.regions.finder import RegionFinder
from editing.regions.segmenter_spec import SEGMENTER
from stilllife.scene import PICTURE_SIZE
from support.edit_cells import Cell, seeded
from support.region_tasks import KINDS, RegionTask, draw_tasks

ONE_SHARE = 0.4
GROW = 0.05
STRENGTHS = (0.1, 0.15, 0.2, 0.3, 0.5, 0.7)
RATIOS = (0.5, 0.7, 0.8, 0.9)
USUAL = 0.8
"""The default ratio."""


def list_cells(steps: int) -> dict[str, dict[float, Cell]]:
    """The cells of every row by the value of its dial."""
    how = {"num_inference_steps": steps}

    def encoded(values: Sequence[float], editor: str, **more: Any) -> dict[float, Cell]:
        extra = more.pop("settings", {})
        return {
            value: Cell(editor=editor, settings={**how, **extra, "encoding_ratio": value}, **more)
            for value in values
        }

    def noised(values: Sequence[float], **more: Any) -> dict[float, Cell]:
        extra = more.pop("settings", {})
        return {
            value: Cell(editor="sdedit", settings={**how, **extra, "strength": value}, **more)
            for value in values
        }

    grown = {"regions": SEGMENTER.name, "region_values": {"mask_grow": GROW}}
    contrast: dict[str, Any] = {"regions": CONTRAST.name}
    thesis = {"region_values": {"contrast_ways": "thesis"}}
    return {
        "copy": {0.0: Cell(editor="copy")},
        "sdedit": noised(STRENGTHS),
        "sdedit, segmenter": noised((0.5, 0.7, 0.9), settings={"paste": True}, **grown),
        "encode-decode": encoded((0.3, 0.5, 0.7), "encode-decode"),
        "diffedit": encoded(RATIOS, "diffedit", **contrast),
        "diffedit, thesis": encoded((0.8, 0.9), "diffedit", **contrast, **thesis),
        "diffedit, noised": encoded((0.9,), "diffedit", **contrast, settings={"encode": False}),
        "diffedit, segmenter": encoded((0.9,), "diffedit", **grown),
    }


def draw_mixed(seed: int, count: int) -> list[RegionTask]:
    """Edits of pictures with one thing and with two, as the world mixes them."""
    one = round(count * ONE_SHARE)
    return draw_tasks(seed, one) + draw_tasks(seed, count - one, things=2)


def measure_masks(
    tasks: Sequence[RegionTask], parts: Parts, *, seed: int
) -> dict[str, dict[str, float]]:
    """Mean IoU of masks with the true thing, of each kind of edit."""
    requests = [task.request for task in tasks]
    finders: dict[str, RegionFinder] = {
        "difference": CONTRAST.load(parts, ContrastSettings(mask_grow=0.0)),
        "difference, thesis": CONTRAST.load(parts, ContrastSettings(contrast_ways="thesis")),
        "segmenter": SEGMENTER.load(parts, SEGMENTER.settings()),
    }
    masks = {}
    for name, finder in finders.items():
        generators = [seeded(seed, number) for number in range(len(tasks))]
        masks[name] = [np.asarray(mask) > 127 for mask in finder.find(requests, generators)]
    factor = parts.diffusion.factor
    size = PICTURE_SIZE // factor
    masks[f"at most, {size} x {size}"] = [_at_latent_size(task, factor) for task in tasks]
    found = {}
    for name, some in masks.items():
        shares = [overlap(mask, task.mask.numpy()) for mask, task in zip(some, tasks, strict=True)]
        found[name] = mean_by_kind(shares, tasks)
    return found


def mean_by_kind(values: Sequence[float], tasks: Sequence[RegionTask]) -> dict[str, float]:
    """The mean of values, one for each task, for each kind of edit."""
    pairs = list(zip(values, tasks, strict=True))
    return {
        kind: float(np.mean([value for value, task in pairs if task.kind == kind]))
        for kind in KINDS
    }


def _at_latent_size(task: RegionTask, factor: int) -> Marks:
    """The true thing as finely as a mask of the latent's size has it."""
    small = to_latent_mask(task.mask[None, None].float(), factor)[0, 0].numpy() > 0.5
    return small.repeat(factor, 0).repeat(factor, 1)
