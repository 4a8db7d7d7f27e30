"""Pairs to train on, streamed from a data set's shards in an order that depends on the seed alone.

The pictures stay in their Parquet files until they are needed. What an optimiser step sees is a
function of (data set, seed, step), whatever the number of devices, and a run that goes on in the
middle reads what an uninterrupted one would have read.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from editing.errors import EditingError
from editing.pictures import fit_square, mask_to_tensor, picture_to_tensor
from editing.training.alignment import align_target
from editing.training.objective import PairBatch
from editing.training.pair_settings import PROMPT_COLUMNS, PairSettings
from transforms.dataset.clean_schema import choose_split
from transforms.dataset.manifest import Manifest
from transforms.dataset.reader import (
    PSEUDO_TARGET_IMAGE,
    SOURCE_IMAGE,
    PairsDataset,
    decode_picture,
    decode_row_mask,
)
from transforms.dataset.schema import score_column
from transforms.dataset.tables import RowGroup

GROUPS_TOGETHER = 8
"""Row groups whose rows are shuffled together and held, still encoded, in memory."""

_COLUMNS = ("key", "caption", "source_phrase", "target_phrase", "mask_status")
_PICTURES = (SOURCE_IMAGE, PSEUDO_TARGET_IMAGE, "source_mask", "target_mask")


class PairsError(EditingError):
    """Pairs that cannot be trained on though they can be read, in one line."""


class PairStream:
    """The pairs of a data set, without end, in batches.

    `size` is the side of the training pictures in pixels, `batch_size` the pairs of an optimiser
    step over all devices.

    Raises:
        ValueError: a size or batch size below 1.
        DatasetError: a file cannot be read.
        PairsError: there are no pairs, or scores are missing.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        settings: PairSettings,
        *,
        size: int,
        batch_size: int,
        seed: int = 0,
    ) -> None:
        for name, value in (("size", size), ("batch_size", batch_size)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        self._settings = settings
        self._size = size
        self._batch_size = batch_size
        self._seed = seed
        split = choose_split(manifest.configuration, "train")
        dataset = PairsDataset(folder, manifest, split)
        self._limits = dataset.limits
        self._groups = dataset.row_groups()
        self.pairs = sum(group.rows for group in self._groups)
        if self.pairs == 0:
            raise PairsError(f"{folder}: the data set has no pairs to train on")
        self._mean_quality = self._read_mean_quality(dataset)

    def batches(self, *, first_step: int = 0, rank: int = 0, of: int = 1) -> Iterator[PairBatch]:
        """The batches from `first_step` on, of each the share of device `rank` `of` several.

        Raises:
            ValueError: a batch does not divide among the devices.
            DatasetError: a file cannot be read, or a picture or mask cannot be used.
        """
        size = self._batch_size
        if size % of:
            raise ValueError(f"batch_size must be a multiple of {of} devices, got {size}")
        share = size // of
        rows = self._rows(first_step * size)
        while True:
            batch = [next(rows) for _ in range(size)]
            yield self._batch(batch[rank * share : (rank + 1) * share])

    def keys(self, first: int, count: int) -> list[str]:
        """The keys of `count` pairs of the stream, from number `first` on."""
        rows = self._rows(first)
        return [next(rows)["key"] for _ in range(count)]

    def _rows(self, first: int) -> Iterator[Mapping[str, Any]]:
        """Rows from number `first` of the endless stream on."""
        epoch, skipped = divmod(first, self.pairs)
        while True:
            yield from self._epoch(epoch, skipped)
            epoch, skipped = epoch + 1, 0

    def _epoch(self, epoch: int, skipped: int) -> Iterator[Mapping[str, Any]]:
        seed = [self._seed, epoch]
        order = np.random.default_rng(seed).permutation(len(self._groups))
        for window, start in enumerate(range(0, len(order), GROUPS_TOGETHER)):
            groups = [self._groups[place] for place in order[start : start + GROUPS_TOGETHER]]
            rows = sum(group.rows for group in groups)
            if skipped >= rows:
                skipped -= rows
                continue
            table = self._read(groups)
            for row in np.random.default_rng([*seed, window]).permutation(rows)[skipped:]:
                yield table.slice(row, 1).to_pylist()[0]
            skipped = 0

    def _read(self, groups: Sequence[RowGroup]) -> pa.Table:
        names = [*_COLUMNS, *_PICTURES, PROMPT_COLUMNS[self._settings.prompts]]
        if self._settings.quality is not None:
            names.append(score_column(self._settings.quality))
        return pa.concat_tables([group.read(names) for group in groups])

    def _batch(self, rows: Sequence[Mapping[str, Any]]) -> PairBatch:
        source, target, source_mask, target_mask = zip(*map(self._read_pair, rows), strict=True)
        return PairBatch(
            keys=tuple(row["key"] for row in rows),
            source=torch.stack(source),
            target=torch.stack(target),
            source_mask=torch.stack(source_mask),
            target_mask=torch.stack(target_mask),
            captions=tuple(row["caption"] for row in rows),
            edit_prompts=tuple(row[PROMPT_COLUMNS[self._settings.prompts]] for row in rows),
            source_phrases=tuple(row["source_phrase"] for row in rows),
            target_phrases=tuple(row["target_phrase"] for row in rows),
            quality=torch.tensor([self._quality(row) for row in rows], dtype=torch.float32),
        )

    def _read_pair(self, row: Mapping[str, Any]) -> tuple[torch.Tensor, ...]:
        """Source, target and both masks of a row."""
        source, source_mask = self._read_side(row, SOURCE_IMAGE, "source_mask")
        target, target_mask = self._read_side(row, PSEUDO_TARGET_IMAGE, "target_mask")
        if self._settings.align:
            target, target_mask = align_target(
                target, source_mask=source_mask, target_mask=target_mask
            )
        return source, target, source_mask, target_mask

    def _read_side(
        self, row: Mapping[str, Any], picture: str, mask: str
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A picture and its mask, at the size that is trained on."""
        image = decode_picture(row, picture, self._limits)
        marked = decode_row_mask(row, mask, image.size)
        size = self._size
        return (
            picture_to_tensor(fit_square(image, size)),
            mask_to_tensor(fit_square(marked, size)),
        )

    def _quality(self, row: Mapping[str, Any]) -> float:
        if self._settings.quality is None:
            return 1.0
        return max(0.0, float(row[score_column(self._settings.quality)])) / self._mean_quality

    def _read_mean_quality(self, dataset: PairsDataset) -> float:
        name = self._settings.quality
        if name is None:
            return 1.0
        values: list[float] = []
        for file in dataset.table.files:
            column = file.read([score_column(name)])[0]
            if column.null_count:
                raise PairsError(
                    f"{file.path}: score {name} is missing in {column.null_count} pairs"
                )
            values += column.to_pylist()
        mean = math.fsum(max(0.0, value) for value in values) / len(values)
        if mean == 0:
            raise PairsError(f"{dataset.folder}: no pair has a score {name} above 0")
        return mean
