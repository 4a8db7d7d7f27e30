"""95% intervals of shares and of means."""

import math
from collections.abc import Sequence

from editing.evaluation.intervals import bootstrap

Bounds = tuple[float, float]

NORMAL_QUANTILE = 1.959963984540054
"""Of a normal distribution 97.5% lie below it."""


def wilson(successes: int, total: int) -> Bounds | None:
    """The interval of a share by its score (Wilson 1927), in [0, 1]; None of nothing.

    Raises:
        ValueError: `successes` is not in [0, total].
    """
    if not 0 <= successes <= total:
        raise ValueError(f"successes must be in [0, {total}], got {successes}")
    if total == 0:
        return None
    share, square = successes / total, NORMAL_QUANTILE**2
    middle = share + square / (2 * total)
    half = NORMAL_QUANTILE * math.sqrt((share * (1 - share) + square / (4 * total)) / total)
    scale = 1 + square / total
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def bootstrap_mean(values: Sequence[float], *, seed: int = 0) -> Bounds | None:
    """The percentile interval of the mean of `values` (Efron 1979); None of nothing."""
    if not values:
        return None
    interval = bootstrap([values], seed=seed)
    return interval.low, interval.high
