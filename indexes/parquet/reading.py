"""Row groups read a few rows at a time, so few that memory stays within what the caller allows.

How many is found in the headers of the pages (`indexes.parquet.pages`), not in what the file says
of itself: a value of 60 MB that a dictionary repeats for every row is read one row at a time.
"""

import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from indexes.errors import PairloomError
from indexes.parquet.footer import Footer, FooterError, read_footer
from indexes.parquet.pages import ChunkCost, measure_chunk, total
from indexes.storage.errors import refuse_outage
from indexes.storage.store_path import StorePath

BYTES_AT_ONCE = 512 << 20
"""What a table of our own may take in memory at a time, unless it takes as much in its file."""

_BUFFER_BYTES = 1 << 20
_MAX_STORED_BYTES = 1 << 30
_MAX_GROWTH = 4
_MAX_GROWTH_OF_ALL = 16

# Beside its own errors, Arrow lets out what Python's parts of it raise: for a name that is no
# UTF-8, a number that fits no type, memory that is not to be had. None of it says anything about
# our own code, because nothing of that runs where these are caught.
ARROW_ERRORS = (
    pa.ArrowException,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
)


class ParquetError(PairloomError):
    """A Parquet file, or a part of one, that cannot be read: one line, without the file's name."""


@contextmanager
def open_parquet(
    path: Path, *, metadata: pq.FileMetaData | None = None
) -> Iterator[pq.ParquetFile]:
    """The Parquet file at `path`; `metadata` are those that an earlier opening gave.

    Raises:
        ParquetError: it is no regular file, no Parquet file, or its footer costs too much. What is
            raised inside the block is the caller's.
    """
    with ExitStack() as stack:
        yield stack.enter_context(_open(path, metadata, stack))


def _open(path: Path, metadata: pq.FileMetaData | None, stack: ExitStack) -> pq.ParquetFile:
    """The file, not yet entered; what it needs meanwhile is put on `stack`."""
    try:
        place: Any = path
        if isinstance(path, StorePath):
            stack.enter_context(path.remembered())
            place = path.open("rb")
        if not stat.S_ISREG(path.stat().st_mode):
            raise ParquetError("it is a folder, pipe or device, not a file")
        if metadata is None:
            read_footer(path)
        return pq.ParquetFile(place, metadata=metadata, buffer_size=_BUFFER_BYTES, pre_buffer=False)
    except FooterError as error:
        raise ParquetError(str(error)) from error
    except ARROW_ERRORS as error:
        refuse_outage(error)
        raise ParquetError(one_line(error)) from error


def describe(path: Path) -> Footer:
    """The row groups of the file at `path`.

    Raises:
        ParquetError: it has no readable footer.
    """
    try:
        return read_footer(path)
    except (FooterError, OSError) as error:
        refuse_outage(error)
        raise ParquetError(one_line(error)) from error


def group_rows(path: Path, *, most: int | None = None) -> list[int]:
    """How many rows each row group has.

    Raises:
        ParquetError: one says less than none, or there are more than `most` in all, or more than
            the file has bytes.
    """
    rows = [group.rows for group in describe(path).groups]
    if min(rows, default=0) < 0:
        raise ParquetError(f"a row group of {min(rows)} rows")
    size = path.stat().st_size if most is None else most
    if sum(rows) > size:
        raise ParquetError(f"it claims {sum(rows)} rows, more than its {size} bytes can hold")
    return rows


def measure_group(
    path: Path, schema: pq.ParquetSchema, number: int, columns: Sequence[str] | None = None
) -> ChunkCost:
    """What reading `columns` (or their parts, `a.b`; None for all) of a row group will cost.

    Raises:
        ParquetError: the file cannot be read, or has none of the columns.
    """
    chunks = describe(path).groups[number].chunks
    if len(chunks) != len(schema):
        raise ParquetError(f"a row group of {len(chunks)} columns, the schema has {len(schema)}")
    try:
        with path.open("rb") as file:
            costs = [
                measure_chunk(file, chunk, lists=schema.column(place).max_repetition_level > 0)
                for place, chunk in enumerate(chunks)
                if _is_wanted(schema.column(place).path, columns)
            ]
    except ARROW_ERRORS as error:
        refuse_outage(error)
        raise ParquetError(one_line(error)) from error
    if not costs:
        raise ParquetError("it has no such column")
    return total(costs)


def _is_wanted(path: str, columns: Sequence[str] | None) -> bool:
    if columns is None:
        return True
    return any(path == name or path.startswith(f"{name}.") for name in columns)


