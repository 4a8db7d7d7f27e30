"""Training a scalar quantiser: between which values each number of a vector lies."""

from types import ModuleType
from typing import Any

import numpy as np

from indexes.list_assignment import Lists
from indexes.search import Vectors

MOST_TRAINING = 32_768
_ROWS_AT_ONCE = 4096


def train_scalar_codes(
    index: Any, vectors: Vectors, centres: Vectors, lists: Lists, *, seed: int, faiss: ModuleType
) -> None:
    """Gives `index`, FAISS's inverted lists with a byte for every number, what it encodes by.

    `lists` says which of `centres` each of `vectors` belongs to; what is encoded is the difference.
    Of at most `MOST_TRAINING` of them, drawn by `seed`, the least and the greatest value of each
    number are found; values beyond are kept as these.
    """
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:MOST_TRAINING]
    chosen.sort()
    least = np.full(vectors.shape[1], np.inf, dtype=np.float32)
    greatest = -least
    for start in range(0, len(chosen), _ROWS_AT_ONCE):
        some = chosen[start : start + _ROWS_AT_ONCE]
        left = vectors[some]
        if index.by_residual:
            left = left - centres[lists[some]]
        least = np.minimum(least, left.min(axis=0))
        greatest = np.maximum(greatest, left.max(axis=0))
    faiss.copy_array_to_vector(np.concatenate([least, greatest - least]), index.sq.trained)
