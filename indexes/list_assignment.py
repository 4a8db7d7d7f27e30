"""Which inverted list each vector belongs to: the one whose centre has the highest product with it.

The answer depends on the vectors alone. Matrix products find the best two lists; their last bits
depend on the library, the processor and the number of threads, so where the two are closer than
that can matter, the products are computed anew, one pair at a time.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from indexes.exact import ROUNDING
from indexes.search import Vectors, score_pairs

Lists = npt.NDArray[np.int64]
BestTwo = tuple[Lists, Vectors, Vectors]
"""Of each vector its best list, the product with it, and the product with the second best."""

SCORES_AT_ONCE = 4 << 20
"""So many products of vectors and centres a thread holds at a time."""

RunAll = Callable[[Callable[[int, int], None], int, int], None]
"""Calls a function for the spans (start, stop) of so many rows, so many rows in each."""


def count_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def threads_over_spans(threads: int) -> Iterator[RunAll]:
    """A pool of threads and the function that has it work on spans of rows, all of them.

    Spans are the same for any number of threads.
    """
    with ThreadPoolExecutor(threads) as pool:

        def run(work: Callable[[int, int], None], rows: int, at_once: int) -> None:
            starts = range(0, rows, at_once)
            # Consumed, so that what fails in a thread fails here.
            for _ in pool.map(lambda start: work(start, min(start + at_once, rows)), starts):
                pass

        yield run


class ListAssigner:
    """Assigns vectors to the lists of `centres` (lists, d), unit vectors in float32."""

    def __init__(self, centres: Vectors, *, faiss: ModuleType) -> None:
        self._centres = np.ascontiguousarray(centres, dtype=np.float32)
        self._best_two = _best_two_on_gpus(self._centres, faiss) or self._best_two_here
        self.rows_at_once = max(64, SCORES_AT_ONCE // len(centres))

    def assign(self, vectors: Vectors, run: RunAll) -> Lists:
        """The list of each of `vectors` (n, d): highest product; among equals the lowest list."""
        lists = np.empty(len(vectors), dtype=np.int64)

        def work(start: int, stop: int) -> None:
            lists[start:stop] = self._assign(np.asarray(vectors[start:stop], dtype=np.float32))

        run(work, len(vectors), self.rows_at_once)
        return lists

    def _assign(self, block: Vectors) -> Lists:
        lists, best, second = self._best_two(block)
        reach = 2 * ROUNDING * np.maximum(1, np.linalg.norm(block, axis=1))
        close = np.flatnonzero(~(best - second > reach))
        for row, scores in zip(close, block[close] @ self._centres.T, strict=True):
            contenders = np.flatnonzero(scores >= scores.max() - reach[row])
            lists[row] = contenders[score_pairs(block[row], self._centres[contenders]).argmax()]
        return lists

    def _best_two_here(self, block: Vectors) -> BestTwo:
        scores = block @ self._centres.T
        rows = np.arange(len(block))
        lists = scores.argmax(axis=1)
        best = scores[rows, lists]
        scores[rows, lists] = -np.inf
        return lists, best, scores.max(axis=1)


def _best_two_on_gpus(centres: Vectors, faiss: ModuleType) -> Callable[[Vectors], BestTwo] | None:
    """`ListAssigner._best_two_here` on all GPUs that FAISS has; None where it has none."""
    if len(centres) < 2 or not getattr(faiss, "get_num_gpus", lambda: 0)():
        return None
    flat = faiss.IndexFlatIP(centres.shape[1])
    flat.add(centres)
    on_gpus: Any = faiss.index_cpu_to_all_gpus(flat)

    def best_two(block: Vectors) -> BestTwo:
        scores, lists = on_gpus.search(np.ascontiguousarray(block), 2)
        return lists[:, 0], scores[:, 0], scores[:, 1]

    return best_two
