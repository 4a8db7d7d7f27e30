"""What a metric is: a statistic of each edit, and the reduction that makes one figure of many.

A statistic is computed edit by edit, so in a loop and on a cluster alike, and kept; figures and
their intervals are made of kept statistics afterwards.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from PIL import Image

from editing.evaluation.cases import EditCase

Numbers = npt.NDArray[np.float64]


def mean(values: Numbers) -> float:
    """The mean of those that are numbers; NaN where none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A statistic by its name, with the reduction to a figure: the mean, most often.

    `label` is what it is called on a page.
    """

    name: str
    label: str
    less_is_better: bool = False
    reduce: Callable[[Numbers], float] = mean


@runtime_checkable
class Statistics(Protocol):
    """Measures edits: some numbers for each of them."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What the numbers are of."""
        ...

    def __call__(
        self, cases: Sequence[EditCase], images: Sequence[Image.Image]
    ) -> Mapping[str, Numbers]:
        """By metric, a number for each of `cases` edited to `images`, NaN where there is none."""
        ...
