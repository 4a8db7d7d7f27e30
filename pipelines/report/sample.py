"""Which records the page shows: a stable sample, the same for the same seed, fair to every kind."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from pipelines.marks.strata import draw_number
from transforms.dataset.rows import Row
from transforms.dataset.tables import ShardedTable


@dataclass(frozen=True, order=True)
class Place:
    """Where a record lies: at `position` of its table; `key` is the record's.

    Places sort by `draw`, a number that depends on seed and key alone; records with one key, as a
    picture's several rejects, by where they lie.
    """

    draw: int
    key: str
    position: int


def sample_places(
    table: ShardedTable,
    count: int,
    *,
    seed: int,
    columns: Sequence[str],
    wanted: Callable[[str], bool] | None = None,
) -> list[Place]:
    """Up to `count` records of `table`, shared out evenly over the groups that `columns` make.

    Records with the same values in `columns` are a group. Of each group those with the smallest
    draws are taken, and a group that is too small leaves its share to the others. `wanted` says by
    its key whether a record may be taken. The result is in the order of the draws, groups mixed.
    Memory grows with `count` and the number of groups alone.
    """
    groups: dict[Hashable, list[Place]] = {}
    names = ("key", *columns)
    for first, values in table.batches(names):
        rows = zip(*(values[name] for name in names), strict=True)
        for position, (key, *group) in enumerate(rows, start=first):
            if wanted is None or wanted(key):
                places = groups.setdefault(tuple(group), [])
                places.append(Place(draw_number(seed, key), key, position))
                if len(places) > 2 * count + 64:
                    places[:] = sorted(places)[:count]
    return share_out([sorted(places)[:count] for places in groups.values()], count)


def share_out(groups: Sequence[Sequence[Place]], count: int) -> list[Place]:
    """`count` places of sorted `groups`, sorted: one of each in turn until there are enough."""
    chosen: list[Place] = []
    for turn in range(max(map(len, groups), default=0)):
        in_turn = sorted(group[turn] for group in groups if turn < len(group))
        chosen += in_turn[: count - len(chosen)]
    return sorted(chosen)


def fetch_rows(table: ShardedTable, places: Sequence[Place], columns: Sequence[str]) -> list[Row]:
    """The named columns of the records of `table` at `places`, in their order."""
    return table.take([place.position for place in places], columns)
