"""What a nearest-neighbour search is, and the order in which it answers.

Scores are inner products; every search here answers best first and, among equal scores, lowest row
first, so that exact, approximate and sharded searches can be compared row for row.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Gather = Callable[[Rows], Vectors]

_BYTES_AT_ONCE = 4 << 20
"""So many bytes of products are held while the scores of several queries are computed."""

NO_ROW = -1
"""Stands in the answer where there are fewer than `k` neighbours; its score is -inf."""


class Index(Protocol):
    """A set of vectors that can be searched."""

    def __len__(self) -> int:
        """How many vectors there are."""
        ...

    def search(self, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        """The `k` best rows for each of `queries` (n, d).

        Returns:
            Scores float32 (n, k), falling, and rows int64 (n, k); `NO_ROW` where there is none.
        """
        ...


def check_queries(queries: Vectors, k: int, *, dimension: int) -> Vectors:
    """`queries` as contiguous float32 (n, `dimension`).

    Raises:
        ValueError: another shape, or `k` below 1.
    """
    if queries.ndim != 2 or queries.shape[1] != dimension:
        raise ValueError(f"queries must have shape (n, {dimension}), got {queries.shape}")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return np.ascontiguousarray(queries, dtype=np.float32)


def score_pairs(query: Vectors, vectors: Vectors) -> Vectors:
    """Inner products of `query` (d,) with each of `vectors` (m, d), float32 (m,).

    Summed in float64 and one pair at a time, so that a score depends on its two vectors alone and
    not, as a matrix product's last bits do, on what else is computed with it.
    """
    products = vectors.astype(np.float64) * query.astype(np.float64)
    scores: Vectors = products.sum(axis=1).astype(np.float32)
    return scores


def best_first(scores: Vectors, rows: Rows, k: int) -> tuple[Vectors, Rows]:
    """The `k` best of one query's `scores` and `rows` (m,), padded where m < k."""
    order = np.lexsort((rows, -scores))[:k]
    padding = k - len(order)
    return (
        np.pad(scores[order], (0, padding), constant_values=-np.inf),
        np.pad(rows[order], (0, padding), constant_values=NO_ROW),
    )


def rescore(queries: Vectors, found: Rows, gather: Gather, *, k: int) -> tuple[Vectors, Rows]:
    """The `k` best of the rows `found` (n, m) for each query, scored as by `score_pairs`.

    `gather` gives the vectors of rows. `NO_ROW` among `found` is passed over.
    """
    count, most = found.shape
    scores = np.full((count, k), -np.inf, dtype=np.float32)
    rows = np.full((count, k), NO_ROW, dtype=np.int64)
    at_once = max(1, _BYTES_AT_ONCE // (8 * max(1, most * queries.shape[1])))
    for start in range(0, count, at_once):
        some = found[start : start + at_once]
        scored = _score_found(queries[start : start + at_once], some, gather)
        order = np.lexsort((some, -scored), axis=-1)[:, :k]
        scores[start : start + at_once, : order.shape[1]] = np.take_along_axis(scored, order, 1)
        rows[start : start + at_once, : order.shape[1]] = np.take_along_axis(some, order, 1)
    return scores, rows


def _score_found(queries: Vectors, found: Rows, gather: Gather) -> Vectors:
    """What `score_pairs` gives for each query and its rows, float32 (n, m); -inf for `NO_ROW`."""
    rows, places = np.unique(found, return_inverse=True)
    vectors = np.zeros((len(rows), queries.shape[1]), dtype=np.float64)
    present = rows != NO_ROW
    vectors[present] = gather(rows[present])
    # Numbers that are next to one another are summed in an order that depends on nothing else.
    products = vectors[places.reshape(found.shape)]
    products *= queries[:, None, :].astype(np.float64)
    scores: Vectors = products.sum(axis=2).astype(np.float32)
    scores[found == NO_ROW] = -np.inf
    return scores