def check_cost(cost: ChunkCost, most_bytes: int) -> None:
    """Make sure that a row group can be read, a row at a time, in a few times `most_bytes`.

    What the file really holds is let through up to 1 GiB: of pages that hardly shrink when they
    are compressed, as pictures do, nobody can claim more than there is.

    Raises:
        ParquetError: it cannot.
    """
    if cost.at_once <= most_bytes:
        return
    if cost.at_once > min(_MAX_GROWTH * cost.stored_at_once, _MAX_STORED_BYTES):
        raise ParquetError(
            f"its pages take {cost.at_once} bytes in memory ({cost.stored_at_once} in the file), "
            f"at most {most_bytes} are read"
        )


def rows_at_once(cost: ChunkCost, *, wanted: int, most_bytes: int) -> int:
    """How many rows may be read at a time, at most `wanted` and at least one."""
    if min(wanted * cost.row, cost.all_rows) <= most_bytes:
        return wanted
    return max(1, min(wanted, most_bytes // cost.row))


def read_batches(
    file: pq.ParquetFile,
    number: int,
    columns: Sequence[str] | None,
    *,
    expected: int,
    cost: ChunkCost,
    rows: int,
    most_bytes: int,
) -> Iterator[pa.RecordBatch]:
    """The rows of row group `number`, at most `rows` at a time; `cost` is `measure_group`'s.

    `expected` is how many rows the footer says the row group has.

    Raises:
        ParquetError: the row group costs too much, or is damaged; the rows before the damage
            come first.
    """
    check_cost(cost, most_bytes)
    count = rows_at_once(cost, wanted=rows, most_bytes=most_bytes)
    done = 0
    try:
        batches = file.iter_batches(
            count,
            row_groups=[number],
            columns=None if columns is None else list(columns),
            use_threads=False,
        )
    except ARROW_ERRORS as error:
        refuse_outage(error)
        raise ParquetError(one_line(error)) from error
    # A column of lists has as many values as its lists, and fewer rows.
    readable = cost.values if cost.values < expected else expected
    while done + count <= readable or readable == expected > done:
        batch = _next(batches)
        if batch is None:
            break
        done += batch.num_rows
        yield batch
    if done < expected:
        raise ParquetError(f"it is damaged after {done} of {expected} rows")


def _next(batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
    try:
        return next(batches, None)
    except ARROW_ERRORS as error:
        refuse_outage(error)
        raise ParquetError(one_line(error)) from error


def read_group(
    file: pq.ParquetFile, path: Path, number: int, columns: Sequence[str] | None = None
) -> pa.Table:
    """All rows of a row group of a table of our own, or of one that is said to be.

    Raises:
        ParquetError: it is damaged, or takes more than 512 MiB in memory and more than 16 times
            what it takes in the file.
    """
    for field in file.schema_arrow:
        # One value may stand for every row, and whoever takes the rows as plain values finds out.
        if "dictionary<" in str(field.type) and (columns is None or field.name in columns):
            raise ParquetError(f"column {field.name} must be plain, it is {field.type}")
    cost = measure_group(path, file.schema, number, columns)
    most = max(BYTES_AT_ONCE, _MAX_GROWTH_OF_ALL * cost.stored)
    batches: list[pa.RecordBatch] = []
    size = 0
    rows = describe(path).groups[number].rows
    for batch in read_batches(
        file,
        number,
        columns,
        expected=rows,
        cost=cost,
        rows=max(1, rows),
        most_bytes=BYTES_AT_ONCE,
    ):
        size += batch.nbytes
        if size > most:
            raise ParquetError(
                f"row group {number} takes more than {most} bytes in memory, "
                f"{cost.stored} in the file"
            )
        batches.append(batch)
    return _as_table(file, batches, columns)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """All rows of a file whose columns hold no pictures.

    Raises:
        ParquetError: as `open_parquet` and `read_group`; a column is missing.
    """
    with open_parquet(path) as file:
        groups = [
            read_group(file, path, number, columns) for number in range(len(describe(path).groups))
        ]
        return pa.concat_tables(groups) if groups else _as_table(file, [], columns)


def _as_table(
    file: pq.ParquetFile, batches: list[pa.RecordBatch], columns: Sequence[str] | None
) -> Any:
    if batches:
        return pa.Table.from_batches(batches)
    schema = file.schema_arrow
    names = schema.names if columns is None else columns
    missing = [name for name in names if name not in schema.names]
    if missing:
        raise ParquetError(f"column {missing[0]} is missing")
    return pa.schema([schema.field(name) for name in names]).empty_table()


def one_line(error: BaseException) -> str:
    """What an error says, without line ends; its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
