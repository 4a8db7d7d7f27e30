"""Which records the page shows: a stable sample, the same for the same seed, fair to every kind."""

import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.report.dataset import read_rows, stream_columns


@dataclass(frozen=True, order=True)
class Place:
    """Where a record lies: row `row` of the shard `path`; `key` is the record's.

    Places sort by `draw`, a number that depends on seed and key alone; records with one key, as a
    picture's several rejects, by where they lie.
    """

    draw: int
    key: str
    path: Path
    row: int


def draw_number(seed: int, key: str) -> int:
    """A number in [0, 2**64) that depends on `seed` and `key` alone."""
    digest = hashlib.blake2b(f"{seed}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def sample_places(
    paths: Sequence[Path],
    count: int,
    *,
    seed: int,
    columns: Sequence[str],
    wanted: Callable[[str], bool] | None = None,
) -> list[Place]:
    """Up to `count` records, shared out evenly over the groups that `columns` divide them into.

    Records with the same values in `columns` are a group. Of each group those with the smallest
    draws are taken, and a group that is too small leaves its share to the others. `wanted` says by
    its key whether a record may be taken. The result is in the order of the draws, groups mixed.
    Memory grows with `count` and the number of groups alone.
    """
    groups: dict[Hashable, list[Place]] = {}
    names = ("key", *columns)
    for path, first, table in stream_columns(paths, names):
        for offset, (key, *group) in enumerate(zip(*(table[n] for n in names), strict=True)):
            if wanted is None or wanted(key):
                places = groups.setdefault(tuple(group), [])
                places.append(Place(draw_number(seed, key), key, path, first + offset))
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


def fetch_rows(places: Sequence[Place], columns: Sequence[str]) -> list[dict[str, Any]]:
    """The named columns of the records at `places`, in their order."""
    by_path: dict[Path, list[int]] = {}
    for place in places:
        by_path.setdefault(place.path, []).append(place.row)
    found = {path: read_rows(path, rows, columns) for path, rows in by_path.items()}
    return [found[place.path][place.row] for place in places]
