"""Finding rows by a text column, in 16 bytes a row."""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Protocol

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]


class TextColumn(Protocol):
    """A column of texts, such as an Arrow string array."""

    def to_pylist(self) -> list[str]:
        """All texts in order."""
        ...

    def __getitem__(self, row: int) -> "Text":
        """The text of one row."""
        ...


class Text(Protocol):
    """A text of a column."""

    def as_py(self) -> str:
        """The text itself."""
        ...


class RowLookup:
    """The rows of a text column by their text, or by what `normalise` makes of it.

    Holds sorted 64-bit hashes rather than the texts; what a hash finds is compared with the column,
    so that an accidental agreement of hashes does no harm.
    """

    def __init__(self, column: TextColumn, *, normalise: Callable[[str], str] = str) -> None:
        self._column = column
        self._normalise = normalise
        hashes = hash_texts(normalise(text) for text in column.to_pylist())
        self._rows = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._rows]

    def rows(self, text: str) -> list[int]:
        """All rows with that text, rising."""
        wanted = self._normalise(text)
        mark = np.uint64(_hash(wanted))
        first = np.searchsorted(self._hashes, mark, side="left")
        last = np.searchsorted(self._hashes, mark, side="right")
        found = (int(row) for row in self._rows[first:last])
        return [row for row in found if self._normalise(self._column[row].as_py()) == wanted]


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def hash_texts(texts: Iterable[str]) -> Hashes:
    """A 64-bit hash of each text, in order; the same in every process."""
    return np.fromiter((_hash(text) for text in texts), dtype=np.uint64)
