"""The truth about edits of still lifes, for evaluation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from editing.evaluation.measurer import EditCase
from editing.evaluation.metrics import background_error
from editing.pictures import picture_to_tensor
from stilllife.edits import edited_thing, judge_edit
from stilllife.judge import Judge, load_judge
from stilllife.truth import is_still_life, masks_of, truth_of
from transforms.pictures.masks import mark_region
from transforms.protocols import Segmenter

TOLD = ("edited", "kept", "both", "true_background_error", "position_px")


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

    def __call__(
        self, cases: Sequence[EditCase], images: Sequence[Image.Image]
    ) -> list[Mapping[str, float]]:
        """The numbers of each edit."""
        pictures = torch.stack([picture_to_tensor(image) for image in images])
        readings = self.judge.read(pictures)
        relevance = self.segmenter.relevance(images, [case.target_phrase for case in cases])
        rows: list[Mapping[str, float]] = []
        for row, (case, reading) in enumerate(zip(cases, readings, strict=True)):
            try:
                verdict = judge_edit(reading, truth_of(case.source_key), case.edit_prompt)
            except ValueError:
                rows.append(dict.fromkeys(TOLD, math.nan))
                continue
            numbers = (
                float(verdict.edited),
                float(verdict.kept),
                float(verdict.both),
                _background_error(case, pictures[row]),
                _position(case, relevance[row], images[row].size),
            )
            rows.append(dict(zip(TOLD, numbers, strict=True)))
        return rows


def load_truth(cases: Sequence[EditCase], segmenter: Segmenter) -> StillLifeTruth | None:
    """The truth where all `cases` are still lifes, else None."""
    if not all(is_still_life(case.source_key) for case in cases):
        return None
    return StillLifeTruth(load_judge(), segmenter)


def _background_error(case: EditCase, edited: torch.Tensor) -> float:
    thing = edited_thing(truth_of(case.source_key), case.edit_prompt)
    if thing is None:
        return math.nan
    mask = torch.from_numpy((masks_of(case.source_key)[thing] > 127).astype(np.float32))
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
