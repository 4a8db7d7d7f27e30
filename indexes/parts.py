"""Writing and reading one part of an index: the pictures of one source shard."""

import dataclasses
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from indexes.layout import STRUCTURE_BYTES, IndexFolderError, Part, write_atomically
from indexes.names import EARLIER_NAME, NAME
from indexes.parquet.reading import (
    ARROW_ERRORS,
    ParquetError,
    one_line,
    open_parquet,
    read_table,
)
from indexes.search import Rows, Vectors
from indexes.storage.errors import refuse_outage
from indexes.storage.store_path import StorePath

ScalarT = TypeVar("ScalarT", bound=np.generic)

Structures = npt.NDArray[np.uint8]

METADATA_KEY = NAME.encode()
"""Under this name a metadata file's schema carries its part's fingerprint and counts."""

METADATA_SCHEMA = pa.schema(
    [
        pa.field("image_path", pa.string(), nullable=False),
        pa.field("caption", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("key", pa.string(), nullable=False),
        pa.field("content_sha256", pa.string(), nullable=False),
        pa.field("caption_confidence", pa.float32()),
        pa.field("alt_text", pa.string()),
        pa.field("licence", pa.string()),
        pa.field("nsfw", pa.string()),
        pa.field("watermark", pa.float32()),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("similarity", pa.float64()),
    ]
)
"""The columns of a metadata file; `image_path` is the picture's reference in its source."""

LATER_COLUMNS = ("language", "similarity")
"""Columns that indexes of layouts before 4 do not have, the last ones of the above."""

MOST_HEADER_BYTES = 4096
"""The header of a .npy file of ours takes 128."""

_BROKEN_ARRAY = (
    OSError,
    ValueError,
    EOFError,
    TypeError,
    OverflowError,
    SyntaxError,
    MemoryError,
    RecursionError,
)
"""What NumPy raises of a header, a Python literal, that says something it should not."""


@dataclass(frozen=True, kw_only=True)
class PictureMetadata:
    """What the index knows of one picture beside its vectors.

    The fields are those of `transforms.record.SourceImage`; `caption` is never missing.
    """

    key: str
    reference: str
    content_sha256: str
    caption: str
    caption_confidence: float | None = None
    url: str | None = None
    alt_text: str | None = None
    licence: str | None = None
    nsfw: str | None = None
    watermark: float | None = None
    language: str | None = None
    similarity: float | None = None
    width: int = 0
    height: int = 0
    shard: str = ""
    position: int = 0


@dataclass(frozen=True, kw_only=True)
class PartContents:
    """What is written as one part: the same pictures, in the same order, three times.

    `embeddings` float32 (n, d), L2-normalised; `structures` uint8 (n, 256). `counts` is kept with
    the part and summed over all parts at the end (pictures read, rejects by reason).
    """

    metadata: Sequence[PictureMetadata]
    embeddings: Vectors
    structures: Structures
    counts: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.metadata)
        if self.embeddings.ndim != 2 or len(self.embeddings) != count:
            raise ValueError(f"embeddings must be ({count}, d), got {self.embeddings.shape}")
        if self.structures.shape != (count, STRUCTURE_BYTES):
            raise ValueError(
                f"structures must be ({count}, {STRUCTURE_BYTES}), got {self.structures.shape}"
            )


@dataclass(frozen=True)
class PartSummary:
    """How large a finished part is, and the counts it was written with."""

    pictures: int
    dimension: int
    counts: dict[str, int]


def write_part(
    folder: Path,
    part: Part,
    contents: PartContents,
    *,
    fingerprint: str,
    permit: Callable[[], None] | None = None,
) -> None:
    """Writes one part; the metadata, which make it whole, come last.

    `fingerprint` is that of the index's description (`indexes.layout.fingerprint`). `permit` is
    asked before anything is removed, and again just before each file gets its name.

    Raises:
        IndexFolderError, OSError: it cannot be written.
        whatever `permit` raises: what has not got its name by then is not there.
    """
    embeddings = np.ascontiguousarray(contents.embeddings, dtype="<f4")
    structures = np.ascontiguousarray(contents.structures, dtype=np.uint8)
    about = {"fingerprint": fingerprint, "counts": dict(contents.counts)}
    schema = METADATA_SCHEMA.with_metadata({METADATA_KEY: json.dumps(about, sort_keys=True)})
    table = pa.Table.from_pylist([_to_row(entry) for entry in contents.metadata], schema=schema)
    if permit is not None:
        permit()
    part.metadata_path(folder).unlink(missing_ok=True)
    for place, save in (
        (part.embedding_path(folder), lambda path: _save_array(path, embeddings)),
        (part.structure_path(folder), lambda path: _save_array(path, structures)),
        (part.metadata_path(folder), lambda path: _save_table(path, table)),
    ):
        write_atomically(place, save, permit=permit)


