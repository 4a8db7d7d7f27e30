"""What the learned-region editor is to reach, beside what was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from editing.editors.learned_regions.settings import LearnedRegionSettings
from editing.evaluation.intervals import Interval, bootstrap
from support.intervals import wilson
from support.region_bank import ATTENTION, RANDOM, STRENGTHS, Row, at_strength
from support.region_networks import AREAS, fitted_at
from support.region_rules import (
    DEFAULT,
    ORACLE,
    TOLD,
    Kept,
    at_equal_error,
    preferred,
    random_rule,
)
from support.reporting import Target, at_least, at_most

BACKEND = LearnedRegionSettings().backend
MAIN, TWO = f"{BACKEND}, one thing", f"{BACKEND}, two things"
MOST_ERROR = 0.042


def make_targets(
    kept: Mapping[str, Mapping[str, Kept]],
    banks: Mapping[str, Sequence[Row]],
    figures: Mapping[str, Any],
    *,
    anchors: int,
) -> list[Target]:
    """All targets that were measured; `anchors` is the default K."""
    targets: list[Target] = []
    if MAIN in kept:
        targets += _of_default(kept[MAIN])
        targets += _of_network(kept[MAIN], banks[MAIN], figures, anchors=anchors)
    for name, least in (("inpaint", 0.85), ("masked-token", 0.70)):
        if f"{name}, one thing" in kept:
            found = kept[f"{name}, one thing"][DEFAULT]
            targets += [_share(f"{name}: both right", found.numbers["both"], least)]
            targets += [Target(name=f"{name}: error outside", value=found.mean("error"))]
    if TWO in kept:
        found = kept[TWO][DEFAULT]
        own = found.numbers["covers"] > found.numbers["covers_other"]
        targets.append(_share("two things: the word's own thing is edited", own, 0.75))
    return targets


def _share(name: str, column: "np.ndarray[Any, Any]", least: float) -> Target:
    interval = wilson(int(column.sum()), len(column))
    value = float(column.mean())
    return Target(name=name, value=value, bound=at_least(least, kind="aim"), interval=interval)


def _points(ours: "np.ndarray[Any, Any]", theirs: "np.ndarray[Any, Any]") -> Interval:
    """How many points of a hundred more are right, of the same tasks."""
    return bootstrap([ours.tolist(), theirs.tolist()], lambda a, b: 100 * (a - b))


@dataclass(frozen=True)
class Stand:
    """A rule beside random boxes at equal error.

    `strength` is what those are painted at and `error` theirs outside; `points` how many more of a
    hundred the rule has right; of `total` edits that differ the rule's is the better in `won`.
    """

    strength: float
    error: float
    points: Interval
    won: int
    total: int


def stand_beside(rules: Mapping[str, Kept], name: str, group: str) -> Stand:
    """How the rule `name` stands beside the random boxes of `group` that err no more outside."""
    ours = rules[name]
    others = [rules[at_strength(random_rule(group), strength)] for strength in STRENGTHS]
    other = at_equal_error(others, ours.mean("error"))
    won, total = preferred(ours, other)
    return Stand(
        strength=STRENGTHS[others.index(other)],
        error=other.mean("error"),
        points=_points(ours.numbers["both"], other.numbers["both"]),
        won=won,
        total=total,
    )


def stand_all(rules: Mapping[str, Kept]) -> dict[str, dict[str, dict[str, Any]]]:
    """The default, and what knows more than a rule can, beside random boxes, as figures."""
    return {
        name: {group: asdict(stand_beside(rules, name, group)) for group in (RANDOM, ATTENTION)}
        for name in (DEFAULT, TOLD, ORACLE)
    }


def _of_default(rules: Mapping[str, Kept]) -> list[Target]:
    default = rules[DEFAULT]
    targets = [
        _share("default rule: both right", default.numbers["both"], 0.88),
        Target(
            name="default rule: error outside",
            value=default.mean("error"),
            bound=at_most(MOST_ERROR, kind="aim"),
        ),
    ]
    for group, least, won_least in ((RANDOM, 25.0, 0.84), (ATTENTION, 12.0, 0.71)):
        beside = stand_beside(rules, DEFAULT, group)
        targets.append(
            Target(
                name=f"over {group} anchor, random size: points of both right",
                value=beside.points.value,
                bound=at_least(least, kind="aim"),
                interval=(beside.points.low, beside.points.high),
            )
        )
        targets.append(
            Target(
                name=f"preferred to {group} anchor, random size",
                value=beside.won / beside.total if beside.total else None,
                bound=at_least(won_least, kind="aim"),
                interval=wilson(beside.won, beside.total),
            )
        )
    return targets


def _of_network(
    rules: Mapping[str, Kept],
    rows: Sequence[Row],
    figures: Mapping[str, Any],
    *,
    anchors: int,
) -> list[Target]:
    """The trained network beside networks fitted to each picture, on the same tasks."""
    settings = [rules[fitted_at(weight)] for weight in AREAS]
    count = len(settings[0].numbers["both"])
    ours = {name: column[:count] for name, column in rules["trained network"].numbers.items()}
    fitted = at_equal_error(settings, float(ours["error"].mean()))
    gap = _points(ours["both"], fitted.numbers["both"])
    error = ours["error"].mean() - fitted.mean("error")
    boxes = float(np.mean([row["places"][:anchors].unique().numel() for row in rows]))
    a_box = figures["seconds_a_box"][MAIN] + figures["seconds_judging"][MAIN]
    per_picture = boxes * a_box + figures["networks"][MAIN]["seconds_a_fit"]["exact"]
    once = figures["networks"][MAIN]["seconds_an_edit_once"]
    return [
        Target(
            name="trained network over fitting per picture: points of both right",
            value=gap.value,
            bound=at_least(-3.0, kind="aim"),
            interval=(gap.low, gap.high),
        ),
        Target(
            name="trained network over fitting per picture: error outside",
            value=float(error),
        ),
        Target(
            name="trained network: share of the time of fitting per picture",
            value=once / per_picture,
            bound=at_most(0.1, kind="aim"),
        ),
    ]
