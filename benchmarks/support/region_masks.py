"""Masks of what an edit changes, by the segmenter and by the trained network, against the truth."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from editing.regions.finder import RegionFinder
from support.region_tasks import RegionTask

MEASURES = ("iou", "holds", "of_it")


def measure_masks(
    tasks: Sequence[RegionTask], finders: Mapping[str, RegionFinder]
) -> dict[str, dict[str, float]]:
    """Of each finder's masks the means of three shares.

    `iou` is intersection over union with the true thing, `holds` how much of the thing lies in the
    mask, `of_it` how much of the mask is the thing (0 where it is empty).
    """
    requests = [task.request for task in tasks]
    drawn = [torch.Generator().manual_seed(number) for number in range(len(tasks))]
    found = {}
    for name, finder in finders.items():
        masks = [np.asarray(mask) > 127 for mask in finder.find(requests, drawn)]
        rows = [_measure(mask, task.mask.numpy()) for mask, task in zip(masks, tasks, strict=True)]
        means = np.array(rows).mean(0)
        found[name] = {key: float(value) for key, value in zip(MEASURES, means, strict=True)}
    return found


def _measure(
    mask: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]",
    true: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]",
) -> tuple[float, float, float]:
    both = int((mask & true).sum())
    return both / int((mask | true).sum()), both / int(true.sum()), both / max(1, int(mask.sum()))
