"""The figures of an evaluation, from the files of its cells."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from editing.evaluation.cases import EditCase
from editing.evaluation.figures import (
    CellNumbers,
    DialPoint,
    best_at_cost,
    best_points,
    compare,
    intervals,
    mean_over_seeds,
)
from editing.evaluation.frechet import (
    FrechetReduction,
    PictureFeatures,
    inception_features,
)
from editing.evaluation.intervals import Interval
from editing.evaluation.measurer import Cell
from editing.features.clip import load_clip_space
from editing.remarks import in_words
from pipelines.evaluation.job import read_cell
from pipelines.evaluation.known_metrics import COSTS, GAINS, SHOWN, first_measured
from pipelines.evaluation.notes import Notes, take_notes
from pipelines.terminal.console import CommandError
from stilllife.judge import load_judge
from stilllife.scene import PICTURE_SIZE
from transforms.models.spec import ModelSpec
from transforms.pictures.decoding import decode_kept


@dataclass(frozen=True)
class Summary:
    """Figures by point and metric, each editor's best point, and what sets it apart.

    `by` is the metric the best point is chosen by; `baseline` the editor compared with, and
    `differences` what each editor has more than it, both at their best. `matched` is the point of
    `baseline` that errs by no more outside the edit (metric `cost`) than an editor at its best
    does, and `matched_differences` what the editor has more than that; both are empty where that
    error was not measured everywhere, as where every mask is the whole picture.

    `notes` are of the editors that there is something to say of, `odd_masks` counts masks of the
    data set that mark nothing or everything. An editor that could make no edit has notes alone.
    """

    figures: dict[DialPoint, dict[str, Interval]]
    by: str
    best: dict[str, DialPoint]
    baseline: str
    differences: dict[str, dict[str, Interval]]
    cost: str
    matched: dict[str, DialPoint]
    matched_differences: dict[str, dict[str, Interval]]
    notes: Mapping[str, Notes] = field(default_factory=dict)
    odd_masks: Mapping[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The notes for a person: what the figures leave out, and why."""
        odd = [
            f"{number} pairs have {in_words(name)}: nothing is measured on one side of it"
            for name, number in self.odd_masks.items()
        ]
        return odd + [
            f"{name}: {line}" for name, each in self.notes.items() for line in each.lines()
        ]

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain data; without notes and odd masks where there are none."""
        notes = {editor: found.as_dict() for editor, found in self.notes.items()}
        return {
            **({"notes": notes} if notes else {}),
            **({"odd_masks": dict(self.odd_masks)} if self.odd_masks else {}),
            "by": self.by,
            "baseline": self.baseline,
            "best": {editor: point.value for editor, point in self.best.items()},
            "points": [
                {"editor": point.editor, "value": point.value, **_plain(metrics)}
                for point, metrics in sorted(self.figures.items())
            ],
            "differences": {editor: _plain(found) for editor, found in self.differences.items()},
            "at_no_more_error": {
                "by": self.cost,
                "value": {editor: each.value for editor, each in self.matched.items()},
                "differences": {
                    editor: _plain(found) for editor, found in self.matched_differences.items()
                },
            },
        }


def read_notes(folder: Path, cells: Sequence[Cell]) -> dict[str, Notes]:
    """What there is to say of each editor's edits, from the files of its cells."""
    editors = dict.fromkeys(cell.editor for cell in cells)
    return {
        editor: take_notes(read_cell(folder, cell) for cell in cells if cell.editor == editor)
        for editor in editors
    }


def _plain(metrics: dict[str, Interval]) -> dict[str, list[float | None]]:
    return {
        name: [_or_none(value) for value in (each.value, each.low, each.high)]
        for name, each in metrics.items()
    }


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)


def summarise(
    table: CellNumbers,
    *,
    baseline: str,
    fid: Mapping[Cell, float] | None = None,
    notes: Mapping[str, Notes] | None = None,
    odd_masks: Mapping[str, int] | None = None,
) -> Summary:
    """The figures of all cells, and every editor against `baseline`, the name of one of them.

    The best point of an editor is chosen by the first of `GAINS` that was measured everywhere.
    Points at which no edit could be made have no figures.

    Raises:
        CommandError: there is no cell of `baseline`, or no edit of it.
    """
    told = {editor: each for editor, each in (notes or {}).items() if each}
    if baseline in told and not told[baseline].made:
        raise CommandError(
            f"no edit by {baseline}, which others are compared with, could be made: "
            f"{told[baseline].first_rejected}"
        )
    means = mean_over_seeds(table)
    figures = {point: found for point, found in intervals(means, SHOWN).items() if found}
    gain, cost = (first_measured(wanted, figures.values()) for wanted in (GAINS, COSTS))
    best = best_points(figures, by=gain)
    editors = dict.fromkeys(cell.editor for cell in table)
    best = {editor: best[editor] for editor in editors if editor in best}
    if baseline not in best:
        raise CommandError(f"baseline must be one of {', '.join(best)}, got {baseline!r}")
    others = {editor: point for editor, point in best.items() if editor != baseline}
    comparable = all(cost.name in found for found in figures.values())
    matched = {
        editor: best_at_cost(
            figures, baseline, by=gain, cost=cost.name, at_most=figures[point][cost.name].value
        )
        for editor, point in others.items()
        if comparable
    }
    differences = {
        editor: compare(means, point, best[baseline], SHOWN) for editor, point in others.items()
    }
    matched_differences = {
        editor: compare(means, best[editor], point, SHOWN) for editor, point in matched.items()
    }
    for point, interval in _over_seeds(fid or {}).items():
        if point in figures:
            figures[point]["fid"] = interval
    return Summary(
        figures,
        gain.name,
        best,
        baseline,
        differences,
        cost.name,
        matched,
        matched_differences,
        told,
        odd_masks or {},
    )


def _over_seeds(values: Mapping[Cell, float]) -> dict[DialPoint, Interval]:
    """The mean over seeds with their range, for what one set of edits has one number of."""
    found: dict[DialPoint, list[float]] = {}
    for cell, value in values.items():
        found.setdefault(DialPoint(cell.editor, cell.value), []).append(value)
    return {
        point: Interval(sum(some) / len(some), min(some), max(some))
        for point, some in found.items()
    }


def measure_fid(
    folder: Path,
    cells: Sequence[Cell],
    cases: Sequence[EditCase],
    *,
    features: PictureFeatures,
) -> dict[Cell, float]:
    """FID of each cell's pictures against the real pictures that stand for the results.

    Nothing where there are fewer than two edits, which have no distribution.
    """
    if len(cases) < 2:
        return {}
    reduce = FrechetReduction(features([case.target for case in cases]))
    found = {}
    for cell in cells:
        rows = [row["image"] for row in read_cell(folder, cell) if row["image"] is not None]
        if len(rows) >= 2:
            found[cell] = reduce(features([decode_kept(row["bytes"]) for row in rows]))
    return found


def load_features(name: str, encoder: ModelSpec) -> PictureFeatures:
    """What FID compares: the still life's `judge`, the preset's `clip`, else InceptionV3.

    Raises:
        EditingError, ModelError: the network cannot be fetched or loaded.
    """
    if name == "judge":
        return PictureFeatures(load_judge().body, PICTURE_SIZE)
    if name == "clip":
        return PictureFeatures(load_clip_space(encoder).embed_pictures)
    return inception_features()
