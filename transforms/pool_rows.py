"""What a stage reads of an index's rows, read together and once for all queries of a batch."""

import functools
import weakref
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from indexes.folder import PictureIndex, PictureRow
from indexes.search import Rows, Vectors

ENTRIES_KEPT = 8_192
"""Metadata of so many rows of an index are kept in a process: near pictures are near to many."""

Wide = npt.NDArray[np.float64]

_entries: "weakref.WeakKeyDictionary[PictureIndex, dict[int, PictureRow]]" = (
    weakref.WeakKeyDictionary()
)


class PoolRows:
    """The vectors of `rows` of an index, in whatever order and however often they are named.

    They are read when they are first asked for, all at once.
    """

    def __init__(self, index: PictureIndex, rows: Iterable[int] | Rows) -> None:
        self._index = index
        self._rows = np.unique(np.fromiter(rows, dtype=np.int64))

    def embeddings(self, rows: Sequence[int] | Rows) -> Wide:
        """The embeddings of some of the rows, float64 (n, d): as they are summed in."""
        return self._embeddings[self._places(rows)].astype(np.float64)

    def structures(self, rows: Sequence[int] | Rows) -> npt.NDArray[np.uint8]:
        """The structure maps of some of the rows, uint8 (n, 256)."""
        structures: npt.NDArray[np.uint8] = self._structures[self._places(rows)]
        return structures

    @functools.cached_property
    def _embeddings(self) -> Vectors:
        return self._index.embeddings(self._rows)

    @functools.cached_property
    def _structures(self) -> npt.NDArray[np.uint8]:
        return self._index.structures(self._rows)

    def _places(self, rows: Sequence[int] | Rows) -> Rows:
        return np.searchsorted(self._rows, np.asarray(rows, dtype=np.int64))


class PoolEntries:
    """The metadata of an index's rows; `expect` says which will be asked for."""

    def __init__(self, index: PictureIndex) -> None:
        self._index = index
        self._kept = _entries.setdefault(index, {})
        self._own: dict[int, PictureRow] = {}

    def expect(self, rows: Iterable[int]) -> None:
        """Reads those of `rows` that are not there yet, together."""
        wanted = dict.fromkeys(rows)
        self._own |= {row: self._kept[row] for row in wanted if row in self._kept}
        new = [row for row in wanted if row not in self._own]
        if new:
            found = dict(zip(new, self._index.rows(new), strict=True))
            self._own |= found
            if len(self._kept) + len(found) > ENTRIES_KEPT:
                self._kept.clear()
            self._kept |= found

    def __getitem__(self, row: int) -> PictureRow:
        if row not in self._own:
            self.expect([row])
        return self._own[row]


def inner_products(vector: Vectors, others: Wide) -> Vectors:
    """Those of `vector` (d,) with each of `others` (n, d), float32 (n,).

    To the bit what `indexes.search.score_pairs` gives: a pair's depends on its two vectors alone.
    """
    products: Vectors = (others * vector.astype(np.float64)).sum(axis=1).astype(np.float32)
    return products
