"""What a score says of the chance that a pair is right: isotonic, judged by cross-validation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FOLDS = 5
LEAST_MARKS = 20
"""From fewer marks nothing is made."""


@dataclass(frozen=True)
class Isotonic:
    """A step function that never falls: at and above `levels[i]` the chance is `chances[i]`.

    Below the first level it is the first chance. Levels ascend.
    """

    levels: Floats
    chances: Floats

    def __call__(self, scores: Floats) -> Floats:
        """The chance of each of `scores`, in [0, 1]."""
        places = np.searchsorted(self.levels, scores, side="right") - 1
        found: Floats = self.chances[np.maximum(places, 0)]
        return found


@dataclass(frozen=True)
class Calibration:
    """The chance of being right by a score, and how good that is on marks that it was not made of.

    `brier` is the mean squared error of the chances, in [0, 1], each predicted by a curve of the
    other folds (Brier 1950); `brier_constant` is that of the other folds' share of right marks in
    its place, which a score that says nothing does not beat. `highest` is the greatest score of the
    marks. `bins` are groups of marks of about one size by predicted chance: its mean, the share
    that is right, and how many marks there are.
    """

    score: str
    curve: Isotonic
    highest: float
    marks: int
    brier: float
    brier_constant: float
    bins: tuple[tuple[float, float, int], ...]


def fit_isotonic(scores: Floats, right: Floats) -> Isotonic:
    """The isotonic least-squares fit of `right` (0 or 1) by `scores`, each (n,), n at least 1.

    Pool adjacent violators (Ayer and others 1955); equal scores are one level.
    """
    levels, places = np.unique(scores, return_inverse=True)
    weights = np.bincount(places).astype(np.float64)
    means = np.bincount(places, weights=right) / weights
    blocks: list[tuple[float, float, int]] = []  # mean, weight, levels
    for mean, weight in zip(means.tolist(), weights.tolist(), strict=True):
        block = (mean, weight, 1)
        while blocks and blocks[-1][0] >= block[0]:
            before = blocks.pop()
            whole = before[1] + block[1]
            joined = (before[0] * before[1] + block[0] * block[1]) / whole
            block = (joined, whole, before[2] + block[2])
        blocks.append(block)
    starts = np.cumsum([0, *(size for _, _, size in blocks[:-1])])
    return Isotonic(levels[starts], np.asarray([mean for mean, _, _ in blocks]))


def calibrate(
    score: str, scores: Sequence[float | None], right: Sequence[bool], *, bins: int = 5
) -> Calibration | None:
    """The calibration of `score` by marks, in the order in which pairs were drawn.

    A mark without the score is left out; None where fewer than `LEAST_MARKS` are left. Of the order
    every fifth mark is a fold, so that nothing is drawn here.
    """
    kept = [
        (value, truth)
        for value, truth in zip(scores, right, strict=True)
        if value is not None and math.isfinite(value)
    ]
    if len(kept) < LEAST_MARKS:
        return None
    values = np.asarray([value for value, _ in kept], np.float64)
    truths = np.asarray([truth for _, truth in kept], np.float64)
    folds = np.arange(len(kept)) % FOLDS
    predicted, constant = np.empty_like(values), np.empty_like(values)
    for fold in range(FOLDS):
        out = folds == fold
        predicted[out] = fit_isotonic(values[~out], truths[~out])(values[out])
        constant[out] = truths[~out].mean()
    order = np.argsort(predicted, kind="stable")
    groups = [part for part in np.array_split(order, bins) if part.size]
    return Calibration(
        score=score,
        curve=fit_isotonic(values, truths),
        highest=float(values.max()),
        marks=len(kept),
        brier=float(((predicted - truths) ** 2).mean()),
        brier_constant=float(((constant - truths) ** 2).mean()),
        bins=tuple(
            (float(predicted[part].mean()), float(truths[part].mean()), int(part.size))
            for part in groups
        ),
    )
