"""Files that are whole or not there: written under a temporary name, flushed, renamed.

Every file of an output goes through `atomic_file`, and every Parquet file through `write_table` or
`write_columns`, which fix all that its bytes depend on.
"""

import hashlib
import io
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from indexes.errors import PairloomError
from indexes.storage.drafts import local_draft
from indexes.storage.errors import refuse_outage
from indexes.storage.store_path import StorePath
from transforms.dataset.rows import Row
from transforms.dataset.schema import IMAGE

Permit = Callable[[], None]
"""Asked just before a file gets its name; where it raises, what stood there stays."""

ROW_GROUP = 100
_COMPRESSION_LEVEL = 3
_TEMPORARY_NAME = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


class OutputError(PairloomError):
    """An output that cannot be written or used, in one line that names the path and the cause."""


@dataclass(frozen=True)
class FileReceipt:
    """One written file: its name in the folder, its rows, its size in bytes and its SHA-256."""

    name: str
    rows: int
    bytes: int
    sha256: str


def is_temporary_file(name: str) -> bool:
    """Whether `name` is what a killed writer may have left behind."""
    return _TEMPORARY_NAME.fullmatch(name) is not None


def dump_json(data: object) -> bytes:
    """`data` as JSON for people: sorted, indented, the same bytes for the same data."""
    text = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def output_error(path: Path, error: OSError) -> OutputError:
    """The one line for an `OSError` met in writing `path`."""
    return OutputError(f"cannot write {path}: {error.strerror or error}")


def make_folder(folder: Path) -> None:
    """Make `folder` and what is above it.

    Raises:
        OutputError: it cannot be made, or something else has its name.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error


@contextmanager
def atomic_file(path: Path, *, permit: Permit | None = None) -> Iterator[BinaryIO]:
    """A binary file that appears at `path`, on the disk, when the block ends without error.

    On a store it is a local file until then, and appears when all of it is uploaded. `permit` is
    asked in the last moment.

    What stands there already must be a file: a device or a pipe would be replaced by one.

    Raises:
        OutputError: any `OSError` inside the block or in finishing; nothing is left behind.
        whatever `permit` raises, likewise.
    """
    if isinstance(path, StorePath):
        with _stored_file(path, permit) as file:
            yield file
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise OutputError(f"cannot write {path}: it must be a file, or not be there yet")
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if permit is not None:
            permit()
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def _stored_file(path: StorePath, permit: Permit | None) -> Iterator[BinaryIO]:
    try:
        with local_draft(path) as draft, draft.open("xb") as file:
            yield file
            file.flush()
            if permit is not None:
                permit()
    except OSError as error:
        raise output_error(path, error) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """All bytes of the file at `path`, of which there may be at most `most_bytes`.

    Raises:
        OutputError: it is no regular file (links are followed), is larger, or cannot be read.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise OutputError(f"{path} must be a regular file")
        if found.st_size > most_bytes:
            rule = f"{path} must have at most {most_bytes} bytes to be read"
            raise OutputError(f"{rule}, got {found.st_size}")
        with path.open("rb") as file:
            return file.read(most_bytes)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror or error}") from error


def write_bytes(path: Path, data: bytes, *, permit: Permit | None = None) -> None:
    """Write `data` to `path`, whole or not at all; `permit` as in `atomic_file`.

    Raises:
        OutputError: it cannot be written.
        whatever `permit` raises.
    """
    with atomic_file(path, permit=permit) as file:
        file.write(data)


def remove_file(path: Path) -> None:
    """Remove `path` if it is there.

    Raises:
        OutputError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot remove {path}: {error.strerror or error}") from error


def holds(path: Path, data: bytes) -> bool:
    """Whether the file at `path` is there and holds exactly `data`; no more of it is read."""
    try:
        with path.open("rb") as file:
            return file.read(len(data) + 1) == data
    except OSError as error:
        refuse_outage(error)
        return False


def hash_file(path: Path) -> str:
    """SHA-256 of the file at `path`, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parquet_options(schema: pa.Schema) -> dict[str, Any]:
    # Statistics of picture columns would put whole pictures into the page index.
    plain = [field.name for field in schema if field.type != IMAGE]
    texts = [field.name for field in schema if field.type == pa.string()]
    return {
        "version": "2.6",
        "compression": "zstd",
        "compression_level": _COMPRESSION_LEVEL,
        "data_page_version": "1.0",
        "use_dictionary": texts,
        "write_statistics": plain,
        "write_page_index": True,
    }


def write_table(
    path: Path,
    schema: pa.Schema,
    rows: Iterable[Row],
    *,
    row_group: int = ROW_GROUP,
    permit: Permit | None = None,
) -> FileReceipt:
    """Write `rows` as Parquet, `row_group` rows to a group, two of which are in memory at most.

    The bytes are a function of the rows, the schema, `row_group` and the version of pyarrow alone.
    `permit` as in `atomic_file`.

    Raises:
        OutputError: the file cannot be written; nothing is left behind.
        whatever `permit` raises, likewise.
    """
    remaining = iter(rows)
    groups = iter(lambda: list(islice(remaining, row_group)), [])
    tables = (pa.Table.from_pylist(group, schema) for group in groups)
    return _write_groups(path, schema, tables, permit)


def write_columns(
    path: Path, table: pa.Table, *, row_group: int = ROW_GROUP, permit: Permit | None = None
) -> FileReceipt:
    """Write rows that are in columns already; the bytes are those of `write_table`.

    Raises:
        as `write_table`.
    """
    whole = table.combine_chunks()  # pages end where chunks do
    starts = range(0, len(whole), row_group)
    groups = (whole.slice(n, row_group) for n in starts)
    return _write_groups(path, table.schema, groups, permit)


def _write_groups(
    path: Path, schema: pa.Schema, groups: Iterable[pa.Table], permit: Permit | None
) -> FileReceipt:
    """Write each of `groups` as one row group."""
    number = 0
    with atomic_file(path, permit=permit) as written:
        file = _Summed(written)
        writer = pq.ParquetWriter(file, schema, **_parquet_options(schema))
        try:
            for group in groups:
                writer.write_table(group, row_group_size=len(group))
                number += len(group)
        finally:
            writer.close()
    return FileReceipt(path.name, number, file.bytes, file.digest.hexdigest())


class _Summed(io.RawIOBase):
    """A file that is written from front to back, with the size and the hash of what was."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.bytes, self.digest = 0, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._file.write(data)
        self.digest.update(data)
        self.bytes += memoryview(data).nbytes
        return memoryview(data).nbytes
