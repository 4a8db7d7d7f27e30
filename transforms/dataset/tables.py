"""The rows of a data set's tables: by shard, by row group, by column, by position.

Nothing else opens the shards of a finished data set to read them. A row group (100 rows, as they
are written) is the smallest thing that is read, and one at a time is in memory unless a method
says otherwise. Which shards there are is what the caller's manifest says.
"""

import math
import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from indexes.parquet.footer import number_ranges
from indexes.parquet.reading import ParquetError, describe, open_parquet
from indexes.storage.errors import StorageError
from transforms.dataset.earlier_files import read_columns, with_later_columns
from transforms.dataset.files import OutputError
from transforms.dataset.rows import Row
from transforms.dataset.schema import LATER_COLUMNS
from transforms.dataset.shards import ShardReceipt, shard_file

ROWS_AT_ONCE = 8192


class DatasetError(OutputError):
    """A data set that cannot be read, in one line that names the file or key and the rule."""


@contextmanager
def open_shard(path: Path, columns: Sequence[str] | None = None) -> Iterator[pq.ParquetFile]:
    """The Parquet file at `path`, open, which has `columns` but for those that came later.

    Raises:
        DatasetError: it cannot be read, now or inside the block, or a column is missing.
    """
    try:
        path.stat()  # that it is not there is said in the words of the system
        with open_parquet(path) as shard:
            names = shard.schema_arrow.names
            missing = [c for c in columns or () if c not in names and c not in LATER_COLUMNS]
            if missing:
                raise DatasetError(f"{path} has no column {missing[0]}")
            yield shard
    except ParquetError as error:
        raise DatasetError(f"cannot read {path}: {error}") from error
    except OSError as error:
        said = error.strerror if isinstance(error, StorageError) else None
        cause = said or (os.strerror(error.errno) if error.errno else error)
        raise DatasetError(f"cannot read {path}: {cause}") from error
    except pa.ArrowException as error:
        raise DatasetError(f"cannot read {path}: {error}") from error


@dataclass(frozen=True)
class RowGroup:
    """Row group `number` of the shard at `path`: `rows` rows that are read together."""

    path: Path
    number: int
    rows: int

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Its rows with these columns; all of them for None.

        Raises:
            DatasetError: as `open_shard`.
        """
        return read_row_group(self.path, self.number, columns)


def read_row_group(path: Path, number: int, columns: Sequence[str] | None = None) -> pa.Table:
    """One row group of the shard at `path`, with these columns; all of them for None.

    Raises:
        DatasetError: as `open_shard`.
    """
    with open_shard(path, columns) as shard:
        return read_columns(shard, path, number, columns)


@dataclass(frozen=True)
class ShardFile:
    """One file of a table: where it lies, and how many rows the manifest says it has."""

    path: Path
    rows: int

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows at once, with these columns or all: for columns that hold no pictures.

        Raises:
            DatasetError: as `open_shard`.
        """
        with open_shard(self.path, columns) as shard:
            groups = range(len(describe(self.path).groups))
            return pa.concat_tables(
                [_empty(shard, columns)]
                + [read_columns(shard, self.path, number, columns) for number in groups]
            )

    def row_groups(self) -> list[RowGroup]:
        """Its row groups, in order.

        Raises:
            DatasetError: as `open_shard`, or the file has another number of rows than it should.
        """
        with open_shard(self.path):
            return [RowGroup(self.path, n, rows) for n, rows in enumerate(_group_sizes(self))]


def find_shard_file(folder: Path, kind: str, receipt: ShardReceipt) -> ShardFile:
    """The file of `kind` (pairs, rejects or candidates) of one shard of the data set in `folder`.

    Raises:
        DatasetError: the receipt names no such file.
    """
    name = shard_file(kind, receipt.shard)
    for file in receipt.files:
        if file.name == name:
            return ShardFile(folder / name, file.rows)
    raise DatasetError(f"{folder}: the receipt of shard {receipt.number} must name {name}")


