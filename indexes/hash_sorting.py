"""Sorting the hashes of more texts than memory holds: by their first bits, in temporary files."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np

from indexes.lookup import Hashes
from indexes.search import Rows

HELD = 4 << 20
"""So many hashes are held in memory before they go into files."""
FILES = 256
_FIRST_BITS = np.uint64(56)


class HashSorter:
    """Takes hashes, each with a number, and gives them back sorted.

    Up to `held` of them stay in memory. More go into 256 files in a temporary folder, by their
    first eight bits, and are sorted a file at a time. Use it in a `with` block; its length is how
    many there are.
    """

    def __init__(self, *, held: int = HELD) -> None:
        self._held = held
        self._waiting: list[tuple[Hashes, Rows]] = []
        self._count = 0
        self._total = 0
        self._files: list[BinaryIO] = []
        self._open = ExitStack()

    def __enter__(self) -> "HashSorter":
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def __len__(self) -> int:
        return self._total

    def add(self, hashes: Hashes, numbers: Rows) -> None:
        """Takes `hashes` (n,) and the number of each."""
        self._waiting.append((hashes, numbers))
        self._count += len(hashes)
        self._total += len(hashes)
        if self._count > self._held:
            self._spill()

    def sorted(self) -> Iterator[tuple[Hashes, Rows]]:
        """All that was added: hashes that rise, and of equal ones the numbers as they were added.

        Equal hashes come together.
        """
        if not self._files:
            yield _sort(*self._take())
            return
        self._spill()
        for file in self._files:
            file.seek(0)
            found = np.frombuffer(file.read(), dtype=np.uint64).reshape(-1, 2)
            yield _sort(found[:, 0], found[:, 1].astype(np.int64))

    def _take(self) -> tuple[Hashes, Rows]:
        hashes = [np.empty(0, np.uint64), *(each for each, _ in self._waiting)]
        numbers = [np.empty(0, np.int64), *(each for _, each in self._waiting)]
        self._waiting, self._count = [], 0
        return np.concatenate(hashes), np.concatenate(numbers)

    def _spill(self) -> None:
        if not self._files:
            folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
            self._files = [
                self._open.enter_context((folder / str(number)).open("w+b"))
                for number in range(FILES)
            ]
        hashes, numbers = self._take()
        first = hashes >> _FIRST_BITS
        order = np.argsort(first, kind="stable")
        entries = np.stack([hashes[order], numbers[order].astype(np.uint64)], axis=1)
        bounds = np.searchsorted(first[order], np.arange(FILES + 1, dtype=np.uint64))
        for number, file in enumerate(self._files):
            file.write(entries[bounds[number] : bounds[number + 1]].tobytes())


def _sort(hashes: Hashes, numbers: Rows) -> tuple[Hashes, Rows]:
    order = np.argsort(hashes, kind="stable")
    return hashes[order], numbers[order]
