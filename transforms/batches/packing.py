"""Batches and tables as strings of bytes.

What passes a join has lost its type for Beam, so that its general coder would take the records
apart field by field, several times over to estimate their size; a string of bytes it only copies.
"""

import pickle
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from transforms.record import Batch

Packed = tuple[str, bytes]
"""A packed table under the name of its source shard."""

PICKLE_PROTOCOL = 5


def to_bytes(batch: Batch[Any]) -> bytes:
    """`batch`, written down."""
    return pickle.dumps(batch, PICKLE_PROTOCOL)


def from_bytes(data: bytes) -> Batch[Any]:
    """The batch that `to_bytes` wrote down."""
    batch: Batch[Any] = pickle.loads(data)
    return batch


def unpack(packed: Iterable[bytes]) -> Iterator[Batch[Any]]:
    """The batches that `to_bytes` wrote down, in the order they arrive in."""
    return map(from_bytes, packed)


def pack_table(shard: str, table: pa.Table) -> Packed:
    """`table`, of that source shard, packed for the shuffle to it."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return shard, sink.getvalue().to_pybytes()


def unpack_tables(packed: Iterable[bytes]) -> Iterator[pa.Table]:
    """The tables that were packed, in the order they arrive in."""
    return (pa.ipc.open_stream(data).read_all() for data in packed)
