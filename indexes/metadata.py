"""The metadata of all pictures of an index, memory-mapped, and finding rows by key and caption.

Parts keep theirs in Parquet, which must be unpacked to be read. When an index is finished, all of
them are written once more as one Arrow file, and two sorted tables of hashes beside it: worker
processes map them and share their pages.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from indexes.captions import same_caption_key
from indexes.hash_sorting import HashSorter
from indexes.layout import (
    CAPTION_ROWS_FILE,
    KEY_ROWS_FILE,
    METADATA_FILE,
    IndexFolderError,
    Part,
    write_atomically,
)
from indexes.lookup import RowLookup, hash_texts, lookup_table
from indexes.parquet.reading import one_line
from indexes.parts import LATER_COLUMNS, METADATA_SCHEMA, load_array
from indexes.search import Rows

EARLIER_SCHEMA = pa.schema(field for field in METADATA_SCHEMA if field.name not in LATER_COLUMNS)
"""The columns of a metadata file of a layout before 4."""

BATCH_ROWS = 1 << 18
"""So many rows are in a batch of the Arrow file, and in memory while it is written."""
TableT = TypeVar("TableT", pa.Table, pa.RecordBatch)
_TEXTS = tuple(field.name for field in METADATA_SCHEMA if field.type == pa.string())


class MetadataTable:
    """The metadata of all rows, in batches, each but the last of `BATCH_ROWS`, or a single one.

    Those of an earlier layout lack the later columns, and so do the dictionaries of their rows.

    Raises:
        IndexError: by its methods, where a row is not there.
    """

    def __init__(self, batches: Sequence[pa.RecordBatch]) -> None:
        self._batches = batches
        self._starts = np.cumsum([0, *(batch.num_rows for batch in batches)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def rows(self, rows: Sequence[int] | Rows) -> list[dict[str, Any]]:
        """The rows as dictionaries, in the order of `rows`."""
        wanted = np.asarray(rows, dtype=np.int64)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"rows must be in [0, {len(self)}), got {wanted.tolist()}")
        found: list[dict[str, Any]] = [{}] * len(wanted)
        places = np.searchsorted(self._starts, wanted, side="right") - 1
        for place in np.unique(places):
            here = np.flatnonzero(places == place)
            taken = self._batches[place].take(pa.array(wanted[here] - self._starts[place]))
            for number, values in zip(here, taken.to_pylist(), strict=True):
                found[number] = values
        return found

    def text(self, name: str, row: int) -> str:
        """The text of one row in the column `name`."""
        if not 0 <= row < len(self):
            raise IndexError(f"rows must be in [0, {len(self)}), got {row}")
        place = int(np.searchsorted(self._starts, row, side="right")) - 1
        text: str = self._batches[place].column(name)[row - int(self._starts[place])].as_py()
        return text

    def texts(self, name: str, start: int, stop: int) -> Iterator[list[str]]:
        """The texts of rows `start` to `stop` in the column `name`, a batch at a time."""
        for batch, first in zip(self._batches, self._starts.tolist(), strict=False):
            low, high = max(start - first, 0), min(stop - first, batch.num_rows)
            if low < high:
                yield batch.column(name).slice(low, high - low).to_pylist()


class IndexMetadata:
    """What an index knows of its rows: `table`, and rows by key and by the words of a caption.

    `mapped` says whether the folder has the files that are mapped; of an index that was finished
    before there were any, the metadata are read from `parts` and held.

    Raises:
        IndexFolderError: by its members, where a file cannot be read.
    """

    def __init__(self, folder: Path, parts: Sequence[Part], *, mapped: bool) -> None:
        self._folder = folder
        self._parts = parts
        self._mapped = mapped

    @cached_property
    def table(self) -> MetadataTable:
        """The metadata of all rows."""
        if self._mapped:
            return MetadataTable(map_metadata(self._folder / METADATA_FILE))
        whole = pa.concat_tables(read_metadata(self._folder, part) for part in self._parts)
        return MetadataTable(whole.combine_chunks().to_batches())

    @cached_property
    def by_key(self) -> RowLookup:
        """Rows by the picture's key."""
        if self._mapped:
            found = self._map_rows(KEY_ROWS_FILE)
        else:
            texts = self.table.texts("key", 0, len(self.table))
            found = lookup_table(hash_texts(text for batch in texts for text in batch))
        return RowLookup(found, lambda row: self.table.text("key", row))

    @cached_property
    def by_caption(self) -> RowLookup:
        """Rows by the words of their caption."""
        if self._mapped:
            found = self._map_rows(CAPTION_ROWS_FILE)
        else:
            texts = self.table.texts("caption", 0, len(self.table))
            marks = (same_caption_key(text) for batch in texts for text in batch)
            found = lookup_table(hash_texts(marks))
        return RowLookup(
            found, lambda row: self.table.text("caption", row), normalise=same_caption_key
        )

    def _map_rows(self, name: str) -> np.ndarray[Any, np.dtype[np.uint64]]:
        path = self._folder / name
        found = load_array(path)
        if found.shape != (2, len(self.table)) or found.dtype.str != "<u8":
            raise IndexFolderError(
                f"{path} must hold 2 times {len(self.table)} <u8, got {found.shape} "
                f"{found.dtype.str}"
            )
        return found


