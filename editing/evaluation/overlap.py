"""Regions beside one another: what is found of words, and masks that were found for edits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from editing.evaluation.cases import EditCase
from editing.evaluation.metrics import Metric, Numbers
from editing.layouts import Marks
from transforms.pictures.masks import mark_region
from transforms.protocols import Segmenter

LAYOUT_IOU = Metric(name="layout_iou", label="IoU of what is found of the words with the layout")
PAIR_MASK_IOU = Metric(name="pair_mask_iou", label="IoU of the mask found with the pair's")


@dataclass(frozen=True, eq=False)
class LayoutOverlap:
    """Intersection over union of a case's mask and what a segmenter finds of its target phrase.

    The masks are what editors that follow a layout are given. The mean over edits of one segment
    each is mIoU.
    """

    segmenter: Segmenter
    metrics: tuple[Metric, ...] = (LAYOUT_IOU,)

    def __call__(
        self, cases: Sequence[EditCase], images: Sequence[Image.Image]
    ) -> dict[str, Numbers]:
        """In [0, 1]; NaN where neither marks anything."""
        relevance = self.segmenter.relevance(images, [case.target_phrase for case in cases])
        found = [
            overlap(mark_region(each, image.size) > 0, pair_mask(case))
            for each, image, case in zip(relevance, images, cases, strict=True)
        ]
        return {LAYOUT_IOU.name: np.array(found, np.float64)}


@dataclass(frozen=True, eq=False)
class MaskOverlap:
    """Intersection over union of a mask that was found for an edit and the one that is `expected`.

    `expected` gives the region that a case's mask should mark, None where nobody knows; `metric` is
    what the overlap with it is called.
    """

    metric: Metric
    expected: Callable[[EditCase], Marks | None]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The one metric."""
        return (self.metric,)

    def __call__(
        self, cases: Sequence[EditCase], masks: Sequence[Image.Image]
    ) -> dict[str, Numbers]:
        """In [0, 1]; NaN where nobody knows, or where neither marks anything."""
        found = [self._overlap(case, mask) for case, mask in zip(cases, masks, strict=True)]
        return {self.metric.name: np.array(found, np.float64)}

    def _overlap(self, case: EditCase, mask: Image.Image) -> float:
        expected = self.expected(case)
        return float("nan") if expected is None else overlap(marks_of(mask), expected)


def marks_of(mask: Image.Image) -> Marks:
    """What a mask marks."""
    return np.asarray(mask.convert("L")) > 127


def pair_mask(case: EditCase) -> Marks:
    """The mask that a case's pair has."""
    return marks_of(case.edit_mask)


def overlap(one: Marks, other: Marks) -> float:
    """Intersection over union of two regions of one picture; NaN where both are empty."""
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else float("nan")
