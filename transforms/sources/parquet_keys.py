"""The columns of a Parquet file of pictures that are read as a whole: its keys, before the rest."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from indexes.parquet.reading import ParquetError, measure_group, open_parquet, read_batches
from transforms.protocols import SourceError
from transforms.sources.columns import read_value
from transforms.sources.texts import MAX_KEY_BYTES, is_long_key, safe_key

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


def read_column(file: pq.ParquetFile, path: Path, column: str) -> Iterator[pa.Scalar]:
    """The values of one column.

    Raises:
        ParquetError: it cannot be read.
    """
    for group in range(file.metadata.num_row_groups):
        if file.metadata.row_group(group).num_rows == 0:
            continue
        cost = measure_group(path, file.metadata, group, [column])
        for batch in read_batches(
            file, group, [column], cost=cost, rows=_ROWS_AT_ONCE, most_bytes=_MOST_BYTES
        ):
            yield from batch.column(column)


def read_keys(file: pq.ParquetFile, path: Path, column: str) -> Iterator[str]:
    """The keys of all rows in order, empty where there is none, or none that can be used."""
    for value in read_column(file, path, column):
        key = read_value(value, most_bytes=MAX_KEY_BYTES)
        usable = isinstance(key, str) and not is_long_key(key)
        yield safe_key(str(key)) if usable else ""


def is_empty(file: pq.ParquetFile, path: Path, column: str) -> bool:
    """Whether a column of numbers holds only nulls and NaN."""
    return all(read_value(value) is None for value in read_column(file, path, column))


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
