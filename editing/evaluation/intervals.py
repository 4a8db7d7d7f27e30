"""A figure and how sure it is: bootstrap intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from editing.evaluation.metrics import Numbers, Reduction, mean


@dataclass(frozen=True)
class Interval:
    """A figure and the interval in which it lies with the stated confidence."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap(
    columns: Sequence[Sequence[float]],
    combine: Callable[..., Numbers] | None = None,
    *,
    reduce: Reduction = mean,
    seed: int = 0,
    draws: int = 2_000,
    confidence: float = 0.95,
) -> Interval:
    """A figure of the rows of `columns` with its percentile interval (Efron 1979).

    Each column is reduced over its rows by `reduce`, and the figures of all columns are combined by
    `combine`; None stands for the first column's. Rows are resampled whole, so that columns of one
    edit stay together: with two editors' numbers on the same edits and `lambda a, b: a - b` the
    interval is that of the paired difference. Rows with a NaN in any column are left out.

    Raises:
        ValueError: no row is left.
    """
    table = np.asarray(columns, dtype=np.float64)
    table = table[:, ~np.isnan(table).any(axis=0)]
    rows = table.shape[1]
    if rows == 0:
        raise ValueError("at least one row must have a number in every column")
    join = combine or (lambda first, *_: first)
    value = float(join(*(reduce(column) for column in table)))
    picks = np.random.default_rng(seed).integers(rows, size=(draws, rows))
    figures = join(*(reduce(column[picks]) for column in table))
    tail = (1 - confidence) / 2
    low, high = np.quantile(figures, [tail, 1 - tail])
    return Interval(value, float(low), float(high))
