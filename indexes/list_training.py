"""Training inverted lists: spherical k-means, the same to the last bit on any number of cores."""

from types import ModuleType

import numpy as np

from indexes.list_assignment import ListAssigner, Lists, RunAll
from indexes.search import Vectors

ROUNDS = 10
"""As FAISS does where it trains inverted lists."""

SUMMED_AT_ONCE = 16_384
"""So many vectors are gathered at a time to be summed up, or those of one list."""


def train_lists(
    vectors: Vectors, lists: int, *, seed: int, run: RunAll, faiss: ModuleType
) -> Vectors:
    """The centres of `lists` lists over `vectors` (n, d), unit vectors in float32 (lists, d).

    `seed` draws the vectors that k-means begins with. Lists are assigned in parallel and
    independently of one another; sums are formed in the order of the vectors.

    Raises:
        ValueError: there are fewer vectors than lists.
    """
    if len(vectors) < lists:
        raise ValueError(f"lists must be at most the {len(vectors)} vectors, got {lists}")
    rng = np.random.default_rng(seed)
    centres = _unit(vectors[np.sort(rng.choice(len(vectors), size=lists, replace=False))])
    assigned: Lists | None = None
    for _ in range(ROUNDS):
        before, assigned = assigned, ListAssigner(centres, faiss=faiss).assign(vectors, run)
        if before is not None and (before == assigned).all():
            break
        centres = _move(vectors, assigned, centres, rng)
    return centres


def _move(vectors: Vectors, assigned: Lists, centres: Vectors, rng: np.random.Generator) -> Vectors:
    """The mean directions of what is assigned to each list.

    An empty list moves to a vector of one of the longest lists, which is divided by that.
    """
    order = np.argsort(assigned, kind="stable")
    sizes = np.bincount(assigned, minlength=len(centres))
    stops = np.cumsum(sizes)
    moved = centres.copy()
    filled = np.flatnonzero(sizes)
    for group in _groups(sizes, filled):
        start, stop = stops[group[0]] - sizes[group[0]], stops[group[-1]]
        firsts = stops[group] - sizes[group] - start
        gathered = vectors[order[start:stop]]
        moved[group] = _unit(np.add.reduceat(gathered, firsts, axis=0, dtype=np.float64))
    empty = np.flatnonzero(sizes == 0)
    longest = np.argsort(-sizes, kind="stable")[: len(empty)]
    for here, there in zip(empty, np.resize(longest, len(empty)), strict=True):
        member = stops[there] - 1 - rng.integers(max(1, sizes[there]))
        moved[here] = _unit(vectors[order[member]][None])[0]
    return moved


def _groups(sizes: Lists, filled: Lists) -> list[Lists]:
    """`filled`, cut into runs of lists of about `SUMMED_AT_ONCE` vectors together."""
    place = np.cumsum(sizes[filled]) // SUMMED_AT_ONCE
    return np.split(filled, np.flatnonzero(np.diff(place)) + 1)


def _unit(rows: Vectors) -> Vectors:
    """`rows` at unit length, float32; a row without a direction stays as it is."""
    lengths = np.sqrt((np.asarray(rows, dtype=np.float64) ** 2).sum(axis=1, keepdims=True))
    unit: Vectors = (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return unit
