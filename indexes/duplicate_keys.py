"""A key that two shards hold, found in bounded memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from indexes.hash_sorting import HELD, HashSorter
from indexes.lookup import Hashes, hash_texts
from indexes.search import Rows

ReadKeys = Callable[[int], Iterable[str]]
HashKeys = Callable[[Sequence[str]], Hashes]


@dataclass(frozen=True)
class DuplicateKey:
    """`key` is in shard `first` and again in shard `second`, both counted from 0."""

    key: str
    first: int
    second: int


def find_duplicate_key(
    hashes: Iterable[Hashes],
    read_keys: ReadKeys,
    *,
    hash_keys: HashKeys = hash_texts,
    held: int = HELD,
) -> DuplicateKey | None:
    """A key that is in two shards; None where no key is.

    `hashes` are `hash_keys` of the keys of each shard, taken one after another; a key may come
    several times in one of them. Where hashes agree, `read_keys(number)` gives the keys of one
    shard again, so that an accidental agreement does no harm. More than `held` hashes lie in
    temporary files.
    """
    with HashSorter(held=held) as sorter:
        for number, each in enumerate(hashes):
            own = np.unique(each)
            sorter.add(own, np.full(len(own), number, dtype=np.int64))
        for suspect, shards in _in_several(sorter):
            duplicate = _confirm(suspect, shards, read_keys, hash_keys)
            if duplicate is not None:
                return duplicate
    return None


def _in_several(sorter: HashSorter) -> Iterator[tuple[np.uint64, Rows]]:
    """Every hash that more than one shard has, and these shards, rising."""
    for hashes, shards in sorter.sorted():
        starts = np.flatnonzero(np.concatenate([[True], hashes[1:] != hashes[:-1]]))
        stops = np.append(starts[1:], len(hashes))
        for group in np.flatnonzero(stops - starts > 1):
            yield hashes[starts[group]], shards[starts[group] : stops[group]]


def _confirm(
    suspect: np.uint64, shards: Rows, read_keys: ReadKeys, hash_keys: HashKeys
) -> DuplicateKey | None:
    """The first key with that hash that is in two of `shards`."""
    seen: dict[str, int] = {}
    for number in shards.tolist():
        keys = list(read_keys(number))
        for row in np.flatnonzero(hash_keys(keys) == suspect):
            first = seen.setdefault(keys[row], number)
            if first != number:
                return DuplicateKey(keys[row], first, number)
    return None
