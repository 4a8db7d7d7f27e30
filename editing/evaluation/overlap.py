"""Whether a picture shows its words where they were asked for, as a segmenter sees it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from editing.evaluation.cases import EditCase
from editing.evaluation.metrics import Metric, Numbers
from editing.layouts import Marks
from transforms.pictures.masks import mark_region
from transforms.protocols import Segmenter

LAYOUT_IOU = Metric(name="layout_iou", label="IoU of what is found of the words with the layout")


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
            overlap(mark_region(each, image.size) > 0, np.asarray(case.edit_mask) > 127)
            for each, image, case in zip(relevance, images, cases, strict=True)
        ]
        return {LAYOUT_IOU.name: np.array(found, np.float64)}


def overlap(one: Marks, other: Marks) -> float:
    """Intersection over union of two regions of one picture; NaN where both are empty."""
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else float("nan")
