"""The figures of an evaluation, from the files of its cells."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from editing.choices import FID_FEATURES
from editing.evaluation.figures import (
    CellNumbers,
    Setting,
    best_at_cost,
    best_settings,
    compare,
    intervals,
    mean_over_seeds,
)
from editing.evaluation.measurer import Cell, EditCase
from editing.evaluation.metrics import INCEPTION_DIMENSION, FrechetDistance, Interval
from editing.features.clip import load_clip_space
from editing.pictures import picture_to_tensor, resize
from pipelines.evaluation.job import read_cell
from pipelines.terminal.console import CommandError
from stilllife.judge import load_judge
from transforms.models.spec import ModelSpec
from transforms.pictures.decoding import decode

BASELINE = "sdedit"
BATCH = 64


@dataclass(frozen=True)
class Summary:
    """Figures by setting and measure, each method's best setting, and what sets it apart.

    `by` is the measure the best strength is chosen by; `against` the method compared with, and
    `differences` what each method has more than it, both at their best. `matched` is the setting of
    `against` that errs by no more outside the edit (measure `cost`) than a method at its best does,
    and `matched_differences` what the method has more than that.
    """

    figures: dict[Setting, dict[str, Interval]]
    by: str
    best: dict[str, Setting]
    against: str
    differences: dict[str, dict[str, Interval]]
    cost: str
    matched: dict[str, Setting]
    matched_differences: dict[str, dict[str, Interval]]

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain data."""
        return {
            "by": self.by,
            "against": self.against,
            "best": {method: setting.strength for method, setting in self.best.items()},
            "settings": [
                {"method": setting.method, "strength": setting.strength, **_plain(measures)}
                for setting, measures in sorted(self.figures.items())
            ],
            "differences": {method: _plain(found) for method, found in self.differences.items()},
            "at_no_more_error": {
                "by": self.cost,
                "strength": {method: each.strength for method, each in self.matched.items()},
                "differences": {
                    method: _plain(found) for method, found in self.matched_differences.items()
                },
            },
        }


def _plain(measures: dict[str, Interval]) -> dict[str, list[float | None]]:
    return {
        name: [_or_none(value) for value in (each.value, each.low, each.high)]
        for name, each in measures.items()
    }


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)


def summarise(table: CellNumbers, *, fid: Mapping[Cell, float] | None = None) -> Summary:
    """The figures of all cells; the best strength is by `both`, else by CLIPScore."""
    means = mean_over_seeds(table)
    figures = intervals(means)
    by = _shared(figures, "both", "clip_score")
    cost = _shared(figures, "true_background_error", "background_error")
    best = best_settings(figures, by=by)
    against = BASELINE if BASELINE in best else next(iter(best))
    others = {method: setting for method, setting in best.items() if method != against}
    matched = {
        method: best_at_cost(
            figures, against, by=by, cost=cost, at_most=figures[setting][cost].value
        )
        for method, setting in others.items()
    }
    differences = {
        method: compare(means, setting, best[against]) for method, setting in others.items()
    }
    matched_differences = {
        method: compare(means, setting, matched[method]) for method, setting in others.items()
    }
    for setting in figures:
        values = [
            value
            for cell, value in (fid or {}).items()
            if (cell.method, cell.strength) == (setting.method, setting.strength)
        ]
        if values:
            mean = sum(values) / len(values)
            figures[setting]["fid"] = Interval(mean, min(values), max(values))
    return Summary(figures, by, best, against, differences, cost, matched, matched_differences)


def _shared(figures: Mapping[Setting, Mapping[str, Interval]], name: str, other: str) -> str:
    """`name` if every setting has that measure, else `other`."""
    return name if all(name in measures for measures in figures.values()) else other


def measure_fid(
    folder: Path,
    cells: Sequence[Cell],
    cases: Sequence[EditCase],
    *,
    distance: FrechetDistance,
) -> dict[Cell, float]:
    """FID of each cell's pictures against the real pictures that stand for the results."""
    size = min(cases[0].source.size)
    distance.learn_real(_batches([case.target for case in cases], size))
    found = {}
    for cell in cells:
        made = [decode(row["image"]["bytes"]) for row in read_cell(folder, cell)]
        found[cell] = distance.of(_batches(made, size))
    return found


def _batches(images: Sequence[Image.Image], size: int) -> Iterator[Tensor]:
    for start in range(0, len(images), BATCH):
        some = images[start : start + BATCH]
        yield torch.stack([picture_to_tensor(resize(image, (size, size))) for image in some])


def load_distance(name: str, encoder: ModelSpec) -> FrechetDistance:
    """FID by the features of one of `FID_FEATURES`.

    Raises:
        CommandError: another name.
        EditingError, ModelError: the network cannot be fetched or loaded.
    """
    if name == "judge":
        judge = load_judge()
        return FrechetDistance(judge.body, judge.num_features)
    if name == "clip":
        clip = load_clip_space(encoder)
        return FrechetDistance(clip.embed_pictures, clip.embed_texts([""]).shape[1])
    if name == "inception":
        return FrechetDistance(None, INCEPTION_DIMENSION)
    raise CommandError(f"features must be one of {', '.join(FID_FEATURES)}, got {name!r}")
