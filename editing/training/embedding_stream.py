"""Pictures of an index to train on: their embeddings and captions, in an order drawn by a seed.

What an optimiser step sees is a function of (index, seed, step), as with pairs.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from editing.training.objective import EmbeddingBatch
from editing.training.pair_stream import PairsError
from indexes.search import Rows, Vectors


@runtime_checkable
class CaptionedVectors(Protocol):
    """What is streamed: an `indexes.folder.PictureIndex`, or what is like it."""

    @property
    def folder(self) -> Path:
        """Where they lie; errors name it."""
        ...

    def captions(self) -> list[str]:
        """What each picture shows; empty where nobody says."""
        ...

    def embeddings(self, rows: Rows) -> Vectors:
        """The unit embeddings of some pictures, float32 (n, d)."""
        ...


class EmbeddingStream:
    """The pictures of an index that have a caption, without end, in batches.

    Every epoch has each of them once, in its own order; what is left over begins the next batch.

    Raises:
        ValueError: a batch size below 1.
        PairsError: fewer pictures than a batch have a caption.
    """

    def __init__(self, index: CaptionedVectors, *, batch_size: int, seed: int = 0) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self._index = index
        self._captions = index.captions()
        told = [row for row, caption in enumerate(self._captions) if (caption or "").strip()]
        self._rows = np.asarray(told, dtype=np.int64)
        self._batch_size = batch_size
        self._seed = seed
        self.pictures = len(told)
        if self.pictures < batch_size:
            raise PairsError(
                f"{index.folder}: a step needs {batch_size} pictures with a caption, and there are "
                f"{self.pictures}: give a smaller --batch-size"
            )

    def batches(
        self, *, first_step: int = 0, rank: int = 0, of: int = 1
    ) -> Iterator[EmbeddingBatch]:
        """The batches from `first_step` on, of each the share of device `rank` `of` several.

        Raises:
            ValueError: a batch does not divide among the devices.
        """
        size = self._batch_size
        if size % of:
            raise ValueError(f"batch_size must be a multiple of {of} devices, got {size}")
        share = size // of
        rows = self._order(first_step * size)
        while True:
            batch = np.fromiter((next(rows) for _ in range(size)), np.int64, count=size)
            yield self._batch(batch[rank * share : (rank + 1) * share])

    def first(self, count: int) -> EmbeddingBatch:
        """The first `count` pictures with a caption, or all, in the index's order."""
        return self._batch(self._rows[:count])

    def _order(self, first: int) -> Iterator[int]:
        """Rows from number `first` of the endless stream on."""
        epoch, skipped = divmod(first, self.pictures)
        while True:
            order = np.random.default_rng([self._seed, epoch]).permutation(self.pictures)
            yield from self._rows[order[skipped:]].tolist()
            epoch, skipped = epoch + 1, 0

    def _batch(self, rows: Rows) -> EmbeddingBatch:
        return EmbeddingBatch(
            images=torch.from_numpy(self._index.embeddings(rows).astype(np.float32)),
            captions=tuple(self._captions[row] for row in rows),
        )
