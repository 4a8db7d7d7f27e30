"""Thresholds that reach a precision, with a confidence that holds although many are tried.

For each score a sequence of ever looser thresholds is tried, from one that keeps half of the marks
(and at least as many as one wrong mark leaves room for) down to none at all, and the first that
fails ends it: fixed-sequence testing, as in "Learn then Test" (Angelopoulos and others 2021). So no
correction is needed within a sequence; several scores share the error among them (Bonferroni).

A threshold passes if the exact lower bound for the pairs that it keeps reaches the precision. The
marks are those of a sample with the same share of every stratum, so that those among the kept pairs
are a random sample of these; that strata make it more even only makes the bound more cautious
(Hoeffding 1956).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.marks.judged import JudgedPairs
from pipelines.marks.marks_file import RIGHT
from pipelines.marks.precision import Stratum, check_share, lower_bound, marks_needed
from pipelines.marks.strata import QUALITY, RankedPair

LEAST_SCORES = (
    QUALITY,
    "structure",
    "word_order",
    "rest",
    "source_confidence",
    "target_confidence",
    "text_image_source",
    "text_image_target",
    "directional",
)
GREATEST_SCORES = ("image_image",)
CHOSEN_BY = (*LEAST_SCORES, *GREATEST_SCORES)
"""The scores that Select has a threshold for; of the last a greatest value."""

STEP_SHARE = 0.02
"""A step loosens a threshold by about this share of the pairs."""


@dataclass(frozen=True)
class Wanted:
    """A precision to be reached with a confidence, by thresholds on some of `CHOSEN_BY`.

    `by` names them; none of them: every one that differs from pair to pair.

    Raises:
        ValueError: a share is not in (0, 1), or a score is none of `CHOSEN_BY`.
    """

    precision: float
    confidence: float
    by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_share("precision", self.precision)
        check_share("confidence", self.confidence)
        unknown = [name for name in self.by if name not in CHOSEN_BY]
        if unknown or len(set(self.by)) < len(self.by):
            raise ValueError(f"scores must be some of {', '.join(CHOSEN_BY)}, got {list(self.by)}")


@dataclass(frozen=True)
class Trial:
    """A threshold on `score`; `value` None keeps every pair.

    `sample` counts the pairs that it keeps and the marks among them; with the confidence asked for
    at least the share `bound` of these pairs is right. `passes` says whether that is enough.
    """

    score: str
    value: float | None
    sample: Stratum
    bound: float
    passes: bool


def even_sample(judged: JudgedPairs) -> list[tuple[RankedPair, bool]]:
    """Marks of the same share of every stratum, each with whether it is right.

    What goes beyond the share of the least marked stratum is left out, the last drawn first. A mark
    that is unsure counts as wrong, as a bound must not rest on it.
    """
    marked = [
        (pair, verdict == RIGHT)
        for pair in judged.pairs
        if (verdict := judged.verdict(pair)) is not None
    ]
    pairs = Counter(pair.stratum for pair in judged.pairs)
    marks = Counter(pair.stratum for pair, _ in marked)
    share = min((marks[each] / pairs[each] for each in pairs), default=0.0)
    left = {each: int(share * pairs[each] + 1e-9) for each in pairs}
    sample = []
    for pair, right in marked:
        if left[pair.stratum]:
            left[pair.stratum] -= 1
            sample.append((pair, right))
    return sample


def try_thresholds(judged: JudgedPairs, wanted: Wanted) -> list[Trial]:
    """The trials of all sequences, each up to its first failure, in the order they were made."""
    sample = even_sample(judged)
    scores = scores_tried(judged.pairs, wanted)
    confidence = confidence_of_each(scores, wanted)
    start = max(len(sample) / 2, marks_needed(1, wanted.precision, confidence))
    trials: list[Trial] = []
    for score in scores:
        for value in _sequence(judged.pairs, score):
            kept = Stratum(
                sum(keeps(pair, score, value) for pair in judged.pairs),
                sum(keeps(pair, score, value) for pair, _ in sample),
                sum(right and keeps(pair, score, value) for pair, right in sample),
            )
            if value is not None and (kept.marked < start or kept.pairs == len(judged.pairs)):
                continue  # too few marks to try, or no threshold at all
            bound = lower_bound(kept, confidence)
            trials.append(Trial(score, value, kept, bound, bound >= wanted.precision))
            if not trials[-1].passes:
                break
    return trials


def scores_tried(pairs: Sequence[RankedPair], wanted: Wanted) -> tuple[str, ...]:
    """The scores that thresholds are tried on; which they are does not depend on marks."""

    def differs(score: str) -> bool:
        return len({value for p in pairs if (value := p.scores.get(score)) is not None}) > 1

    return wanted.by or tuple(score for score in CHOSEN_BY if differs(score))


def confidence_of_each(scores: Sequence[str], wanted: Wanted) -> float:
    """The confidence with which a threshold on each of `scores` must hold (Bonferroni)."""
    return 1 - (1 - wanted.confidence) / max(1, len(scores))


def passing(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that pass, those that keep most pairs first."""
    return sorted((each for each in trials if each.passes), key=lambda each: -each.sample.pairs)


def keeps(pair: RankedPair, score: str, value: float | None) -> bool:
    """Whether a threshold keeps a pair, as Select would."""
    if value is None:
        return True
    found = pair.scores[score]
    if found is None:
        return score in ("source_confidence", "target_confidence")
    return found <= value if score in GREATEST_SCORES else found >= value


def _sequence(pairs: Sequence[RankedPair], score: str) -> list[float | None]:
    """Thresholds from the strictest to none; they depend on the scores alone, not on marks."""
    values = sorted(value for pair in pairs if (value := pair.scores[score]) is not None)
    if score not in GREATEST_SCORES:
        values.reverse()
    step = max(1, round(STEP_SHARE * len(values)))
    strict_first: dict[float, None] = dict.fromkeys(values[step - 1 :: step])
    return [*strict_first, None]
