"""Exact search: the reference against which the approximate ones are measured."""

import numpy as np

from indexes.search import Rows, Vectors, best_first, check_queries, score_pairs

BLOCK_ROWS = 16_384
ROUNDING = 1e-5
"""More than the matrix product of two unit vectors in float32 can be wrong by."""


class ExactIndex:
    """Compares every query with every vector, a block at a time.

    `vectors` is (n, d) float32 of unit length, in memory or memory-mapped. A matrix product finds
    all rows that could be among the best; those are scored one by one, so that ties are decided by
    the row and never by rounding.
    """

    def __init__(self, vectors: Vectors, *, block_rows: int = BLOCK_ROWS) -> None:
        if vectors.ndim != 2:
            raise ValueError(f"vectors must have shape (n, d), got {vectors.shape}")
        self._vectors = vectors
        self._block_rows = block_rows

    def __len__(self) -> int:
        return len(self._vectors)

    def search(self, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        """The `k` best rows for each query; see `indexes.search.Index`."""
        queries = check_queries(queries, k, dimension=self._vectors.shape[1])
        contenders: list[list[Rows]] = [[] for _ in queries]
        floors = np.full(len(queries), -np.inf, dtype=np.float32)
        for start in range(0, len(self), self._block_rows):
            block = np.asarray(self._vectors[start : start + self._block_rows], dtype=np.float32)
            for number, scores in enumerate(queries @ block.T):
                if len(scores) >= k:
                    kth = np.partition(scores, len(scores) - k)[len(scores) - k]
                    floors[number] = max(floors[number], kth - ROUNDING)
                contenders[number].append(start + np.flatnonzero(scores >= floors[number]))
        return self._rank(queries, contenders, k)

    def _rank(self, queries: Vectors, contenders: list[list[Rows]], k: int) -> tuple[Vectors, Rows]:
        scores = np.empty((len(queries), k), dtype=np.float32)
        rows = np.empty((len(queries), k), dtype=np.int64)
        nothing = np.empty(0, dtype=np.int64)
        for number, query in enumerate(queries):
            found = np.concatenate([nothing, *contenders[number]])
            scored = score_pairs(query, self._vectors[found])
            scores[number], rows[number] = best_first(scored, found, k)
        return scores, rows
