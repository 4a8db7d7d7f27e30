"""Near-copies among many pictures, table by table: hashing that is sensitive to what is near.

A table sorts all pictures by a few bits: of the fingerprint, or of the side of a few random planes
on which the embedding lies (Charikar 2002). Near-copies have those bits in common in most tables,
and only pictures that have are compared (Indyk and Motwani 1998). What a table finds depends on
the pictures alone, so that tables can be gone through anywhere and in any order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.near_copies.fingerprint import (
    FINGERPRINT_BYTES,
    VIEW_BYTES,
    Fingerprints,
    Words,
    as_words,
    count_all_bits,
)
from transforms.near_copies.rule import NearCopyRule

FINGERPRINT_TABLES = 24
EMBEDDING_TABLES = 24
TABLES = FINGERPRINT_TABLES + EMBEDDING_TABLES

ROWS_AT_ONCE = 1 << 16
"""So many rows are unpacked or compared at once: what bounds the memory beside 16 bytes a row."""
MOST_COMPARED = 512
"""A picture is compared with so many that follow it under the same key, in the order of their
fingerprints: where thousands are one another's copies, neighbours join them all the same."""

_LEAST_BITS, _MOST_BITS = 8, 40
_SEED = 0x6E65_6172

Rows = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Signatures:
    """What is known of n pictures by row: fingerprints, and `embeddings(rows)`, unit float32.

    Both may be memory-mapped; no more than `ROWS_AT_ONCE` rows are asked for at once.
    """

    fingerprints: Fingerprints
    embeddings: Callable[[Rows], Vectors]

    def __post_init__(self) -> None:
        if self.fingerprints.ndim != 2 or self.fingerprints.shape[1] != FINGERPRINT_BYTES:
            shape = self.fingerprints.shape
            raise ValueError(f"fingerprints must be (n, {FINGERPRINT_BYTES}), got {shape}")

    def __len__(self) -> int:
        return len(self.fingerprints)


def join_table(signatures: Signatures, table: int, rule: NearCopyRule) -> Rows:
    """The near-copies that table number `table` shows: rows, int64 (m, 2), rising, each pair once.

    Raises:
        ValueError: there is no such table.
    """
    if not 0 <= table < TABLES:
        raise ValueError(f"table must be in [0, {TABLES}), got {table}")
    if len(signatures) < 2:
        return np.empty((0, 2), np.int64)
    words = as_words(signatures.fingerprints)
    keys = _keys(signatures, table)
    # Under one key the most alike fingerprints stand together; rows decide between equal ones.
    order = np.lexsort((words[:, 0, 1], words[:, 0, 0], keys)).astype(np.int64)
    keys = keys[order]
    found = [
        edges
        for first, second in _neighbours(keys, order)
        if len(edges := _near(signatures, words, first, second, rule))
    ]
    if not found:
        return np.empty((0, 2), np.int64)
    edges = np.concatenate(found)
    edges.sort(axis=1)
    unique: Rows = np.unique(edges, axis=0)
    return unique


def _keys(signatures: Signatures, table: int) -> npt.NDArray[np.uint64]:
    """The key of every row in a table."""
    count = len(signatures)
    bits = min(max(int(np.ceil(np.log2(count))), _LEAST_BITS), _MOST_BITS)
    random = np.random.default_rng([_SEED, table])
    keys = np.empty(count, np.uint64)
    if table < FINGERPRINT_TABLES:
        chosen = np.sort(random.choice(8 * VIEW_BYTES, bits, replace=False))
        for start, stop in _spans(count):
            whole = signatures.fingerprints[start:stop, :VIEW_BYTES]
            rows = np.unpackbits(whole, axis=1)[:, chosen]
            keys[start:stop] = _pack(rows)
        return keys
    planes: Vectors | None = None
    for start, stop in _spans(count):
        vectors = signatures.embeddings(np.arange(start, stop))
        if planes is None:
            planes = random.standard_normal((vectors.shape[1], bits)).astype(np.float32)
        keys[start:stop] = _pack(vectors @ planes > 0)
    return keys


def _pack(bits: npt.NDArray[np.generic]) -> npt.NDArray[np.uint64]:
    powers = np.left_shift(np.uint64(1), np.arange(bits.shape[1], dtype=np.uint64))
    packed: npt.NDArray[np.uint64] = (bits.astype(np.uint64) * powers).sum(axis=1, dtype=np.uint64)
    return packed


def _spans(count: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, ROWS_AT_ONCE):
        yield start, min(start + ROWS_AT_ONCE, count)


def _neighbours(keys: npt.NDArray[np.uint64], order: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Rows to compare: each with those that follow it under the same key, a step at a time."""
    for start, stop in _spans(len(keys)):
        for step in range(1, MOST_COMPARED + 1):
            end = min(stop, len(keys) - step)
            same = np.flatnonzero(keys[start:end] == keys[start + step : end + step]) + start
            if not len(same):
                break
            yield order[same], order[same + step]


def _near(
    signatures: Signatures,
    words: Words,
    first: Rows,
    second: Rows,
    rule: NearCopyRule,
) -> Rows:
    """Those of the pairs of rows that are near-copies."""
    bits = count_all_bits(words[first], words[second])
    possible = np.flatnonzero(bits <= rule.likely_bits)
    first, second = first[possible], second[possible]
    one, other = signatures.embeddings(first), signatures.embeddings(second)
    cosines = np.einsum("nd,nd->n", one.astype(np.float64), other.astype(np.float64))
    near = rule.holds(bits[possible], cosines)
    return np.stack([first[near], second[near]], axis=1)
