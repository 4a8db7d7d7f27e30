"""What FlexIT is to reach, beside what was measured."""

from collections.abc import Mapping
from typing import Any

from support.diffedit_targets import cell_targets, point_targets, stand, stand_at_equal_error
from support.edit_cells import Measured
from support.flexit_measures import Measures
from support.flexit_rows import DEFAULT, MASKED, SDEDIT, THESIS
from support.kept_edits import KeptEdits
from support.reporting import Target, at_least, at_most

OVER_THESIS, OVER_SDEDIT, OVER_MASKED = (
    "flexit over its thesis's form",
    "flexit over sdedit",
    "flexit over sdedit in the same masks",
)
LEAST_POINTS: Mapping[str, float | None] = {OVER_THESIS: 15.0, OVER_SDEDIT: 0.0, OVER_MASKED: None}
MOST_ERROR = 0.035
MOST_SECONDS = 4.0

Cell = tuple[KeptEdits, Measures]
Rows = Mapping[str, Mapping[float, Cell]]


def stand_all(rows: Rows) -> dict[str, dict[str, Any]]:
    """How many more of a hundred edits are right by the default than by other rows.

    Beside SDEdit with the best strength that errs no more, or the least erring one if all do.
    """
    (ours,) = map(_plain, rows[DEFAULT].values())
    (thesis,) = map(_plain, rows[THESIS].values())
    step = next(iter(rows[THESIS]))
    return {
        OVER_THESIS: {"row": THESIS, "at": step, **stand(ours, thesis)},
        **{
            name: stand_at_equal_error(
                ours, {row: {at: _plain(cell) for at, cell in rows[row].items()}}
            )
            for name, row in ((OVER_SDEDIT, SDEDIT), (OVER_MASKED, MASKED))
        },
    }


def _plain(cell: Cell) -> Measured:
    kept, found = cell
    return Measured(both=found.both.tolist(), error=found.error.tolist(), seconds=kept.seconds)


def only(figures: Mapping[str, Any], row: str) -> Mapping[str, Any]:
    """The figures of a row of one cell."""
    (found,) = figures["rows"][row].values()
    cell: Mapping[str, Any] = found
    return cell


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """What was to be reached."""
    default, thesis = only(figures, DEFAULT), only(figures, THESIS)
    targets = [
        *cell_targets("flexit", default, least_right=0.55, most_error=MOST_ERROR),
        *point_targets(figures["beside"], LEAST_POINTS),
    ]
    targets.append(
        Target(
            name=f"{OVER_SDEDIT}: lower end of the interval",
            value=figures["beside"][OVER_SDEDIT]["points"]["low"],
            bound=at_least(0.0, kind="aim"),
        )
    )
    for row, cell in ((DEFAULT, default), (THESIS, thesis)):
        targets.append(
            Target(
                name=f"{row}: share of edits that fool CLIP",
                value=cell["fooled"],
                interval=tuple(cell["fooled_interval"]),
            )
        )
    share = default["fooled"] / thesis["fooled"] if thesis["fooled"] else None
    return [
        *targets,
        Target(name="fooled, over that of the thesis", value=share, bound=at_most(0.5, kind="aim")),
        Target(
            name="flexit: seconds of an edit",
            value=figures["time"]["edit"],
            bound=at_most(MOST_SECONDS, kind="aim"),
        ),
    ]
