"""The columns of a Parquet file of pictures that are read as a whole: its keys, before the rest."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from indexes.parquet.reading import (
    ParquetError,
    group_rows,
    measure_group,
    open_parquet,
    read_batches,
)
from transforms.protocols import SourceError
from transforms.sources.columns import read_value
from transforms.sources.texts import MAX_TEXT_BYTES, is_long_key, safe_key

_ROWS_AT_ONCE = 4096
_MOST_BYTES = 64 << 20
_DIGEST_BYTES = 16


@contextmanager
def open_shard_file(
    path: Path, metadata: pq.FileMetaData | None = None
) -> Iterator[pq.ParquetFile]:
    """The Parquet file at `path`; `metadata` are those that an earlier opening gave.

    Raises:
        SourceError: it cannot be read, now or inside the block.
    """
    try:
        with open_parquet(path, metadata=metadata) as file:
            yield file
    except ParquetError as error:
        raise SourceError(f"{path}: no readable Parquet file: {error}") from error


def read_rows_of(
    file: pq.ParquetFile, path: Path, columns: list[str]
) -> Iterator[dict[str, object]]:
    """The values of some columns of texts or numbers, row by row, a too long text as `TooLarge`.

    Raises:
        ParquetError: they cannot be read, or the file claims more rows than it has bytes.
    """
    sizes = group_rows(path)
    for group, rows in enumerate(sizes):
        if rows == 0:
            continue
        cost = measure_group(path, file.schema, group, columns)
        for batch in read_batches(
            file,
            group,
            columns,
            expected=rows,
            cost=cost,
            rows=_ROWS_AT_ONCE,
            most_bytes=_MOST_BYTES,
        ):
            found = [batch.column(name) for name in columns]
            for row in range(batch.num_rows):
                yield {
                    name: read_value(column[row], most_bytes=MAX_TEXT_BYTES)
                    for name, column in zip(columns, found, strict=True)
                }


def read_keys(file: pq.ParquetFile, path: Path, column: str) -> Iterator[str]:
    """The keys of all rows in order, empty where there is none, or none that can be used."""
    for row in read_rows_of(file, path, [column]):
        key = row[column]
        usable = isinstance(key, str) and not is_long_key(key)
        yield safe_key(str(key)) if usable else ""


def is_empty(file: pq.ParquetFile, path: Path, column: str) -> bool:
    """Whether a column of numbers holds only nulls and NaN."""
    return all(row[column] is None for row in read_rows_of(file, path, [column]))


def find_repeats(keys: Iterator[str]) -> npt.NDArray[np.int64]:
    """The rows whose key an earlier row has, rising."""
    seen: set[bytes] = set()
    rows: list[int] = []
    for row, key in enumerate(keys):
        # Keys that share their beginnings may take far more in memory than in the file.
        digest = blake2b(key.encode(), digest_size=_DIGEST_BYTES).digest()
        if digest in seen:
            rows.append(row)
        elif key:
            seen.add(digest)
    return np.array(rows, dtype=np.int64)
