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


Reduction = Callable[[Numbers], Numbers]
"""From statistics, with the edits along the last axis, to figures, with that axis gone."""


def mean(statistics: Numbers) -> Numbers:
    """The mean over edits: the reduction of almost every metric."""
    return np.asarray(np.mean(statistics, axis=-1), np.float64)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A statistic by its name, with the reduction that makes a figure of many edits'.

    `label` is what it is called on a page. FID is the one whose statistic is no number but a row of
    features, see `editing.evaluation.frechet`; its reduction is there too.
    """

    name: str
    label: str
    less_is_better: bool = False
    reduce: Reduction = mean


@runtime_checkable
class MaskStatistics(Protocol):
    """Measures the masks that were found for edits: some numbers for each of them."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What the numbers are of."""
        ...

    def __call__(
        self, cases: Sequence[EditCase], masks: Sequence[Image.Image]
    ) -> Mapping[str, Numbers]:
        """By metric, a number for the mask (L, bright inside) of each of `cases`, NaN for none."""
        ...


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
