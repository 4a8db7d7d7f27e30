"""Figures of an evaluation: means with intervals, curves over strength, and methods compared.

An edit's numbers are first averaged over seeds; what is resampled are edits.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from editing.evaluation.measurer import Cell
from editing.evaluation.metrics import Interval, bootstrap

Numbers = npt.NDArray[np.float64]
CellNumbers = Mapping[Cell, Mapping[str, Sequence[float]]]
"""Of each cell what was measured, by name, for every edit in one order."""

LESS_IS_BETTER = frozenset(
    {"background_error", "true_background_error", "position_px", "fid", "lpips"}
)


@dataclass(frozen=True, order=True)
class Setting:
    """A method at a strength."""

    method: str
    strength: float

    def __str__(self) -> str:
        """The method and its strength, if it has one."""
        return f"{self.method} {self.strength:g}" if self.strength else self.method


def mean_over_seeds(cells: CellNumbers) -> dict[Setting, dict[str, Numbers]]:
    """Every edit's numbers at a setting, averaged over the seeds it was made with.

    A number that is missing (NaN) with one seed is the mean over the others.
    """
    stacked: dict[Setting, dict[str, list[Sequence[float]]]] = {}
    for cell in sorted(cells):
        columns = stacked.setdefault(Setting(cell.method, cell.strength), {})
        for name, values in cells[cell].items():
            columns.setdefault(name, []).append(values)
    return {
        setting: {name: _mean(np.asarray(rows, np.float64)) for name, rows in columns.items()}
        for setting, columns in stacked.items()
    }


def _mean(table: Numbers) -> Numbers:
    known = ~np.isnan(table)
    count = known.sum(axis=0)
    total = np.where(known, table, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), math.nan)


def intervals(
    means: Mapping[Setting, Mapping[str, Numbers]], *, seed: int = 0
) -> dict[Setting, dict[str, Interval]]:
    """The mean of every measure at every setting with its 95% interval; none where all is NaN."""
    return {
        setting: {
            name: bootstrap([values.tolist()], seed=seed)
            for name, values in columns.items()
            if not np.isnan(values).all()
        }
        for setting, columns in means.items()
    }


def best_settings(
    figures: Mapping[Setting, Mapping[str, Interval]], *, by: str
) -> dict[str, Setting]:
    """Each method's setting with the best mean of the measure `by`; the lower strength of equals.

    Raises:
        KeyError: a setting without that measure.
    """
    sign = 1 if by in LESS_IS_BETTER else -1
    best: dict[str, Setting] = {}
    for setting in sorted(figures):
        other = best.get(setting.method)
        value = sign * figures[setting][by].value
        if other is None or value < sign * figures[other][by].value:
            best[setting.method] = setting
    return best


def best_at_cost(
    figures: Mapping[Setting, Mapping[str, Interval]],
    method: str,
    *,
    by: str,
    cost: str,
    at_most: float,
) -> Setting:
    """The setting of `method` that is best by `by` and has at most so much of `cost`.

    Where every setting costs more it is the cheapest one, which favours the method.

    Raises:
        KeyError: a setting without one of the measures.
        ValueError: the method has no setting.
    """
    own = [setting for setting in sorted(figures) if setting.method == method]
    cheap = [setting for setting in own if figures[setting][cost].value <= at_most]
    if not cheap:
        return min(own, key=lambda setting: figures[setting][cost].value)
    return best_settings({setting: figures[setting] for setting in cheap}, by=by)[method]


def compare(
    means: Mapping[Setting, Mapping[str, Numbers]],
    one: Setting,
    other: Setting,
    *,
    seed: int = 0,
) -> dict[str, Interval]:
    """The mean difference `one` - `other`, edit by edit, of every measure that both have."""
    shared = means[one].keys() & means[other].keys()
    differences = {}
    for name in sorted(shared):
        columns = [means[one][name].tolist(), means[other][name].tolist()]
        if not np.isnan(columns).any(axis=0).all():
            differences[name] = bootstrap(columns, lambda a, b: a - b, seed=seed)
    return differences
