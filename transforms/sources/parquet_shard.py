"""One Parquet file of img2dataset: pictures in a binary column, failed rows among them.

Rows are streamed a few at a time. A slice begins at the row group that holds its first row, so
what is read for nothing is at most one row group; img2dataset writes 100 rows to each.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from transforms.pictures.decoding import PictureLimits
from transforms.protocols import SourceError
from transforms.record import Reject, SourceImage
from transforms.sources.columns import (
    PICTURE_FIELDS,
    Place,
    failure,
    find_columns,
    picture,
    read_rows,
    reject,
)

_ROWS_AT_ONCE = 16
_BUFFER_BYTES = 1 << 20
_WANTED = (
    "key",
    "url",
    "caption",
    "status",
    "error_message",
    "reject_reason",
    "licence",
    "nsfw",
    "watermark",
    *PICTURE_FIELDS,
)
_LOCATOR = re.compile(r"(\d{1,9})\.(\d{1,9})")


@dataclass(frozen=True)
class ParquetShard:
    """A file that was opened and found to be of the right make.

    `columns` maps fields to column names, `starts` holds the first row of each row group and the
    number of rows, `repeated` the rows whose key an earlier row has.
    """

    path: Path
    metadata: pq.FileMetaData
    columns: dict[str, str]
    starts: tuple[int, ...]
    repeated: frozenset[int]

    @property
    def rows(self) -> int:
        """Number of rows, failed ones included."""
        return self.starts[-1]

    def keys(self) -> list[str]:
        """The keys of all rows that have one, read from the file.

        Raises:
            SourceError: the file can no longer be read.
        """
        with _open(self.path) as file:
            return [key for key in _read_keys(file, self.columns["key"]) if key]

    def read(
        self, start: int, stop: int, *, shard: str, limits: PictureLimits
    ) -> Iterator[SourceImage | Reject]:
        """Rows `start` to `stop`, one record each; rows that cannot be read become rejects."""
        row = start
        while row < min(stop, self.rows):
            group = bisect_right(self.starts, row) - 1
            end = min(stop, self.starts[group + 1])
            try:
                for values in self._rows_of(group, row - self.starts[group]):
                    yield self._record(values, row, group, shard=shard, limits=limits)
                    row += 1
                    if row == end:
                        break
            except (pa.ArrowException, OSError) as error:
                for lost in range(row, end):
                    place = Place(shard, lost, self._reference(group, lost))
                    detail = f"{self.path.name}: row group {group} cannot be read: {_line(error)}"
                    yield reject(f"{shard}@{lost}", place, "broken_shard", detail)
            row = end

    def _rows_of(self, group: int, skip: int) -> Iterator[dict[str, object]]:
        """Rows of one row group from its row `skip` on, as fields."""
        with pq.ParquetFile(
            self.path, metadata=self.metadata, buffer_size=_BUFFER_BYTES, pre_buffer=False
        ) as file:
            for batch in file.iter_batches(
                _ROWS_AT_ONCE,
                row_groups=[group],
                columns=list(self.columns.values()),
                use_threads=False,
            ):
                if skip < batch.num_rows:
                    for values in read_rows(batch.slice(skip)):
                        yield {field: values[name] for field, name in self.columns.items()}
                skip = max(0, skip - batch.num_rows)

    def _record(
        self,
        values: dict[str, object],
        row: int,
        group: int,
        *,
        shard: str,
        limits: PictureLimits,
    ) -> SourceImage | Reject:
        place = Place(shard, row, self._reference(group, row))
        key = values["key"]
        if not key:
            return reject(f"{shard}@{row}", place, "no_key", f"row {row} has no key")
        if row in self.repeated:
            return reject(
                f"{key}@{row}", place, "duplicate_key", f"an earlier row has the key {key}"
            )
        failed = failure(str(key), place, values)
        if failed is not None:
            return failed
        data = next((values[name] for name in PICTURE_FIELDS if values.get(name)), None)
        if not isinstance(data, bytes):
            return reject(str(key), place, "no_picture", f"row {row} has no picture in it")
        return picture(str(key), place, data, values, limits)

    def _reference(self, group: int, row: int) -> str:
        return f"{quote(self.path.name)}#{group}.{row - self.starts[group]}"


def load_parquet(path: Path) -> ParquetShard:
    """Opens a file and checks it; the answer is remembered while the file stays the same.

    Raises:
        SourceError: the file is broken or has missing or retyped columns.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise SourceError(f"{path}: cannot read it: {error.strerror}") from error
    return _load(path, status.st_mtime_ns, status.st_size)


# A worker reads a file in many slices; this many files' footers are kept between them.
@lru_cache(maxsize=16)
def _load(path: Path, _changed_ns: int, _size: int) -> ParquetShard:
    with _open(path) as file:
        columns = find_columns(file.schema_arrow, _WANTED, str(path))
        _check_columns(file.schema_arrow, columns, path)
        keys = _read_keys(file, columns["key"])
        metadata = file.metadata
    sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    return ParquetShard(
        path, metadata, columns, tuple(accumulate(sizes, initial=0)), frozenset(_repeats(keys))
    )


@contextmanager
def _open(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{path}: no readable Parquet file: {_line(error)}") from error


def _read_keys(file: pq.ParquetFile, column: str) -> list[str]:
    """The keys of all rows in order, empty where there is none."""
    return [str(row[column] or "") for row in read_rows(file.read([column]))]


def _check_columns(schema: pa.Schema, columns: dict[str, str], path: Path) -> None:
    if not any(field in columns for field in PICTURE_FIELDS):
        links = "; it holds links, fetch them first with `pairloom fetch`" * ("url" in columns)
        raise SourceError(
            f"{path}: column {', '.join(PICTURE_FIELDS[:-1])} or {PICTURE_FIELDS[-1]} is missing"
            f" (columns: {', '.join(schema.names)}){links}"
        )
    if "key" not in columns:
        raise SourceError(f"{path}: column key is missing (columns: {', '.join(schema.names)})")


def _repeats(keys: list[str]) -> Iterator[int]:
    seen: set[str] = set()
    for row, key in enumerate(keys):
        if key in seen:
            yield row
        elif key:
            seen.add(key)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def open_parquet_row(path: Path, locator: str) -> bytes:
    """The stored bytes of one picture, found by `row group.row in it`.

    Raises:
        SourceError: there is no such row or no picture in it.
    """
    match = _LOCATOR.fullmatch(locator)
    if match is None:
        raise SourceError(f"{path.name}#{locator}: a reference must end in row group.row")
    group, row = int(match[1]), int(match[2])
    shard = load_parquet(path)
    if group + 1 < len(shard.starts):
        columns = {name: shard.columns[name] for name in PICTURE_FIELDS if name in shard.columns}
        pictures = ParquetShard(path, shard.metadata, columns, shard.starts, shard.repeated)
        try:
            values = next(pictures._rows_of(group, row), {})
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"{path.name}#{locator}: {_line(error)}") from error
        for data in values.values():
            if isinstance(data, bytes) and data:
                return data
    raise SourceError(f"{path.name}#{locator}: the file has no picture there")
