"""Reading pairs: `open_pairs`, and what a pair is to the one who reads it.

Pictures and masks stay encoded until they are asked for. This module imports neither Beam nor
torch, so that readers of the data need neither.
"""

import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, overload

from PIL import Image

from indexes.storage.paths import as_path
from transforms.dataset.files import OutputError
from transforms.dataset.manifest import Manifest, load_manifest
from transforms.dataset.rows import Row, scores_from_row
from transforms.dataset.schema import MASK_COMPUTED, PAIRS
from transforms.dataset.splits import shards_of
from transforms.dataset.tables import DatasetError, RowGroup, ShardedTable, find_shard_file
from transforms.pictures.decoding import PictureError, decode_stored
from transforms.pictures.limits import STORED_LIMITS, PictureLimits, stored_limits
from transforms.pictures.masks import MaskError, decode_mask
from transforms.record import Scores

SOURCE_IMAGE = "input_image"
PSEUDO_TARGET_IMAGE = "edited_image"
"""The columns of the two pictures, under the names that trainers of image editors look for."""

_TEXTS = (
    "key",
    "caption",
    "edit_prompt",
    "source_word",
    "target_word",
    "source_phrase",
    "target_phrase",
    "relation",
    "part_of_speech",
    "method",
    "source_key",
    "target_key",
    "target_caption",
    "source_licence",
    "target_licence",
    "edit_instruction",
)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One pair: a source picture, an edit prompt, and the picture that stands in for the result.

    `caption` says what the source shows, `edit_prompt` what the edited picture shall show: the
    caption with `source_word` exchanged for `target_word`, a description and no instruction;
    `edit_instruction` says the same as one, None in data sets of earlier versions.
    `source_phrase` and `target_phrase` are what the masks mark. `relation` is how the words are
    related, `part_of_speech` what they are, `method` how the pseudo-target was found.
    `target_caption` is the pseudo-target's own caption. `key` is the pair's, `source_key` and
    `target_key` are the pictures' in their collections; a licence is None where the collection
    names none. `scores` are those of the pair, None where one was not measured. `row` holds every
    column of the pair, pictures and masks encoded; `limits` is what decoding a picture may cost.
    """

    key: str
    caption: str
    edit_prompt: str
    source_word: str
    target_word: str
    source_phrase: str
    target_phrase: str
    relation: str
    part_of_speech: str
    method: str
    source_key: str
    target_key: str
    target_caption: str
    source_licence: str | None
    target_licence: str | None
    edit_instruction: str | None
    scores: Scores
    row: Row = field(repr=False, compare=False)
    limits: PictureLimits = field(default=STORED_LIMITS, repr=False, compare=False)

    @classmethod
    def from_row(cls, row: Row, limits: PictureLimits = STORED_LIMITS) -> "Pair":
        """The pair of a row of the pairs with all its columns; `limits` as of its data set."""
        texts = {name: row[name] for name in _TEXTS}
        return cls(**texts, scores=scores_from_row(row), row=row, limits=limits)

    @cached_property
    def source_image(self) -> Image.Image:
        """The source picture: RGB, upright.

        Raises:
            DatasetError: it cannot be decoded.
        """
        return decode_picture(self.row, SOURCE_IMAGE, self.limits)

    @cached_property
    def pseudo_target_image(self) -> Image.Image:
        """The retrieved picture that stands in for the result of the edit: RGB, upright.

        Raises:
            DatasetError: it cannot be decoded.
        """
        return decode_picture(self.row, PSEUDO_TARGET_IMAGE, self.limits)

    @property
    def has_masks(self) -> bool:
        """Whether both masks were computed; one that marks nothing counts."""
        return bool(self.row["mask_status"] == MASK_COMPUTED)

    @cached_property
    def source_mask(self) -> Image.Image:
        """Where `source_phrase` is: mode L, of the source picture's size, 255 inside, 0 outside.

        Raises:
            DatasetError: the masks were not computed, or this one is not a mask of its picture.
        """
        return decode_row_mask(self.row, "source_mask", self.source_image.size)

    @cached_property
    def target_mask(self) -> Image.Image:
        """Where `target_phrase` is: mode L, of the pseudo-target's size, 255 inside, 0 outside.

        Raises:
            DatasetError: the masks were not computed, or this one is not a mask of its picture.
        """
        return decode_row_mask(self.row, "target_mask", self.pseudo_target_image.size)


class PairsDataset(Sequence[Pair]):
    """The pairs of a finished data set, in the order of its shards: a sequence of `Pair`.

    `folder` and `manifest` are the data set's, `limits` what decoding one of its pictures may cost,
    by the sources that its manifest names. `table`, `rejects` and `candidates` are its three
    tables by rows and columns, for what goes beyond single pairs. With `split` they are those of
    one split of a data set that has some.

    A row group (100 pairs, encoded) is in memory at a time; reading in order reads each once, and
    a single pair costs its row group, unless it is the one that was read last.
    """

    def __init__(self, folder: Path, manifest: Manifest, split: str | None = None) -> None:
        self.folder = folder
        self._shards = shards_of(manifest, split)
        self.manifest = manifest
        self.limits = stored_limits(manifest.source, manifest.pool)
        self.table = self._open_table("pairs")
        self._last: tuple[int, list[Row]] = (0, [])

    def _open_table(self, kind: str) -> ShardedTable:
        return ShardedTable([find_shard_file(self.folder, kind, s) for s in self._shards])

    @cached_property
    def rejects(self) -> ShardedTable:
        """What did not become a pair, and why; `transforms.dataset.rows.row_to_reject` reads rows.

        Raises:
            DatasetError: the manifest names no such files.
        """
        return self._open_table("rejects")

    @cached_property
    def candidates(self) -> ShardedTable:
        """Every proposed edit with all pictures considered for it; `row_to_query` reads rows.

        Raises:
            DatasetError: the manifest names no such files.
        """
        return self._open_table("candidates")

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[Pair]:
        """All pairs, in order.

        Raises:
            DatasetError: a shard cannot be read.
        """
        return (Pair.from_row(row, self.limits) for row in self.table.rows(PAIRS.names))

    @overload
    def __getitem__(self, index: int) -> Pair: ...

    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...

    def __getitem__(self, index: int | slice) -> Pair | list[Pair]:
        """The pair at a position, from the end if negative; a list of them for a slice.

        Raises:
            IndexError: there is no such position.
            DatasetError: a shard cannot be read.
        """
        if isinstance(index, slice):
            rows = self.table.take(range(*index.indices(len(self))), PAIRS.names)
            return [Pair.from_row(row, self.limits) for row in rows]
        position = operator.index(index)
        position += len(self) if position < 0 else 0
        if not 0 <= position < len(self):
            raise IndexError(f"pair must be in [{-len(self)}, {len(self)}), got {index}")
        first, rows = self._last
        if not first <= position < first + len(rows):
            group, first = self.table.find_row_group(position)
            rows = group.read(PAIRS.names).to_pylist()
            self._last = first, rows
        return Pair.from_row(rows[position - first], self.limits)

    def row_groups(self) -> list[RowGroup]:
        """The row groups of the pairs, in order; reads the shards' footers.

        Raises:
            DatasetError: a shard cannot be read, or has another number of rows than it should.
        """
        return self.table.row_groups()


def open_pairs(folder: str | os.PathLike[str], split: str | None = None) -> PairsDataset:
    """The pairs of the data set in `folder`, a sequence of `Pair`; reads its manifest and no shard.

    >>> from pairloom import open_pairs
    >>> pairs = open_pairs("small/pairs")
    >>> pair = pairs[0]
    >>> pair.caption
    'a small yellow chair on the left of a patterned background'
    >>> pair.edit_prompt
    'a small red chair on the left of a patterned background'
    >>> pair.edit_instruction
    'turn the yellow chair into a red chair'
    >>> pair.source_image.size, pair.pseudo_target_image.size, pair.source_mask.mode
    ((64, 64), (64, 64), 'L')
    >>> sum(pair.scores.structure > 0.3 for pair in pairs) <= len(pairs)
    True
    >>> len(pairs) + len(pairs.rejects) >= pairs.manifest.counts.sources
    True

    It has a length, can be gone through, and gives single pairs and slices; see `Pair`. With
    `split` it has the pairs of one split alone.

    Raises:
        DatasetError: `folder` is no folder, or its manifest is missing, of a schema version not
            known here, or not whole; or it has no such split.
    """
    folder = as_path(folder)
    if not folder.is_dir():
        raise DatasetError(f"a data set must be a folder, got {folder}")
    try:
        return PairsDataset(folder, load_manifest(folder), split)
    except OutputError as error:
        raise DatasetError(str(error)) from error


def decode_picture(
    row: Mapping[str, Any], column: str, limits: PictureLimits = STORED_LIMITS
) -> Image.Image:
    """The picture in `column` of a row of the pairs, which has its `key`: RGB, upright.

    `limits` are those of its data set.

    Raises:
        DatasetError: there is none, or it cannot be decoded.
    """
    try:
        return decode_stored(_encoded(row, column), limits)
    except PictureError as error:
        raise DatasetError(f"pair {row['key']}: {column}: {error}") from error


def decode_row_mask(row: Mapping[str, Any], column: str, size: tuple[int, int]) -> Image.Image:
    """The mask in `column` of a row of the pairs, which has its `key` and `mask_status`.

    `size` (width, height) is that of the picture it is of. Mode L, 255 inside, 0 outside.

    Raises:
        DatasetError: the masks were not computed, or this one is not a mask of that size.
    """
    if row["mask_status"] != MASK_COMPUTED:
        raise DatasetError(
            f"pair {row['key']}: masks must be computed, got mask_status {row['mask_status']!r} "
            "(pairloom rethreshold --segment makes them)"
        )
    try:
        return decode_mask(_encoded(row, column), size)
    except MaskError as error:
        raise DatasetError(f"pair {row['key']}: {column} is not a mask: {error}") from error


def _encoded(row: Mapping[str, Any], column: str) -> bytes:
    picture = row[column]
    if picture is None or picture["bytes"] is None:
        raise DatasetError(f"pair {row['key']}: {column} must hold a picture, got none")
    data: bytes = picture["bytes"]
    return data
