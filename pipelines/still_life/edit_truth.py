"""The truth about edits of still lifes, for evaluation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from editing.evaluation.cases import EditCase
from editing.evaluation.metrics import Metric, Numbers
from editing.evaluation.similarity import background_error
from editing.layouts import Marks
from editing.pictures import picture_to_tensor
from stilllife.edits import edited_thing, judge_edit
from stilllife.judge import Judge, load_judge
from stilllife.scene import PICTURE_SIZE
from stilllife.truth import is_still_life, masks_of, truth_of
from transforms.pictures.masks import mark_region
from transforms.protocols import Segmenter

RIGHT = Metric(name="both", label="edit right: attribute and all others")
TRUE_BACKGROUND_ERROR = Metric(
    name="true_background_error", label="error outside the true object", less_is_better=True
)
MASK_IOU = Metric(name="mask_iou", label="IoU of the mask found with the true object")
TRUTH_METRICS = (
    RIGHT,
    Metric(name="edited", label="edited attribute right"),
    Metric(name="kept", label="other attributes kept"),
    TRUE_BACKGROUND_ERROR,
    Metric(name="position_px", label="object moved, px", less_is_better=True),
)


@dataclass(frozen=True, eq=False)
class StillLifeTruth:
    """What is true of an edited still life, as numbers.

    | name | what it is |
    |---|---|
    | `edited` | 1 where all that the prompt changes is as it says, read by the judge, else 0 |
    | `kept` | 1 where all else is as it was |
    | `both` | 1 where both are |
    | `true_background_error` | error outside the edited thing's true mask; NaN if that is all |
    | `position_px` | from where the thing was to where the segmenter finds it; NaN if it does not |

    All are NaN where the prompt asks for nothing that is not so, as it does when the caption it was
    made of was wrong.
    """

    judge: Judge
    segmenter: Segmenter
    metrics: tuple[Metric, ...] = TRUTH_METRICS

    def __call__(
        self, cases: Sequence[EditCase], images: Sequence[Image.Image]
    ) -> dict[str, Numbers]:
        """The numbers of each edit."""
        rows = self._judge(cases, images)
        names = [metric.name for metric in self.metrics]
        return {name: np.array([row[name] for row in rows], np.float64) for name in names}

    def _judge(
        self, cases: Sequence[EditCase], images: Sequence[Image.Image]
    ) -> list[Mapping[str, float]]:
        pictures = torch.stack([picture_to_tensor(image) for image in images])
        readings = self.judge.read(pictures)
        relevance = self.segmenter.relevance(images, [case.target_phrase for case in cases])
        rows: list[Mapping[str, float]] = []
        for row, (case, reading) in enumerate(zip(cases, readings, strict=True)):
            try:
                verdict = judge_edit(reading, truth_of(case.source_key), case.edit_prompt)
            except ValueError:
                rows.append(dict.fromkeys((metric.name for metric in self.metrics), math.nan))
                continue
            rows.append(
                {
                    "edited": float(verdict.edited),
                    "kept": float(verdict.kept),
                    "both": float(verdict.both),
                    "true_background_error": _background_error(case, pictures[row]),
                    "position_px": _position(case, relevance[row], images[row].size),
                }
            )
        return rows


def load_truth(cases: Sequence[EditCase], segmenter: Segmenter) -> StillLifeTruth | None:
    """The truth where all `cases` are still lifes as they are rendered, else None."""
    size = (PICTURE_SIZE, PICTURE_SIZE)
    if not all(is_still_life(each.source_key) and each.source.size == size for each in cases):
        return None
    return StillLifeTruth(load_judge(), segmenter)


def true_mask(case: EditCase) -> Marks | None:
    """Where a case's source truly is what its prompt changes; see `true_region`."""
    return true_region(case.source_key, case.edit_prompt)


def true_region(key: str, edit_prompt: str) -> Marks | None:
    """Where in the still life `key` the edited thing is; no thing, if the background is edited.

    None where the prompt asks for nothing that is not so.
    """
    try:
        thing = edited_thing(truth_of(key), edit_prompt)
    except ValueError:
        return None
    things = masks_of(key) > 127
    return np.asarray(~things.any(0) if thing is None else things[thing])


def _background_error(case: EditCase, edited: torch.Tensor) -> float:
    if edited_thing(truth_of(case.source_key), case.edit_prompt) is None:
        return math.nan
    mask = torch.from_numpy(np.asarray(true_mask(case), np.float32))
    source = picture_to_tensor(case.source)
    return background_error(edited[None], source[None], mask[None, None]).item()


def _position(case: EditCase, relevance: Any, size: tuple[int, int]) -> float:
    scene = truth_of(case.source_key)
    thing = edited_thing(scene, case.edit_prompt)
    rows, columns = np.nonzero(mark_region(relevance, size))
    if thing is None or not len(rows):
        return math.nan
    true = scene.things[thing]
    return float(np.hypot(columns.mean() + 0.5 - true.centre_x, rows.mean() + 0.5 - true.centre_y))
