"""Groups of pictures: what near-copies join, directly or by way of others."""

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


def connect(count: int, read_edges: Callable[[], Iterable[Rows]]) -> Rows:
    """For each of `count` rows the first row of its group, int64 (count,).

    `read_edges` gives the pairs of rows (m, 2) in pieces, and is called as often as the groups
    still grow: 8 bytes a row and one piece are in memory. The order of pieces and pairs changes
    nothing.

    >>> import numpy as np
    >>> connect(5, lambda: [np.array([[3, 4]]), np.array([[1, 3]])]).tolist()
    [0, 1, 2, 1, 1]
    """
    first = np.arange(count, dtype=np.int64)
    grows = True
    while grows:
        grows = False
        for edges in read_edges():
            one, other = first[edges[:, 0]], first[edges[:, 1]]
            low, high = np.minimum(one, other), np.maximum(one, other)
            apart = low < high
            if apart.any():
                grows = True
                np.minimum.at(first, high[apart], low[apart])
                first = _follow(first)
    return first


def _follow(first: Rows) -> Rows:
    """Every row's first row, not only one that lies nearer to it."""
    while True:
        further = first[first]
        if np.array_equal(further, first):
            return first
        first = further
