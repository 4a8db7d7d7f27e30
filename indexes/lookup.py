"""Finding rows by a text, in 16 bytes a row that processes share."""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from indexes.search import Rows

Hashes = npt.NDArray[np.uint64]


class RowLookup:
    """The rows of texts by their text, or by what `normalise` makes of it.

    `table` is (2, n) uint64, memory-mapped or in memory: 64-bit hashes of the normalised texts,
    rising, and the row of each. What a hash finds is compared with `text_of` the row, so that an
    accidental agreement of hashes does no harm.
    """

    def __init__(
        self,
        table: npt.NDArray[Any],
        text_of: Callable[[int], str],
        *,
        normalise: Callable[[str], str] = str,
    ) -> None:
        self._hashes, self._rows = table
        self._text_of = text_of
        self._normalise = normalise

    def rows(self, text: str) -> list[int]:
        """All rows with that text, rising."""
        wanted = self._normalise(text)
        mark = np.uint64(_hash(wanted))
        first = np.searchsorted(self._hashes, mark, side="left")
        last = np.searchsorted(self._hashes, mark, side="right")
        found = (int(row) for row in self._rows[first:last])
        return [row for row in found if self._normalise(self._text_of(row)) == wanted]


def lookup_table(hashes: Hashes) -> npt.NDArray[np.uint64]:
    """The table of a `RowLookup` of the texts with these hashes, in the order of their rows."""
    rows: Rows = np.argsort(hashes, kind="stable")
    return np.stack([hashes[rows], rows.astype(np.uint64)])


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def hash_texts(texts: Iterable[str]) -> Hashes:
    """A 64-bit hash of each text, in order; the same in every process."""
    return np.fromiter((_hash(text) for text in texts), dtype=np.uint64)
