"""Files of one content in a folder: found without reading most of them, in bounded memory."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from indexes.hash_sorting import HELD, HashSorter
from transforms.pictures.decoding import PictureLimits

_SAMPLE_BYTES = 4096
_BLOCK_BYTES = 1 << 20
_ROWS_AT_ONCE = 65_536
_SPREAD = 0x9E3779B97F4A7C15
"""Times this, which is odd, small numbers differ in their first bits; no two become the same."""


def find_duplicates(
    rows: int, path_of: Callable[[int], Path], limits: PictureLimits, *, held: int = HELD
) -> Iterator[tuple[int, int]]:
    """Rows that repeat an earlier one, each with the first such, in no particular order.

    Of files that are too large to be read at all none does. Only files of one size can be equal,
    and most of those differ within their first and last blocks; so whole files are read for few
    rows. Of more than `held` rows what they are compared by lies in temporary files.
    """

    def size(row: int) -> int | None:
        return _size(path_of(row), limits)

    def ends(row: int) -> int:
        return _digest_ends(path_of(row))

    with HashSorter(held=held) as by_size, HashSorter(held=held) as by_ends:
        _measure(range(rows), size, by_size)
        _measure((row for same in _alike(by_size) for row in same), ends, by_ends)
        for same in _alike(by_ends):
            first: dict[bytes, int] = {}
            for row in sorted(same):
                try:
                    digest = _digest(path_of(row), limits)
                except OSError:
                    continue
                if first.setdefault(digest, row) != row:
                    yield row, first[digest]


def _measure(rows: Iterable[int], measure: Callable[[int], int | None], sorter: HashSorter) -> None:
    """Gives `sorter` what each of `rows` measures, if anything."""
    remaining = iter(rows)
    while some := list(islice(remaining, _ROWS_AT_ONCE)):
        measured = [(found, row) for row in some if (found := _try(measure, row)) is not None]
        values = np.array([found for found, _ in measured], dtype=np.uint64)
        sorter.add(values, np.array([row for _, row in measured], dtype=np.int64))


def _try(measure: Callable[[int], int | None], row: int) -> int | None:
    try:
        return measure(row)
    except OSError:
        return None  # reading the row will say what is wrong with it


def _alike(sorter: HashSorter) -> Iterator[list[int]]:
    """Groups of two and more rows that measured the same."""
    for values, rows in sorter.sorted():
        starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
        stops = np.append(starts[1:], len(values))
        for group in np.flatnonzero(stops - starts > 1):
            yield rows[starts[group] : stops[group]].tolist()


def _size(path: Path, limits: PictureLimits) -> int | None:
    """A number of the size of a regular file that has any bytes, and not too many, else None."""
    status = path.stat()
    regular = stat.S_ISREG(status.st_mode)
    if not (regular and 0 < status.st_size <= limits.max_bytes):
        return None
    return status.st_size * _SPREAD % 2**64


def _digest_ends(path: Path) -> int:
    """A number of what a file begins and ends with, and of its size."""
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(_SAMPLE_BYTES))
        size = file.seek(0, os.SEEK_END)
        file.seek(-min(_SAMPLE_BYTES, size), os.SEEK_END)
        digest.update(file.read(_SAMPLE_BYTES))
    digest.update(size.to_bytes(8, "little"))
    return int.from_bytes(digest.digest()[:8], "little")


def _digest(path: Path, limits: PictureLimits) -> bytes:
    """The hash of a file, or of as much as is read of one that has grown meanwhile."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for _ in range(0, limits.max_bytes + 1, _BLOCK_BYTES):
            digest.update(file.read(_BLOCK_BYTES))
    return digest.digest()
