"""Search over shards that were built apart."""

from collections.abc import Sequence

import numpy as np

from indexes.search import NO_ROW, Index, Rows, Vectors, best_first


class ShardedIndex:
    """Searches every shard and merges their best.

    The rows of shard s are counted on from those of the shards before it, so that the answer is
    that of one index over all vectors in the same order. With `numbered_over_all` the shards give
    such rows themselves, as the pieces do that `indexes.spread_filling` writes.
    """

    def __init__(self, shards: Sequence[Index], *, numbered_over_all: bool = False) -> None:
        if not shards:
            raise ValueError("shards must not be empty")
        self._shards = tuple(shards)
        starts = np.cumsum([0, *(len(shard) for shard in self._shards)])
        self._length = int(starts[-1])
        self._starts = np.zeros_like(starts) if numbered_over_all else starts

    def __len__(self) -> int:
        return self._length

    def search(self, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        """The `k` best rows for each query; see `indexes.search.Index`."""
        answers = [shard.search(queries, k) for shard in self._shards]
        scores = np.concatenate([scores for scores, _ in answers], axis=1)
        rows = np.concatenate(
            [
                np.where(found == NO_ROW, NO_ROW, found + start)
                for (_, found), start in zip(answers, self._starts, strict=False)
            ],
            axis=1,
        )
        best = [
            best_first(line[found != NO_ROW], found[found != NO_ROW], k)
            for line, found in zip(scores, rows, strict=True)
        ]
        merged_scores = np.array([line for line, _ in best], dtype=np.float32).reshape(-1, k)
        merged_rows = np.array([found for _, found in best], dtype=np.int64).reshape(-1, k)
        return merged_scores, merged_rows