def read_metadata(folder: Path, part: Part) -> pa.Table:
    """The metadata of one part; columns that its layout did not have are null.

    Raises:
        IndexFolderError: they cannot be read.
    """
    path = part.metadata_path(folder)
    try:
        with pq.ParquetFile(path) as file:
            return with_later_columns(file.read(METADATA_SCHEMA.names)).cast(METADATA_SCHEMA)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise IndexFolderError(f"{path} cannot be read: {one_line(error)}") from error


def with_later_columns(table: TableT) -> TableT:
    """`table` with the columns of today in their order; those of `LATER_COLUMNS` may be missing.

    Raises:
        KeyError: another one is.
    """
    for name in LATER_COLUMNS:
        if name not in table.schema.names:
            field = METADATA_SCHEMA.field(name)
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.select(METADATA_SCHEMA.names)


def map_metadata(path: Path) -> list[pa.RecordBatch]:
    """The batches of an Arrow file of metadata, memory-mapped; texts lie where they should.

    They have the columns of `METADATA_SCHEMA` or of `EARLIER_SCHEMA`.

    Raises:
        IndexFolderError: it is no such file.
    """
    try:
        with pa.memory_map(str(path)) as file, pa.ipc.open_file(file) as reader:
            if not any(map(reader.schema.equals, (METADATA_SCHEMA, EARLIER_SCHEMA))):
                raise IndexFolderError(f"{path} must have the columns of metadata")
            batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        for batch in batches:
            batch.validate()
            for name in filter(batch.schema.names.__contains__, _TEXTS):
                _refuse_wild_texts(batch.column(name), path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise IndexFolderError(f"{path} cannot be read: {one_line(error)}") from error
    return batches


def _refuse_wild_texts(column: pa.Array, path: Path) -> None:
    """Makes sure that no text of `column` lies outside its data."""
    _, places, data = column.buffers()
    if len(column):
        bounds = np.frombuffer(places, dtype=np.int32)[column.offset :][: len(column) + 1]
        size = data.size if data is not None else 0
        if bounds[0] < 0 or bounds[-1] > size or (np.diff(bounds) < 0).any():
            raise IndexFolderError(f"{path} must hold texts inside itself")


def metadata_batches(folder: Path, parts: Sequence[Part]) -> Iterator[pa.RecordBatch]:
    """The metadata of all parts, `BATCH_ROWS` at a time."""
    waiting: list[pa.Table] = []
    count = 0
    for part in parts:
        waiting.append(read_metadata(folder, part))
        count += len(waiting[-1])
        while count >= BATCH_ROWS:
            together = pa.concat_tables(waiting)
            yield from together.slice(0, BATCH_ROWS).combine_chunks().to_batches()
            waiting, count = [together.slice(BATCH_ROWS)], count - BATCH_ROWS
    if count:
        yield from pa.concat_tables(waiting).combine_chunks().to_batches()


def write_metadata(folder: Path, parts: Sequence[Part], *, out: Path | None = None) -> None:
    """Writes what is mapped of the metadata of all `parts`, into `folder` or else `out`.

    Raises:
        IndexFolderError: a part cannot be read, or a file not be written.
    """
    place = out or folder
    with HashSorter() as keys, HashSorter() as captions:

        def write_batches(path: Path) -> None:
            row = 0
            with path.open("wb") as file, pa.ipc.new_file(file, METADATA_SCHEMA) as writer:
                for batch in metadata_batches(folder, parts):
                    writer.write_batch(batch)
                    rows = np.arange(row, row + batch.num_rows)
                    keys.add(hash_texts(batch.column("key").to_pylist()), rows)
                    marks = map(same_caption_key, batch.column("caption").to_pylist())
                    captions.add(hash_texts(marks), rows)
                    row += batch.num_rows

        write_atomically(place / METADATA_FILE, write_batches)
        write_atomically(place / KEY_ROWS_FILE, lambda path: _write_rows(path, keys))
        write_atomically(place / CAPTION_ROWS_FILE, lambda path: _write_rows(path, captions))


def _write_rows(path: Path, sorter: HashSorter) -> None:
    """Writes a table for `RowLookup` as a .npy file, its two lines side by side."""
    with path.open("wb") as file:
        about = {"descr": "<u8", "fortran_order": False, "shape": (2, len(sorter))}
        np.lib.format.write_array_header_1_0(file, about)
        start = file.tell()
        done = 0
        for hashes, rows in sorter.sorted():
            _write_at(file, start + 8 * done, hashes.astype("<u8"))
            _write_at(file, start + 8 * (len(sorter) + done), rows.astype("<u8"))
            done += len(rows)


def _write_at(file: BinaryIO, place: int, values: np.ndarray[Any, Any]) -> None:
    file.seek(place)
    file.write(values.tobytes())
