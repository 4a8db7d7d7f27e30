"""A key that two shards hold, found in eight bytes a key."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from indexes.lookup import Hashes, hash_texts

ReadKeys = Callable[[int], Iterable[str]]
HashKeys = Callable[[Sequence[str]], Hashes]


@dataclass(frozen=True)
class DuplicateKey:
    """`key` is in shard `first` and again in shard `second`, both counted from 0."""

    key: str
    first: int
    second: int


def find_duplicate_key(
    hashes: Sequence[Hashes], read_keys: ReadKeys, *, hash_keys: HashKeys = hash_texts
) -> DuplicateKey | None:
    """A key that is in two shards; None where no key is.

    `hashes` are `hash_keys` of the keys of each shard; a key may come several times in one of
    them. Where hashes agree, `read_keys(number)` gives the keys of one shard again, so that an
    accidental agreement does no harm.
    """
    for suspect in _in_several(hashes):
        duplicate = _confirm(suspect, len(hashes), read_keys, hash_keys)
        if duplicate is not None:
            return duplicate
    return None


def _in_several(hashes: Sequence[Hashes]) -> Hashes:
    """The hashes that more than one shard has, rising."""
    if not hashes:
        return np.empty(0, dtype=np.uint64)
    together = np.concatenate([np.unique(each) for each in hashes])
    together.sort()
    return np.unique(together[1:][together[1:] == together[:-1]])


def _confirm(
    suspect: np.uint64, shards: int, read_keys: ReadKeys, hash_keys: HashKeys
) -> DuplicateKey | None:
    """The first key with that hash that is in two shards."""
    seen: dict[str, int] = {}
    for number in range(shards):
        keys = list(read_keys(number))
        for row in np.flatnonzero(hash_keys(keys) == suspect):
            first = seen.setdefault(keys[row], number)
            if first != number:
                return DuplicateKey(keys[row], first, number)
    return None
