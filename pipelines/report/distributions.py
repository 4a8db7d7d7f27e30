"""How the scores lie, accepted against rejected, and what moving a threshold would cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.report.dataset import FinishedDataset
from transforms.dataset.schema import SCORE_MEANINGS, score_column
from transforms.record import SCORE_NAMES, Scores
from transforms.scores import MOST_QUALITY, rank_score, word_order

FINE_BINS = 240
SHOWN_BINS = 30
MOST_LEVELS = 40
KEPT_SHARES = (0.9, 0.75, 0.5)

# Not stored scores: Select works them out, the first from the two captions, the other from that
# and from stored ones, and so does the report.
WORKED_OUT = ("word_order", "quality")
WORKED_OUT_MEANINGS = {
    "word_order": "words of edit prompt and target caption that stand in the same order, 0 to 1",
    "quality": "structure + word order + target confidence / 2 + directional / 4, at most 2.75",
}
# Scores that are 0 or 1: a threshold on one is a requirement that is made or not.
FLAGS = ("new_word", "old_word")
NAMES = (*SCORE_NAMES, *WORKED_OUT)
# What came with its source has no confidence, and passes.
UNMEASURED_PASSES = frozenset({"source_confidence", "target_confidence"})
NO_THRESHOLD_REASONS = frozenset(
    {"enough_edits", "no_candidate", "order_differs", "quality_too_low"}
)

MINIMUM = "minimum"
MAXIMUM = "maximum"

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Threshold:
    """One rule of the selection: `score` must be at least (or at most) `value`.

    `side` is `MINIMUM` or `MAXIMUM`.
    """

    score: str
    side: str
    value: float

    def __post_init__(self) -> None:
        if self.score not in NAMES:
            raise ValueError(f"score must be one of {', '.join(NAMES)}, got {self.score!r}")
        if self.side not in (MINIMUM, MAXIMUM):
            raise ValueError(f"side must be {MINIMUM} or {MAXIMUM}, got {self.side!r}")

    def passes(self, values: Floats) -> npt.NDArray[np.bool_]:
        """Which of `values` keep the rule; NaN, a score not measured, only for a confidence."""
        kept = values >= self.value if self.side == MINIMUM else values <= self.value
        return kept | np.isnan(values) if self.score in UNMEASURED_PASSES else kept


@dataclass
class Axis:
    """The range of one score, cut into equal bins; whole-numbered scores get a bin a number."""

    low: float
    high: float
    whole: bool = False

    @property
    def bins(self) -> int:
        """How many fine bins there are."""
        return round(self.high - self.low) if self.whole else FINE_BINS

    def edges(self) -> Floats:
        """The ends of the bins, `bins` + 1 of them."""
        return np.linspace(self.low, self.high, self.bins + 1)

    def count(self, values: Floats) -> Counts:
        """How many of `values` fall in each bin; NaN in none, what lies outside in the last."""
        measured = np.clip(values[~np.isnan(values)], self.low, self.high)
        return np.histogram(measured, bins=self.bins, range=(self.low, self.high))[0]


@dataclass
class Distribution:
    """One score over all pairs and all rejected edits.

    `accepted` and `rejected` count the pairs and the rejected edits (by their best candidate) in
    the bins of `axis`; `returning[i]` counts the edits that the i-th of `thresholds` alone keeps
    out. `unmeasured` and `rejected_unmeasured` count those without this score.
    """

    name: str
    axis: Axis
    thresholds: tuple[Threshold, ...]
    accepted: Counts
    rejected: Counts
    returning: list[Counts]
    unmeasured: int = 0
    rejected_unmeasured: int = 0

    @property
    def meaning(self) -> str:
        """What the score is, in words."""
        return SCORE_MEANINGS.get(self.name) or WORKED_OUT_MEANINGS[self.name]

    def shown(self, counts: Counts) -> Counts:
        """`counts` in the fewer, wider bins of a picture."""
        if self.axis.whole:
            return counts
        wider: Counts = counts.reshape(SHOWN_BINS, FINE_BINS // SHOWN_BINS).sum(1)
        return wider


@dataclass(frozen=True)
class Curve:
    """How many pairs stay as one threshold moves and the others stand.

    `kept` counts the present pairs that pass at each of `values`; `with_returning` adds the edits
    that this threshold alone keeps out, `keeps_out` of them in all, each judged on the best
    candidate it had. `stations` are a few thresholds, stricter and stricter, each with the share
    of the present pairs that it keeps.
    """

    threshold: Threshold
    values: Floats
    kept: Counts
    with_returning: Counts
    keeps_out: int
    stations: tuple[tuple[float, float], ...]


def measure_scores(dataset: FinishedDataset, thresholds: Sequence[Threshold]) -> list[Distribution]:
    """The distribution of every score that any pair or reject has, in the order of the record.

    What is worked out comes last, for the pairs alone, and only if it has a threshold. Reads the
    score columns once; memory does not grow with the data set.
    """
    columns = [score_column(name) for name in SCORE_NAMES]
    ranges = [table.column_ranges(columns) for table in (dataset.pairs, dataset.rejects)]
    found = [make_distribution(name, ranges, thresholds) for name in NAMES]
    distributions = [each for each in found if each is not None]
    texts = ["edit_prompt", "target_caption"]
    for _, table in dataset.pairs.batches([*columns, *texts]):
        scores = read_scores(table)
        if any(each.name in WORKED_OUT for each in distributions):
            scores |= work_out(table)
        for each in distributions:
            each.accepted += each.axis.count(scores[each.name])
            each.unmeasured += int(np.isnan(scores[each.name]).sum())
    for _, table in dataset.rejects.batches([*columns, "number", "reason"]):
        add_rejects(distributions, table, thresholds)
    return distributions


def work_out(table: Mapping[str, Sequence[Any]]) -> dict[str, Floats]:
    """The scores of pairs that are not stored, by name."""
    orders = list(map(word_order, table["edit_prompt"], table["target_caption"]))
    columns = [table[score_column(name)] for name in SCORE_NAMES]
    rows = zip(*columns, strict=True)
    ranks = [
        rank_score(Scores(**dict(zip(SCORE_NAMES, row, strict=True))), order)
        for row, order in zip(rows, orders, strict=True)
    ]
    return dict(zip(WORKED_OUT, map(np.asarray, (orders, ranks)), strict=True))


def read_scores(table: Mapping[str, Sequence[float | None]]) -> dict[str, Floats]:
    """The score columns of a table by score; NaN where a score was not measured."""
    return {name: np.array(table[score_column(name)], np.float64) for name in SCORE_NAMES}


def make_distribution(
    name: str,
    ranges: Sequence[Mapping[str, tuple[float, float]]],
    thresholds: Sequence[Threshold],
) -> Distribution | None:
    """An empty distribution of one score, wide enough for its values; None if it has none.

    `ranges` hold smallest and largest value by column.
    """
    own = tuple(threshold for threshold in thresholds if threshold.score == name)
    if name in WORKED_OUT:
        ends = [0.0, 1.0 if name == "word_order" else MOST_QUALITY] if own else []
    else:
        column = score_column(name)
        ends = [end for each in ranges if column in each for end in each[column]]
    if not ends:
        return None
    axis = fit_axis(ends + [threshold.value for threshold in own], name)
    empty = [np.zeros(axis.bins, np.int64) for _ in range(2 + len(own))]
    return Distribution(name, axis, own, empty[0], empty[1], empty[2:])


def fit_axis(values: Sequence[float], name: str) -> Axis:
    """An axis that holds all `values`, with some room about a single one."""
    low, high = min(values), max(values)
    levels = high - low + 1
    if name in FLAGS:
        return Axis(-0.5, 1.5, whole=True)
    if name == "rank" and levels <= MOST_LEVELS:
        return Axis(np.floor(low) - 0.5, np.ceil(high) + 0.5, whole=True)
    return Axis(low, high) if high - low > 1e-9 else Axis(low - 0.05, high + 0.05)


def add_rejects(
    distributions: Sequence[Distribution],
    table: Mapping[str, Sequence[Any]],
    thresholds: Sequence[Threshold],
) -> None:
    """Count rejected edits, and for each threshold those that fail it and no other.

    What is worked out cannot be judged here, since a reject holds no caption of its candidate: an
    edit rejected for it is not counted as kept out by anything else.
    """
    scores = read_scores(table)
    scores |= dict.fromkeys(WORKED_OUT, np.full(len(table["number"]), np.nan))
    edits = np.array([number is not None for number in table["number"]], bool)
    open_to = edits & ~np.isin(np.array(table["reason"], object), list(NO_THRESHOLD_REASONS))
    judged = [rule for rule in thresholds if rule.score not in WORKED_OUT]
    failed = {rule: ~rule.passes(scores[rule.score]) for rule in judged}
    failures = np.sum(list(failed.values()), axis=0, dtype=np.int64)
    for each in distributions:
        values = scores[each.name]
        each.rejected += each.axis.count(values[edits])
        each.rejected_unmeasured += int(np.isnan(values[edits]).sum())
        for counts, rule in zip(each.returning, each.thresholds, strict=True):
            if rule in failed:
                counts += each.axis.count(values[failed[rule] & (failures == 1) & open_to])


def trace_curve(distribution: Distribution, index: int) -> Curve:
    """The cost of moving the `index`-th threshold of `distribution`."""
    threshold = distribution.thresholds[index]
    values = distribution.axis.edges()
    kept = passing(distribution.accepted, threshold.side) + distribution.unmeasured
    returning = distribution.returning[index]
    return Curve(
        threshold,
        values,
        kept=kept,
        with_returning=kept + passing(returning, threshold.side),
        keeps_out=int(returning.sum()),
        stations=find_stations(values, kept, threshold.side),
    )


def passing(counts: Counts, side: str) -> Counts:
    """How many pass with the threshold at each end of a bin; one more value than `counts`."""
    below = np.concatenate([[0], np.cumsum(counts)])
    return counts.sum() - below if side == MINIMUM else below


def find_stations(values: Floats, kept: Counts, side: str) -> tuple[tuple[float, float], ...]:
    """The strictest of `values` for each of `KEPT_SHARES`, and the share it does keep."""
    total = int(kept.max())
    found: dict[float, float] = {}
    for share in KEPT_SHARES if total else ():
        enough = np.flatnonzero(kept >= share * total)
        strictest = enough[-1] if side == MINIMUM else enough[0]
        found[float(values[strictest])] = int(kept[strictest]) / total
    return tuple(found.items())