class ShardedTable:
    """One table of a data set, all its shards one after the other; rows are numbered from 0.

    `len(table)` is the number of rows the manifest gives; opening a table reads no file.
    """

    def __init__(self, files: Sequence[ShardFile]) -> None:
        self.files = tuple(files)
        self._starts = list(accumulate((file.rows for file in self.files), initial=0))

    def __len__(self) -> int:
        return self._starts[-1]

    def row_groups(self) -> list[RowGroup]:
        """The row groups of all shards, in order; reads the shards' footers.

        Raises:
            DatasetError: as `ShardFile.row_groups`.
        """
        return [group for file in self.files for group in file.row_groups()]

    def find_row_group(self, position: int) -> tuple[RowGroup, int]:
        """The row group that holds the row at `position`, and the position of its first row.

        Raises:
            IndexError: `position` is outside [0, len(table)).
            DatasetError: as `ShardFile.row_groups`.
        """
        self._check(position)
        number = bisect_left(self._starts, position + 1) - 1
        first = self._starts[number]
        for group in self.files[number].row_groups():
            if position < first + group.rows:
                return group, first
            first += group.rows
        raise AssertionError("row groups have as many rows as their file")

    def rows(
        self, columns: Sequence[str] | None = None, *, positions: Sequence[int] | None = None
    ) -> Iterator[Row]:
        """The rows as dictionaries, in order, with these columns or all.

        With `positions`, which ascend, those rows alone; a row group without any is not read.

        Raises:
            IndexError: a position is outside [0, len(table)).
            ValueError: positions do not ascend.
            DatasetError: as `ShardFile.row_groups`, or a column is missing.
        """
        if positions is not None:
            if any(a >= b for a, b in pairwise(positions)):
                raise ValueError("positions must ascend, see ShardedTable.take for any order")
            for end in (*positions[:1], *positions[-1:]):
                self._check(end)
        for file, start in zip(self.files, self._starts, strict=False):
            here = None if positions is None else _between(positions, start, start + file.rows)
            if here is None or here:
                yield from _rows_of_file(file, columns, here)

    def take(self, positions: Sequence[int], columns: Sequence[str] | None = None) -> list[Row]:
        """The rows at `positions`, in the order these have; no row group is read twice.

        Raises:
            IndexError, DatasetError: as `rows`.
        """
        ascending = sorted(set(positions))
        found = dict(zip(ascending, self.rows(columns, positions=ascending), strict=True))
        return [found[position] for position in positions]

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, list[Any]]]]:
        """The columns as lists, at most `ROWS_AT_ONCE` rows at a time: for those without pictures.

        Yields the position of the first row, and the values by column. No other column is read.

        Raises:
            DatasetError: as `ShardFile.row_groups`, or a column is missing.
        """
        for file, start in zip(self.files, self._starts, strict=False):
            first = start
            with open_shard(file.path, columns) as shard:
                _group_sizes(file)
                for batch in _batches(shard, file.path, columns):
                    yield first, {name: batch.column(name).to_pylist() for name in columns}
                    first += batch.num_rows

    def column_ranges(self, columns: Sequence[str]) -> dict[str, tuple[float, float]]:
        """Smallest and largest value of columns of numbers, from the shards' statistics.

        A column of which no shard has a value, or statistics, is left out. No row is read.

        Raises:
            DatasetError: as `open_shard`.
        """
        ranges: dict[str, tuple[float, float]] = {}
        for file in self.files:
            with open_shard(file.path, columns):
                for group in describe(file.path).groups:
                    for name, low, high in number_ranges(group, columns):
                        before = ranges.get(name, (math.inf, -math.inf))
                        ranges[name] = (min(before[0], low), max(before[1], high))
        return ranges

    def _check(self, position: int) -> None:
        if not 0 <= position < len(self):
            raise IndexError(f"position must be in [0, {len(self)}), got {position}")


def _rows_of_file(
    file: ShardFile, columns: Sequence[str] | None, places: Sequence[int] | None
) -> Iterator[Row]:
    """The rows of one file; with `places`, which ascend from 0, those alone."""
    with open_shard(file.path, columns) as shard:
        first = 0
        for number, count in enumerate(_group_sizes(file)):
            here = None if places is None else _between(places, first, first + count)
            if here is None or here:
                table = read_columns(shard, file.path, number, columns)
                yield from (table if here is None else table.take(here)).to_pylist()
            first += count


def _between(positions: Sequence[int], start: int, stop: int) -> list[int]:
    """Those of ascending `positions` that are in [start, stop), counted from `start`."""
    here = positions[bisect_left(positions, start) : bisect_left(positions, stop)]
    return [position - start for position in here]


def _group_sizes(file: ShardFile) -> list[int]:
    sizes = [group.rows for group in describe(file.path).groups]
    if sum(sizes) != file.rows or min(sizes, default=0) < 0:
        raise DatasetError(
            f"{file.path} must have {file.rows} rows, as the manifest says, got {sum(sizes)}"
        )
    return sizes


def _batches(shard: pq.ParquetFile, path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The rows, `ROWS_AT_ONCE` at a time wherever the row groups end."""
    waiting = _empty(shard, columns)
    for number in range(len(describe(path).groups)):
        waiting = pa.concat_tables([waiting, read_columns(shard, path, number, columns)])
        while waiting.num_rows >= ROWS_AT_ONCE:
            yield waiting.slice(0, ROWS_AT_ONCE)
            waiting = waiting.slice(ROWS_AT_ONCE)
    if waiting.num_rows:
        yield waiting


def _empty(shard: pq.ParquetFile, columns: Sequence[str] | None) -> pa.Table:
    schema = shard.schema_arrow
    names = schema.names if columns is None else columns
    known = [schema.field(name) for name in names if name in schema.names]
    return with_later_columns(pa.schema(known).empty_table(), names)
