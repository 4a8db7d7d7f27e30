"""What a folder of pictures holds: its rows in order, and which of them repeat an earlier one.

A plan is made once and must be the same in every worker. It travels pickled; or, where there are
many rows or workers on other machines, as a file that all of them open, so that what travels is
its path and its hash.
"""

import functools
import hashlib
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from transforms.protocols import SourceError

ROWS_A_BATCH = 65_536
_SCHEMA = pa.schema(
    [pa.field("name", pa.large_binary(), nullable=False), pa.field("repeats", pa.int64())]
)


@dataclass(frozen=True)
class FolderPlan:
    """What a folder holds: relative paths in order, and which rows repeat an earlier one.

    `duplicates` maps a row to the first row with the same content. Kept compressed when pickled.
    """

    names: tuple[bytes, ...]
    duplicates: dict[int, int]

    def __reduce__(self) -> tuple[Callable[..., "FolderPlan"], tuple[bytes, dict[int, int]]]:
        """Names cannot hold a zero byte, so one joins them."""
        return _unpack_plan, (zlib.compress(b"\0".join(self.names)), self.duplicates)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.names)

    def name(self, row: int) -> bytes:
        """The path of a row, relative to the folder."""
        return self.names[row]

    def repeats(self, row: int) -> int | None:
        """The first row with the same content, where that is an earlier one."""
        return self.duplicates.get(row)


def _unpack_plan(names: bytes, duplicates: dict[int, int]) -> FolderPlan:
    return FolderPlan(tuple(zlib.decompress(names).split(b"\0")), duplicates)


@dataclass(frozen=True)
class StoredPlan:
    """A plan in the Arrow file at `path`, whose SHA-256 is `sha256`: opened where it is needed.

    The file is mapped into memory: processes of one machine share it, and rows that nobody asks for
    are not read.
    """

    path: str
    sha256: str
    rows: int

    def name(self, row: int) -> bytes:
        """The path of a row, relative to the folder.

        Raises:
            SourceError: the file is gone, or is another one.
        """
        return bytes(self._value("name", row))

    def repeats(self, row: int) -> int | None:
        """The first row with the same content, where that is an earlier one.

        Raises:
            SourceError: as `name`.
        """
        found: int | None = self._value("repeats", row)
        return found

    def _value(self, column: str, row: int) -> Any:
        batches = _open_batches(self.path, self.sha256)
        return batches[row // ROWS_A_BATCH][column][row % ROWS_A_BATCH].as_py()


@dataclass(frozen=True)
class ScratchPlan(StoredPlan):
    """A plan whose file is a temporary one of this machine, gone with the source that made it."""


AnyPlan = FolderPlan | StoredPlan


@runtime_checkable
class PlannedSource(Protocol):
    """A source whose copies would carry a plan as long as the collection, if it were not stored."""

    def store_plan(self, folder: Path) -> None:
        """Keeps the plan as a file in `folder`; copies made from now on hold its path.

        Raises:
            SourceError: there is no plan to be made.
            OSError: it cannot be written.
        """
        ...


def store_plan(plan: AnyPlan, folder: Path) -> StoredPlan:
    """`plan` as a file in `folder`, which is made, named by its content.

    Raises:
        OSError: it cannot be written.
    """
    if isinstance(plan, ScratchPlan):
        return _copy(plan, folder)
    if isinstance(plan, StoredPlan):
        return plan
    return write_plan(_batches(plan), folder)


def write_plan(batches: Iterable[pa.RecordBatch], folder: Path) -> StoredPlan:
    """A plan of `batches` of `plan_batch` as a file in `folder`, which is made.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".plan.{os.getpid()}.partial"
    rows = 0
    with draft.open("wb") as file, pa.ipc.new_file(file, _SCHEMA) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    with draft.open("rb") as written:
        sha256 = hashlib.file_digest(written, "sha256").hexdigest()
    path = folder / _file_name(sha256)
    draft.replace(path)
    return StoredPlan(str(path.absolute()), sha256, rows)


def plan_batch(names: Sequence[bytes], repeats: Sequence[int | None]) -> pa.RecordBatch:
    """Some rows of a plan: `ROWS_A_BATCH`, or fewer where they are the last."""
    columns = [pa.array(names, pa.large_binary()), pa.array(repeats, pa.int64())]
    return pa.record_batch(columns, schema=_SCHEMA)


def _copy(plan: ScratchPlan, folder: Path) -> StoredPlan:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _file_name(plan.sha256)
    draft = path.with_name(f".{path.name}.partial")
    shutil.copyfile(plan.path, draft)
    draft.replace(path)
    return StoredPlan(str(path.absolute()), plan.sha256, plan.rows)


def _file_name(sha256: str) -> str:
    return f"plan-{sha256[:16]}.arrow"


def _batches(plan: FolderPlan) -> Iterator[pa.RecordBatch]:
    for start in range(0, plan.rows, ROWS_A_BATCH):
        rows = range(start, min(start + ROWS_A_BATCH, plan.rows))
        yield plan_batch(
            [plan.names[row] for row in rows], [plan.duplicates.get(row) for row in rows]
        )


@functools.lru_cache(maxsize=2)
def _open_batches(path: str, sha256: str) -> Sequence[pa.RecordBatch]:
    """The batches of a plan's file, mapped; all of it is read once, for its hash.

    Raises:
        SourceError: as `StoredPlan.name`.
    """
    try:
        mapped = pa.memory_map(path)
        if hashlib.sha256(mapped.read_buffer()).hexdigest() != sha256:
            raise SourceError(f"{path}: the list of the source's files is not that of this run")
        mapped.seek(0)
        reader = pa.ipc.open_file(mapped)
        return [reader.get_batch(number) for number in range(reader.num_record_batches)]
    except (OSError, pa.ArrowException) as error:
        raise SourceError(
            f"{path}: the list of the source's files cannot be read: every worker must see the "
            f"output folder under this path ({' '.join(str(error).split())})"
        ) from error
