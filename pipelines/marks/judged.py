"""A data set and its marks: what they say of its precision, its scores and its judges."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipelines.marks.agreement import Agreement, agreements
from pipelines.marks.calibration import Calibration, calibrate
from pipelines.marks.marks_file import RIGHT, UNSURE, WRONG, Heading, Marks, MarksError, read_marks
from pipelines.marks.precision import CONFIDENCE, Estimate, Stratum, estimate
from pipelines.marks.strata import Design, RankedPair, read_ranked
from transforms.dataset.files import hash_file
from transforms.dataset.manifest import MANIFEST
from transforms.dataset.reader import PairsDataset


@dataclass(frozen=True)
class JudgedPairs:
    """The pairs of a data set in the order of the draw, and what the judges said of them.

    `judge` names the one whose marks count; None: everybody's.
    """

    pairs: Sequence[RankedPair]
    marks: Marks
    judge: str | None = None

    @cached_property
    def judges(self) -> list[str]:
        """Whose marks count."""
        return self.marks.judges if self.judge is None else [self.judge]

    def verdict(self, pair: RankedPair) -> str | None:
        """What the judges say of a pair together; None where nobody marked it.

        The strictest counts: a pair that anybody calls wrong is wrong, and one that somebody is
        unsure about and nobody calls wrong is unsure.
        """
        said = {
            mark.verdict
            for judge in self.judges
            if (mark := self.marks.of(judge).get(pair.key)) and mark.target_key == pair.target_key
        }
        return next((each for each in (WRONG, UNSURE, RIGHT) if each in said), None)

    def right(self, pair: RankedPair) -> bool | None:
        """Whether a pair is right; None where it is not marked or the judges are unsure."""
        verdict = self.verdict(pair)
        return None if verdict in (None, UNSURE) else verdict == RIGHT

    @cached_property
    def told(self) -> list[tuple[RankedPair, bool]]:
        """The pairs that are marked right or wrong, in the order of the draw."""
        return [(pair, right) for pair in self.pairs if (right := self.right(pair)) is not None]

    def strata(self) -> list[Stratum]:
        """The strata from the lowest scores to the highest, with their marks."""
        pairs = Counter(pair.stratum for pair in self.pairs)
        marked = Counter(pair.stratum for pair, _ in self.told)
        right = Counter(pair.stratum for pair, is_right in self.told if is_right)
        return [Stratum(pairs[each], marked[each], right[each]) for each in sorted(pairs)]

    def score_ranges(self) -> list[tuple[float | None, float | None]]:
        """The least and greatest score of each stratum; None where none was measured."""
        score = self.marks.heading.design.score
        values: dict[int, list[float]] = {pair.stratum: [] for pair in self.pairs}
        for pair in self.pairs:
            value = pair.scores[score]
            if value is not None:
                values[pair.stratum].append(value)
        return [
            (min(each), max(each)) if each else (None, None) for _, each in sorted(values.items())
        ]


@dataclass(frozen=True)
class StratumSummary:
    """One stratum: the range of its scores, and its estimate; None where nothing is marked."""

    low_score: float | None
    high_score: float | None
    pairs: int
    estimate: Estimate | None


@dataclass(frozen=True)
class JudgingSummary:
    """All that the marks of a data set say.

    `precision` is of the whole set, `by_judge` by the marks of each judge alone, `parts` counts the
    parts that anybody found wrong, and `unsure` the pairs that judges are unsure about.
    """

    score: str
    precision: Estimate | None
    strata: tuple[StratumSummary, ...]
    by_judge: dict[str, Estimate | None]
    agreements: tuple[Agreement, ...]
    parts: dict[str, int]
    unsure: int
    calibration: Calibration | None

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain data, for a script."""
        plain = asdict(self)
        if self.calibration is not None:
            curve = self.calibration.curve
            plain["calibration"]["curve"] = {
                "levels": curve.levels.tolist(),
                "chances": curve.chances.tolist(),
            }
        return plain


def heading_of(pairs: PairsDataset, design: Design) -> Heading:
    """The heading of marks of this data set."""
    return Heading(hash_file(pairs.folder / MANIFEST), design)


def open_judged(pairs: PairsDataset, path: Path, judge: str | None = None) -> JudgedPairs:
    """The pairs of a data set with the marks in the file `path`.

    Raises:
        MarksError: they cannot be read, are of another data set, or `judge` gave none.
        DatasetError: the data set cannot be read.
    """
    marks = read_marks(path)
    if marks.heading != heading_of(pairs, marks.heading.design):
        raise MarksError(f"{path} holds the marks of another data set than {pairs.folder}")
    if judge is not None and judge not in marks.judges:
        known = ", ".join(marks.judges) or "nobody"
        raise MarksError(f"{path}: marks are by {known}, got judge {judge}")
    return JudgedPairs(read_ranked(pairs.table, marks.heading.design), marks, judge)


def sum_up(judged: JudgedPairs, confidence: float = CONFIDENCE) -> JudgingSummary:
    """What the marks say, intervals with `confidence`.

    Raises:
        ValueError: `confidence` is not in (0, 1).
    """
    strata = judged.strata()
    score = judged.marks.heading.design.score
    keys = {pair.key for pair in judged.pairs}
    return JudgingSummary(
        score=score,
        precision=estimate(strata, confidence),
        strata=tuple(
            StratumSummary(low, high, each.pairs, estimate([each], confidence))
            for each, (low, high) in zip(strata, judged.score_ranges(), strict=True)
        ),
        by_judge={
            judge: estimate(JudgedPairs(judged.pairs, judged.marks, judge).strata(), confidence)
            for judge in judged.judges
        },
        agreements=tuple(agreements(judged.marks, confidence)),
        parts=dict(
            Counter(
                part
                for judge in judged.judges
                for key, mark in judged.marks.of(judge).items()
                if key in keys
                for part in mark.parts
            )
        ),
        unsure=sum(judged.verdict(pair) == UNSURE for pair in judged.pairs),
        calibration=calibrate(
            score,
            [pair.scores[score] for pair, _ in judged.told],
            [right for _, right in judged.told],
        ),
    )