def read_part(folder: Path, part: Part, *, fingerprint: str) -> PartSummary | None:
    """The summary of a part that is whole and was made under `fingerprint`, else None."""
    metadata_path = part.metadata_path(folder)
    if not metadata_path.exists():
        return None
    try:
        with open_parquet(metadata_path) as opened:
            file = opened.metadata
        about = read_about(file.metadata or {})
        rows, dimension = read_shape(part.embedding_path(folder))
        structures, _ = read_shape(part.structure_path(folder))
    except (ParquetError, IndexFolderError, KeyError, ValueError, OSError) as error:
        refuse_outage(error)
        return None
    whole = file.num_rows == rows == structures
    if not whole or about.get("fingerprint") != fingerprint:
        return None
    return PartSummary(file.num_rows, dimension, about["counts"])


def read_about(metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    """What a metadata file says of its part, under today's name or the earlier one.

    Raises:
        KeyError, ValueError: it says nothing, or something that is no such thing.
    """
    key = METADATA_KEY if METADATA_KEY in metadata else EARLIER_NAME.encode()
    try:
        about = json.loads(metadata[key])
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(about, dict):
        raise ValueError(f"it must be an object, got {type(about).__name__}")
    return about


def read_keys(folder: Path, part: Part) -> list[str]:
    """The keys of the pictures of one part.

    Raises:
        IndexFolderError: its metadata cannot be read.
    """
    path = part.metadata_path(folder)
    try:
        keys: list[str] = read_table(path, ["key"])["key"].to_pylist()
        return keys
    except (ParquetError, *ARROW_ERRORS) as error:
        refuse_outage(error)
        raise IndexFolderError(f"{path} cannot be read: {one_line(error)}") from error


def load_array(path: Path) -> npt.NDArray[Any]:
    """The two-dimensional array of a .npy file, memory-mapped read-only.

    Raises:
        IndexFolderError: the file is absent, cut short or no such array.
    """
    try:
        array: npt.NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except _BROKEN_ARRAY as error:
        raise IndexFolderError(f"{path} cannot be read as an array: {error}") from error
    if array.ndim != 2:
        raise IndexFolderError(f"{path} must hold a two-dimensional array, got {array.ndim}")
    return array


def read_shape(path: Path) -> tuple[int, int]:
    """Rows and columns of the array of a .npy file that is whole by its size.

    Raises:
        IndexFolderError: as `load_array`.
    """
    if not isinstance(path, StorePath):
        rows, width = load_array(path).shape
        return rows, width
    try:
        size = path.stat().st_size
        header = io.BytesIO(path.read_range(0, min(size, MOST_HEADER_BYTES)))
        np.lib.format.read_magic(header)
        shape, _, kind = np.lib.format.read_array_header_1_0(header)
        rows, width = shape
    except _BROKEN_ARRAY as error:
        refuse_outage(error)
        raise IndexFolderError(f"{path} cannot be read as an array: {error}") from error
    if header.tell() + rows * width * kind.itemsize > size:
        raise IndexFolderError(f"{path} cannot be read as an array: it is cut short")
    return rows, width


def gather_rows(
    arrays: list[npt.NDArray[ScalarT]], starts: Rows, rows: Sequence[int] | Rows
) -> npt.NDArray[ScalarT]:
    """The rows of several arrays as if they were one; array n begins at row `starts[n]`.

    Raises:
        IndexError: a row is not in [0, `starts[-1]`).
    """
    wanted = np.asarray(rows, dtype=np.int64)
    if wanted.size and not 0 <= wanted.min() <= wanted.max() < starts[-1]:
        raise IndexError(f"rows must be in [0, {starts[-1]}), got {wanted.min()}..{wanted.max()}")
    gathered = np.empty((len(wanted), arrays[0].shape[1]), dtype=arrays[0].dtype)
    places = np.searchsorted(starts, wanted, side="right") - 1
    for place in np.unique(places):
        here = places == place
        gathered[here] = arrays[place][wanted[here] - starts[place]]
    return gathered


def _to_row(entry: PictureMetadata) -> dict[str, object]:
    row = dataclasses.asdict(entry)
    row["image_path"] = row.pop("reference")
    return row


def _save_array(path: Path, array: npt.NDArray[Any]) -> None:
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        # NumPy's own writing of arrays does not say why it could not write all of one.
        file.write(array.data)


def _save_table(path: Path, table: pa.Table) -> None:
    with path.open("wb") as file:
        pq.write_table(table, file, compression="zstd", version="2.6", row_group_size=65_536)
