"""How Beam writes batches down, where it has to, and what it takes their size to be.

Beam meters what passes between stages by the sizes of a sample of the elements, and a coder that
says nothing of sizes is asked to encode them: pictures, candidates and all, to be thrown away.
"""

from typing import Any

import apache_beam as beam

from transforms.batches.packing import from_bytes, to_bytes
from transforms.record import Batch

RECORD_BYTES = 16_384
"""What a record is taken to weigh: a small picture and its scores. No bytes depend on it."""


class BatchCoder(beam.coders.Coder):
    """Batches as pickles, whose size is guessed from the number of records."""

    def encode(self, value: Batch[Any]) -> bytes:
        """`value` as bytes."""
        return to_bytes(value)

    def decode(self, encoded: bytes) -> Batch[Any]:
        """The batch that `encode` gave the bytes of."""
        return from_bytes(encoded)

    def estimate_size(self, value: Batch[Any]) -> int:
        """A guess at the length of `encode(value)`."""
        return RECORD_BYTES * (1 + len(value.records) + len(value.rejects))

    def is_deterministic(self) -> bool:
        """Batches are no keys: equal ones need not be equal bytes."""
        return False


beam.coders.registry.register_coder(Batch, BatchCoder)
