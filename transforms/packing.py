"""Batches as strings of bytes, for a shuffle.

Beam's own coder would take the records apart field by field, several times over to estimate their
size; a string of bytes it only copies.
"""

import pickle
from collections.abc import Iterable, Iterator
from typing import Any

from transforms.record import Batch

Packed = tuple[str, bytes]
"""A packed batch under the name of its source shard."""

PICKLE_PROTOCOL = 5


def pack(batch: Batch[Any]) -> Packed:
    """`batch`, which should be light, packed for the shuffle to its shard."""
    return batch.shard, pickle.dumps(batch, PICKLE_PROTOCOL)


def unpack(packed: Iterable[bytes]) -> Iterator[Batch[Any]]:
    """The batches that were packed, in the order they arrive in."""
    return map(pickle.loads, packed)
