"""Figures of an evaluation: means with intervals, curves over dials, and editors compared.

An edit's numbers are first averaged over seeds; what is resampled are edits.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from editing.evaluation.intervals import Interval, bootstrap
from editing.evaluation.measurer import Cell
from editing.evaluation.metrics import Metric, Numbers, Reduction, mean

CellNumbers = Mapping[Cell, Mapping[str, Sequence[float]]]
"""Of each cell what was measured, by name, for every edit in one order."""


@dataclass(frozen=True, order=True)
class DialPoint:
    """An editor at a value of its dial; None for an editor that has none."""

    editor: str
    value: float | None

    def __str__(self) -> str:
        """The editor and the value, if it has a dial."""
        return self.editor if self.value is None else f"{self.editor} {self.value:g}"


def mean_over_seeds(cells: CellNumbers) -> dict[DialPoint, dict[str, Numbers]]:
    """Every edit's numbers at a point, averaged over the seeds it was made with.

    A number that is missing (NaN) with one seed is the mean over the others.
    """
    stacked: dict[DialPoint, dict[str, list[Sequence[float]]]] = {}
    for cell in sorted(cells):
        columns = stacked.setdefault(DialPoint(cell.editor, cell.value), {})
        for name, values in cells[cell].items():
            columns.setdefault(name, []).append(values)
    return {
        point: {name: _mean(np.asarray(rows, np.float64)) for name, rows in columns.items()}
        for point, columns in stacked.items()
    }


def _mean(table: Numbers) -> Numbers:
    known = ~np.isnan(table)
    count = known.sum(axis=0)
    total = np.where(known, table, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), math.nan)


def intervals(
    statistics: Mapping[DialPoint, Mapping[str, Numbers]],
    metrics: Mapping[str, Metric] = MappingProxyType({}),
    *,
    seed: int = 0,
) -> dict[DialPoint, dict[str, Interval]]:
    """The figure of every metric at every point with its 95% interval; none where all is NaN.

    A statistic that is none of `metrics` is reduced by its mean.
    """
    return {
        point: {
            name: bootstrap([values.tolist()], reduce=reduction(name, metrics), seed=seed)
            for name, values in columns.items()
            if not np.isnan(values).all()
        }
        for point, columns in statistics.items()
    }


def reduction(name: str, metrics: Mapping[str, Metric]) -> Reduction:
    """How the statistic `name` is reduced: as its metric says, or by its mean."""
    return metrics[name].reduce if name in metrics else mean


def best_points(
    figures: Mapping[DialPoint, Mapping[str, Interval]], *, by: Metric
) -> dict[str, DialPoint]:
    """Each editor's point with the best mean of the metric `by`; the lower value of equals.

    Raises:
        KeyError: a point without that metric.
    """
    sign = 1 if by.less_is_better else -1
    best: dict[str, DialPoint] = {}
    for point in sorted(figures):
        other = best.get(point.editor)
        value = sign * figures[point][by.name].value
        if other is None or value < sign * figures[other][by.name].value:
            best[point.editor] = point
    return best


def best_at_cost(
    figures: Mapping[DialPoint, Mapping[str, Interval]],
    editor: str,
    *,
    by: Metric,
    cost: str,
    at_most: float,
) -> DialPoint:
    """The point of `editor` that is best by `by` and has at most so much of the metric `cost`.

    Where every point costs more it is the cheapest one, which favours the editor.

    Raises:
        KeyError: a point without one of the metrics.
        ValueError: the editor has no point.
    """
    own = [point for point in sorted(figures) if point.editor == editor]
    if not own:
        raise ValueError(f"{editor} has no point to choose from")
    cheap = [point for point in own if figures[point][cost].value <= at_most]
    if not cheap:
        return min(own, key=lambda point: figures[point][cost].value)
    return best_points({point: figures[point] for point in cheap}, by=by)[editor]


def compare(
    statistics: Mapping[DialPoint, Mapping[str, Numbers]],
    one: DialPoint,
    other: DialPoint,
    metrics: Mapping[str, Metric] = MappingProxyType({}),
    *,
    seed: int = 0,
) -> dict[str, Interval]:
    """What `one` has more than `other`, on the same edits, of every metric that both have."""
    shared = statistics[one].keys() & statistics[other].keys()
    differences = {}
    for name in sorted(shared):
        columns = [statistics[point][name].tolist() for point in (one, other)]
        if not np.isnan(columns).any(axis=0).all():
            differences[name] = bootstrap(
                columns, lambda a, b: a - b, reduce=reduction(name, metrics), seed=seed
            )
    return differences
