"""What DiffEdit is to reach, beside what was measured."""

from collections.abc import Mapping, Sequence
from typing import Any

from editing.evaluation.intervals import bootstrap
from support.diffedit_rows import (
    DEFAULT,
    FREE,
    HALF,
    MASKED,
    NOISED,
    PEER,
    SDEDIT,
    TRAINED,
    USUAL,
    mean_by_kind,
)
from support.edit_cells import Measured
from support.intervals import wilson
from support.region_tasks import KINDS, RegionTask
from support.reporting import Target, at_least, at_most

MOST_ERROR = 0.045
AT_NO_ENCODING = 0.9
"""The ratio at which encoding is compared with none."""

OVER_SDEDIT, IEDIT, ENCODING, PEERS, FREELY = (
    "diffedit over sdedit",
    "diffedit over masked iEdit's best",
    "encoding over none",
    "diffedit over diffusers",
    "encode-decode over sdedit",
)
LEAST_POINTS: Mapping[str, float | None] = {
    OVER_SDEDIT: 55.0,
    OVER_SDEDIT + HALF: None,
    IEDIT: 8.0,
    IEDIT + HALF: None,
    PEERS: 0.0,
    FREELY: 4.0,
    FREELY + HALF: None,
    ENCODING: 10.0,
}
"""Beside the others as they are published; beside those that are guided as ours is it is told."""

LEAST_OVERLAP = dict(zip(KINDS, (0.65, 0.58, 0.50), strict=True))
Rows = Mapping[str, Mapping[float, Measured]]


def describe(found: Measured, tasks: Sequence[RegionTask]) -> dict[str, Any]:
    """A cell as figures."""
    return {
        "both": found.right,
        "both_interval": wilson(round(sum(found.both)), len(found.both)),
        "error": found.mean_error,
        "kinds": mean_by_kind(found.both, tasks),
        "seconds": found.seconds,
    }


def describe_all(rows: Rows, tasks: Sequence[RegionTask]) -> dict[str, dict[str, Any]]:
    """All cells as figures, by row and the dial's value."""
    return {
        row: {f"{value:g}": describe(found, tasks) for value, found in cells.items()}
        for row, cells in rows.items()
    }


def stand(ours: Measured, other: Measured) -> dict[str, Any]:
    """How many more of a hundred edits are right than by another cell, of the same edits."""
    more = bootstrap([ours.both, other.both], lambda a, b: 100 * (a - b))
    points = {"value": more.value, "low": more.low, "high": more.high}
    return {"error": other.mean_error, "points": points}


def stand_at_equal_error(ours: Measured, others: Rows) -> dict[str, Any]:
    """The same beside the best of all cells of `others` that err no more; if all do, the least."""
    cells = [
        (row, value, found) for row, values in others.items() for value, found in values.items()
    ]
    within = [each for each in cells if each[2].mean_error <= ours.mean_error]
    row, value, best = (
        max(within, key=lambda each: each[2].right)
        if within
        else min(cells, key=lambda each: each[2].mean_error)
    )
    return {"row": row, "at": value, **stand(ours, best)}


def stand_all(rows: Rows) -> dict[str, dict[str, Any]]:
    """Pairs of rows at equal error: which settings, and how many points one has more."""
    default, free = rows[DEFAULT][USUAL], rows[FREE][0.5]
    compared = {
        OVER_SDEDIT: (default, (SDEDIT,)),
        OVER_SDEDIT + HALF: (default, (SDEDIT + HALF,)),
        IEDIT: (default, (MASKED, TRAINED)),
        IEDIT + HALF: (default, (TRAINED + HALF,)),
        PEERS: (default, (PEER,)),
        FREELY: (free, (SDEDIT,)),
        FREELY + HALF: (free, (SDEDIT + HALF,)),
    }
    found = {}
    for name, (ours, names) in compared.items():
        others = {row: rows[row] for row in names if row in rows}
        if others:
            found[name] = stand_at_equal_error(ours, others)
    encoded, noised = (rows[row][AT_NO_ENCODING] for row in (DEFAULT, NOISED))
    found[ENCODING] = {"row": NOISED, "at": AT_NO_ENCODING, **stand(encoded, noised)}
    return found


def cell_targets(
    name: str, cell: Mapping[str, Any], *, least_right: float, most_error: float
) -> list[Target]:
    """What an editor's usual cell is to reach: edits that are right, and what changes outside."""
    return [
        Target(
            name=f"{name}: both right",
            value=cell["both"],
            bound=at_least(least_right, kind="aim"),
            interval=tuple(cell["both_interval"]),
        ),
        Target(
            name=f"{name}: error outside",
            value=cell["error"],
            bound=at_most(most_error, kind="aim"),
        ),
    ]


def point_targets(
    beside: Mapping[str, Any], least_points: Mapping[str, float | None]
) -> list[Target]:
    """How many points an editor is to be better by than each row that it stands beside."""
    targets = []
    for name, least in least_points.items():
        if name in beside:
            more = beside[name]["points"]
            targets.append(
                Target(
                    name=f"{name}: points of both right",
                    value=more["value"],
                    bound=None if least is None else at_least(least, kind="aim"),
                    interval=(more["low"], more["high"]),
                )
            )
    return targets


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """What was to be reached."""
    default = figures["rows"][DEFAULT][f"{USUAL:g}"]
    targets = [
        *cell_targets("diffedit", default, least_right=0.93, most_error=MOST_ERROR),
        *point_targets(figures["beside"], LEAST_POINTS),
    ]
    overlaps = figures["masks"]["difference"]["iou"]
    for kind, least in LEAST_OVERLAP.items():
        name = f"difference masks: IoU with the thing, {kind}"
        targets.append(Target(name=name, value=overlaps[kind], bound=at_least(least, kind="aim")))
    targets.append(Target(name="diffedit: seconds of an edit", value=default["seconds"]))
    return targets
