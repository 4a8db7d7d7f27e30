"""Rules that keep one edit of a task, applied to a bank of painted boxes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from editing.editors.learned_regions.settings import LearnedRegionSettings, LossWeights
from support.region_bank import (
    ATTENTION,
    FROM_PHRASE,
    ONE_VIEW,
    RANDOM,
    SEGMENTER,
    USUAL,
    Pick,
    Row,
    at_strength,
)

BOXES = "boxes"
DEFAULT, TOLD, ORACLE = "default", "told the true error", "oracle"
SEVEN = range(7)
SUBSETS: Mapping[int, Sequence[int]] = {1: (3,), 3: (0, 3, 6), 4: (0, 2, 4, 6), 7: SEVEN}
"""Which of seven sizes are those of M evenly spaced ones."""


def losses_of(
    row: Row,
    group: str = BOXES,
    *,
    way: str = USUAL,
    weights: LossWeights | None = None,
    weight_area: float = LearnedRegionSettings().weight_area,
) -> Tensor:
    """What the default rule ranks the edits of a group by, judged in the way that is named.

    That is L of equation 3 and `weight_area` times the regions' share of the picture.
    """
    worth, factor = row["worth"][group], weights or LossWeights()
    total: Tensor = (
        factor.clip * worth[f"clip_{way}"]
        + factor.structure * worth[f"structure_{way}"]
        + factor.direction * worth[f"direction_{way}"]
        + weight_area * worth["area"]
    )
    return total


@dataclass(frozen=True)
class Argmin:
    """The smallest loss of all boxes of `anchors` anchors and `sizes` sizes."""

    anchors: int
    sizes: int = 7
    way: str = USUAL
    weights: LossWeights = LossWeights()  # noqa: RUF009
    weight_area: float = LearnedRegionSettings().weight_area

    def __call__(self, row: Row) -> tuple[str, int]:
        """The edit that is kept."""
        places = row["places"][: self.anchors][:, list(SUBSETS[self.sizes])].flatten()
        losses = losses_of(row, way=self.way, weights=self.weights, weight_area=self.weight_area)
        return BOXES, int(places[losses[places].argmin()])


@dataclass(frozen=True)
class LargestScore:
    """The largest S (equation 7) of all boxes of so many anchors."""

    anchors: int

    def __call__(self, row: Row) -> tuple[str, int]:
        """The edit that is kept."""
        places = row["places"][: self.anchors].flatten()
        return BOXES, int(places[row["worth"][BOXES]["score_usual"][places].argmax()])


@dataclass(frozen=True)
class Beside:
    """Of `count` boxes of another group the one of the largest score, or of the smallest loss."""

    group: str
    count: int
    rank: str

    def __call__(self, row: Row) -> tuple[str, int]:
        """The edit that is kept."""
        if self.rank == "score":
            values = -row["worth"][self.group]["score_usual"]
        else:
            values = losses_of(row, self.group)
        return self.group, int(values[: self.count].argmin())


@dataclass(frozen=True)
class Fixed:
    """The box of one size around the first anchor, whatever its edit looks like."""

    size: int

    def __call__(self, row: Row) -> tuple[str, int]:
        """The edit that is kept."""
        return BOXES, int(row["places"][0, self.size])


def oracle(row: Row) -> tuple[str, int]:
    """Of the edits that are right the one with the smallest error: what no rule can beat."""
    worth = row["worth"][BOXES]
    return BOXES, int((worth["both"] * 10 - worth["error"]).argmax())


@dataclass(frozen=True)
class Told:
    """The smallest loss where the true error outside is known too, and `weight` times it is added.

    No rule can know it: what it shows is how much is lost by not knowing.
    """

    anchors: int
    weight: float = 0.5

    def __call__(self, row: Row) -> tuple[str, int]:
        """The edit that is kept."""
        places = row["places"][: self.anchors].flatten()
        losses = losses_of(row) + self.weight * row["worth"][BOXES]["error"]
        return BOXES, int(places[losses[places].argmin()])


def known_picks(anchors: int, *, beside: bool) -> dict[str, Pick]:
    """Every rule that needs no network, by its name in the table; `anchors` is the default K."""
    rules: dict[str, Pick] = {
        DEFAULT: Argmin(anchors),
        "largest S of all": LargestScore(anchors),
        TOLD: Told(anchors),
        ORACLE: oracle,
    }
    rules |= {f"M = {count}": Argmin(anchors, count) for count in SUBSETS}
    for name, left_out in (("L_Clip", "clip"), ("L_Str", "structure"), ("L_Dir", "direction")):
        weights = LossWeights(**{left_out: 0.0})
        rules[f"without {name}"] = Argmin(anchors, weights=weights)
    rules["without the area"] = Argmin(anchors, weight_area=0.0)
    rules |= {f"first anchor, size {n}": Fixed(n) for n in SEVEN}
    if beside:
        rules["segmenter's mask"] = Beside(SEGMENTER, 1, "loss")
    return rules


def random_picks(anchors: int, strengths: Sequence[float]) -> dict[str, Pick]:
    """The baselines of table 2 of the paper, which rank by S, at every strength."""
    return {
        at_strength(random_rule(group), strength): Beside(
            at_strength(group, strength), anchors, "score"
        )
        for group in (RANDOM, ATTENTION)
        for strength in strengths
    }


def random_rule(group: str) -> str:
    """What a baseline is called in the table."""
    return f"{group} anchor, random size"


def at_equal_error(settings: Sequence["Kept"], most: float) -> "Kept":
    """Of settings from the weakest to the strongest the last that errs no more than `most` outside.

    Where all of them do it is the weakest.
    """
    return [settings[0], *(kept for kept in settings if kept.mean("error") <= most)][-1]


def swept_picks(anchors: int, swept: Sequence[int]) -> dict[str, Pick]:
    """Rules of as many anchors as are `swept`, and other ways of judging at the default K."""
    return {
        **{f"K = {count}": Argmin(count) for count in swept},
        **{f"K = {count}, largest S": LargestScore(count) for count in swept},
        f"K = {anchors}, in one view": Argmin(anchors, way=ONE_VIEW),
        f"K = {anchors}, from the phrase": Argmin(anchors, way=FROM_PHRASE),
        ORACLE: oracle,
    }


@dataclass(frozen=True, eq=False)
class Kept:
    """What a rule kept of every task: `edited`, `both`, `error` and the rest, a number a task."""

    picks: Sequence[tuple[str, int]]
    numbers: Mapping[str, np.ndarray[Any, Any]]

    def mean(self, name: str) -> float:
        """The mean of a number over the tasks."""
        return float(self.numbers[name].mean())


NUMBERS = ("edited", "both", "error", "covers", "covers_other", "area")


def keep(rows: Sequence[Row], rule: Pick) -> Kept:
    """What `rule` keeps of every row."""
    picks = [rule(row) for row in rows]
    numbers = {
        name: np.array(
            [
                float(row["worth"][group][name][place])
                for row, (group, place) in zip(rows, picks, strict=True)
            ]
        )
        for name in NUMBERS
    }
    return Kept(picks, numbers)


def preferred(ours: Kept, theirs: Kept) -> tuple[int, int]:
    """In how many of the tasks whose edits differ ours is the better, and how many those are.

    Better is what is right where the other is not, and of two that are alike in that the one that
    errs less outside.
    """
    won = total = 0
    columns = zip(
        ours.numbers["both"],
        theirs.numbers["both"],
        ours.numbers["error"],
        theirs.numbers["error"],
        strict=True,
    )
    for our_both, their_both, our_error, their_error in columns:
        if (our_both, our_error) == (their_both, their_error):
            continue
        total += 1
        won += bool(our_both > their_both or (our_both == their_both and our_error < their_error))
    return won, total


OFF, CUT, WRONG, SPOILT = FAILURES = (
    "the anchor is off the thing",
    "the box holds less than half of the thing",
    "the box holds the thing, and the asked attribute is wrong",
    "the asked attribute is right, and another is not",
)
"""Kinds of failure: figure 7 of the paper, and what else happens."""


def failure_of(row: Row, numbers: Mapping[str, float]) -> str:
    """Why an edit that is not right is not: the first of `FAILURES` that fits."""
    if not row["anchors_on_thing"][0]:
        return OFF
    if numbers["covers"] < 0.5:
        return CUT
    return SPOILT if numbers["edited"] else WRONG


def count_failures(rows: Sequence[Row], kept: Kept) -> dict[str, int]:
    """How many edits that are not right there are of each kind."""
    counts = dict.fromkeys(FAILURES, 0)
    for number in which_fail(kept):
        numbers = {name: float(column[number]) for name, column in kept.numbers.items()}
        counts[failure_of(rows[number], numbers)] += 1
    return counts


def which_fail(kept: Kept) -> list[int]:
    """The tasks whose kept edit is not right."""
    return [number for number, both in enumerate(kept.numbers["both"]) if not both]
