"""One Parquet file of img2dataset: pictures in a binary column, failed rows among them.

Rows are streamed a few at a time, fewer where they are large (`indexes.parquet`): memory stays at a
few times `max_bytes` whatever the file claims. A slice begins at the row group that holds its first
row, so what is read for nothing is at most one row group; img2dataset writes 100 rows to each.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from indexes.parquet.pages import ChunkCost
from indexes.parquet.reading import (
    ParquetError,
    group_rows,
    measure_group,
    open_parquet,
    read_batches,
)
from indexes.storage.errors import refuse_outage
from transforms.pictures.decoding import DEFAULT_LIMITS, PictureError, PictureLimits
from transforms.protocols import SourceError
from transforms.record import Reject, SourceImage
from transforms.sources.columns import (
    PICTURE_FIELDS,
    Place,
    TooLarge,
    check_length,
    failure,
    find_columns,
    holds_files,
    picture,
    read_value,
    reject,
)
from transforms.sources.parquet_keys import find_repeats, is_empty, open_shard_file, read_keys
from transforms.sources.texts import MAX_KEY_BYTES, MAX_TEXT_BYTES, is_long_key, safe_key

_ROWS_AT_ONCE = 16
_BYTES_PER_PICTURE = 4
"""A row group is read where its pages take at most so many times `max_bytes` in memory."""
_LEAST_BYTES = 64 << 20
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
    "language",
    "similarity",
    *PICTURE_FIELDS,
)
_LOCATOR = re.compile(r"(\d{1,9})\.(\d{1,9})")


@dataclass(frozen=True)
class ParquetShard:
    """A file that was opened and found to be of the right make.

    `columns` maps fields to column names, `starts` holds the first row of each row group and the
    number of rows, `repeated` the rows whose key an earlier row has, rising.
    """

    path: Path
    metadata: pq.FileMetaData
    columns: dict[str, str]
    starts: tuple[int, ...]
    repeated: npt.NDArray[np.int64]
    _costs: dict[int, ChunkCost] = field(default_factory=dict, repr=False, compare=False)

    @property
    def rows(self) -> int:
        """Number of rows, failed ones included."""
        return self.starts[-1]

    def keys(self) -> Iterator[str]:
        """The keys of all rows that have one, read from the file.

        Raises:
            SourceError: the file can no longer be read.
        """
        with open_shard_file(self.path, self.metadata) as file:
            yield from filter(None, read_keys(file, self.path, self.columns["key"]))

    def read(
        self, start: int, stop: int, *, shard: str, limits: PictureLimits
    ) -> Iterator[SourceImage | Reject]:
        """Rows `start` to `stop`, one record each; rows that cannot be read become rejects."""
        row = start
        while row < min(stop, self.rows):
            group = bisect_right(self.starts, row) - 1
            end = min(stop, self.starts[group + 1])
            try:
                for values in self._rows_of(group, row - self.starts[group], limits):
                    yield self._record(values, row, group, shard=shard, limits=limits)
                    row += 1
                    if row == end:
                        break
            except ParquetError as error:
                for lost in range(row, end):
                    place = Place(shard, lost, self._reference(group, lost))
                    detail = f"{self.path.name}: row group {group} cannot be read: {error}"
                    yield reject(f"{shard}@{lost}", place, "broken_shard", detail)
            row = end

    def open_row(self, group: int, row: int, limits: PictureLimits) -> bytes | None:
        """The stored bytes of the picture in row `row` of a row group, None where there is none.

        Raises:
            ParquetError: they cannot be read.
        """
        values: dict[str, object] = next(self._rows_of(group, row, limits), {})
        return _picture_in(values, limits)

    def _rows_of(self, group: int, skip: int, limits: PictureLimits) -> Iterator[dict[str, object]]:
        """Rows of one row group from its row `skip` on, as fields."""
        names = _leaves(self.metadata.schema.to_arrow_schema(), self.columns)
        if group not in self._costs:
            self._costs[group] = measure_group(self.path, self.metadata.schema, group, names)
        most = dict.fromkeys(self.columns, MAX_TEXT_BYTES)
        most |= dict.fromkeys(PICTURE_FIELDS, limits.max_bytes)
        with open_parquet(self.path, metadata=self.metadata) as file:
            for batch in read_batches(
                file,
                group,
                names,
                expected=self.starts[group + 1] - self.starts[group],
                cost=self._costs[group],
                rows=_ROWS_AT_ONCE,
                most_bytes=max(_BYTES_PER_PICTURE * limits.max_bytes, _LEAST_BYTES),
            ):
                for row in range(skip, batch.num_rows):
                    yield {
                        field: read_value(batch.column(name)[row], most_bytes=most[field])
                        for field, name in self.columns.items()
                    }
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
        if isinstance(key, TooLarge) or is_long_key(str(key or "")):
            detail = f"row {row} has a key of more than {MAX_KEY_BYTES} bytes"
            return reject(f"{shard}@{row}", place, "too_long_key", detail)
        if not key:
            return reject(f"{shard}@{row}", place, "no_key", f"row {row} has no key")
        key = safe_key(str(key))
        place_found = int(np.searchsorted(self.repeated, row))
        if place_found < len(self.repeated) and self.repeated[place_found] == row:
            return reject(
                f"{key}@{row}", place, "duplicate_key", f"an earlier row has the key {key}"
            )
        failed = failure(key, place, values)
        if failed is not None:
            return failed
        try:
            data = _picture_in(values, limits)
            for name in self.columns:
                check_length(self.columns[name], values[name])
        except PictureError as error:
            return reject(key, place, error.reason, error.detail)
        if data is None:
            return reject(key, place, "no_picture", f"row {row} has no picture in it")
        return picture(key, place, data, values, limits)

    def _reference(self, group: int, row: int) -> str:
        return f"{quote(self.path.name)}#{group}.{row - self.starts[group]}"


def _picture_in(values: dict[str, object], limits: PictureLimits) -> bytes | None:
    """The file in the first picture column that holds one.

    Raises:
        PictureError: `too_large_file`.
    """
    data = next((values[name] for name in PICTURE_FIELDS if values.get(name)), None)
    if isinstance(data, TooLarge):
        raise PictureError(
            "too_large_file",
            f"the file has {data.size} bytes, at most {limits.max_bytes} are read",
        )
    return data if isinstance(data, bytes) else None


def _leaves(schema: pa.Schema, columns: dict[str, str]) -> list[str]:
    """What is read of each column: all of it, of a struct that holds a file only the file."""
    return [
        f"{name}.bytes" if holds_files(schema.field(name).type) else name
        for name in columns.values()
    ]


def load_parquet(path: Path) -> ParquetShard:
    """Opens a file and checks it; the answer is remembered while the file stays the same.

    Raises:
        SourceError: the file is broken or has missing or retyped columns.
    """
    try:
        status = path.stat()
    except OSError as error:
        refuse_outage(error)
        raise SourceError(f"{path}: cannot read it: {error.strerror}") from error
    return _load(path, (status.st_mtime_ns, status.st_size, status.st_ino))


# A worker reads a file in many slices; this many files' footers are kept between them.
@lru_cache(maxsize=16)
def _load(path: Path, _state: tuple[int, int, int]) -> ParquetShard:
    with open_shard_file(path) as file:
        columns = find_columns(
            file.schema_arrow, _WANTED, str(path), is_empty=partial(is_empty, file, path)
        )
        _check_columns(file.schema_arrow, columns, path)
        sizes = group_rows(path)
        repeated = find_repeats(read_keys(file, path, columns["key"]))
        metadata = file.metadata
    return ParquetShard(path, metadata, columns, tuple(accumulate(sizes, initial=0)), repeated)


def _check_columns(schema: pa.Schema, columns: dict[str, str], path: Path) -> None:
    if not any(field in columns for field in PICTURE_FIELDS):
        links = "; it holds links, fetch them first with `pairloom fetch`" * ("url" in columns)
        raise SourceError(
            f"{path}: column {', '.join(PICTURE_FIELDS[:-1])} or {PICTURE_FIELDS[-1]} is missing"
            f" (columns: {', '.join(schema.names)}){links}"
        )
    if "key" not in columns:
        raise SourceError(f"{path}: column key is missing (columns: {', '.join(schema.names)})")


def open_parquet_row(path: Path, locator: str, limits: PictureLimits = DEFAULT_LIMITS) -> bytes:
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
        pictures = replace(shard, columns=columns, _costs={})
        try:
            data = pictures.open_row(group, row, limits)
        except (ParquetError, PictureError) as error:
            raise SourceError(f"{path.name}#{locator}: {error}") from error
        if data:
            return data
    raise SourceError(f"{path.name}#{locator}: the file has no picture there")
