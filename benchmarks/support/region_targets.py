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
ONE, TWO = "one thing", "two things"
MAIN, SECOND = f"{BACKEND}, {ONE}", f"{BACKEND}, {TWO}"
MOST_ERROR = 0.042


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """All targets of what was measured."""
    rules = figures["rules"]
    targets: list[Target] = []
    if MAIN in rules:
        targets += _of_default(rules[MAIN][DEFAULT], figures["beside_random"][DEFAULT])
        targets += _of_network(figures["beside_fitted"])
    for name, least in (("inpaint", 0.85), ("masked-token", 0.70)):
        if f"{name}, {ONE}" in rules:
            found = rules[f"{name}, {ONE}"][DEFAULT]
            targets += [_share(f"{name}: both right", found, "both", least)]
            targets += [Target(name=f"{name}: error outside", value=found["error"])]
    if SECOND in rules:
        name = "two things: the word's own thing is edited"
        targets.append(_share(name, rules[SECOND][DEFAULT], "own_thing", 0.75))
    return targets


def _share(name: str, found: Mapping[str, Any], column: str, least: float) -> Target:
    share, count = found[column], found["tasks"]
    interval = wilson(round(share * count), count)
    return Target(name=name, value=share, bound=at_least(least, kind="aim"), interval=interval)


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


@dataclass(frozen=True)
class NetworkStand:
    """The trained network beside networks fitted to each picture, at no more error, on all tasks.

    `points` are how many more of a hundred it has right, `error` how much more it errs outside, and
    `time` its seconds over those of painting all boxes, judging them and fitting.
    """

    points: Interval
    error: float
    time: float


def stand_beside_fitted(
    rules: Mapping[str, Kept],
    rows: Sequence[Row],
    figures: Mapping[str, Any],
    *,
    anchors: int,
) -> NetworkStand:
    """How the trained network stands; `anchors` is the default K."""
    settings = [rules[fitted_at(weight)] for weight in AREAS]
    count = len(settings[0].numbers["both"])
    ours = {name: column[:count] for name, column in rules["trained network"].numbers.items()}
    fitted = at_equal_error(settings, float(ours["error"].mean()))
    boxes = float(np.mean([row["places"][:anchors].unique().numel() for row in rows]))
    a_box = figures["seconds_a_box"][MAIN] + figures["seconds_judging"][MAIN]
    took = figures["networks"][MAIN]
    return NetworkStand(
        points=_points(ours["both"], fitted.numbers["both"]),
        error=float(ours["error"].mean() - fitted.mean("error")),
        time=took["seconds_an_edit_once"] / (boxes * a_box + took["seconds_a_fit"]["exact"]),
    )


def _of_default(default: Mapping[str, Any], beside: Mapping[str, Any]) -> list[Target]:
    targets = [
        _share("default rule: both right", default, "both", 0.88),
        Target(
            name="default rule: error outside",
            value=default["error"],
            bound=at_most(MOST_ERROR, kind="aim"),
        ),
    ]
    for group, least, won_least in ((RANDOM, 25.0, 0.84), (ATTENTION, 12.0, 0.71)):
        stand = beside[group]
        won, total = stand["won"], stand["total"]
        targets += [
            _points_target(f"over {group} anchor, random size: points of both right", stand, least),
            Target(
                name=f"preferred to {group} anchor, random size",
                value=won / total if total else None,
                bound=at_least(won_least, kind="aim"),
                interval=wilson(won, total),
            ),
        ]
    return targets


def _points_target(name: str, stand: Mapping[str, Any], least: float) -> Target:
    points = stand["points"]
    return Target(
        name=name,
        value=points["value"],
        bound=at_least(least, kind="aim"),
        interval=(points["low"], points["high"]),
    )


def _of_network(stand: Mapping[str, Any]) -> list[Target]:
    over = "trained network over fitting per picture"
    return [
        _points_target(f"{over}: points of both right", stand, -3.0),
        Target(name=f"{over}: error outside", value=stand["error"]),
        Target(
            name="trained network: share of the time of fitting per picture",
            value=stand["time"],
            bound=at_most(0.1, kind="aim"),
        ),
    ]
