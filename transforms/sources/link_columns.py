"""Columns of several metadata files: one type for each, and rows read in bounded memory.

The files of a release are written apart, so that a column may hold int32 in one and, because a
value is missing, double in the next. What differs is looked at before anything is done with the
links: either there is a type that holds every value of every file, or one line says in which file
and column there is none. A missing value is null, and so is NaN where numbers are whole.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from indexes.storage.errors import refuse_outage
from indexes.storage.store_path import StorePath
from transforms.protocols import SourceError

MAX_TEXT_BYTES = 65_536
"""As much of a text is read, as of a caption in a file of its own."""

DAMAGED = (pa.ArrowException, OSError, ValueError, LookupError)
"""What Arrow raises for a file that is not what it should be: names that are no text, too."""

_BATCH_ROWS = 200
_BATCH_BYTES = 32_000_000
_TEXTS = (pa.types.is_string, pa.types.is_large_string)


@contextmanager
def open_table(path: Path, *, texts_apart: bool = True) -> Iterator[pq.ParquetFile]:
    """The Parquet file at `path`; a text that is there often is read once, if `texts_apart`.

    Raises:
        SourceError: it cannot be read.
        StorageError: the store does not give it.
    """
    try:
        names: list[str] = []
        if texts_apart:
            with _open(path) as file:
                schema = file.schema_arrow
                names = [each.name for each in schema if any(is_(each.type) for is_ in _TEXTS)]
        with _open(path, read_dictionary=names) as file:
            yield file
    except DAMAGED as error:
        refuse_outage(error)
        raise SourceError(f"{path}: no readable Parquet file: {_line(error)}") from error


@contextmanager
def _open(path: Path, **options: Any) -> Iterator[pq.ParquetFile]:
    if not isinstance(path, StorePath):
        with pq.ParquetFile(path, **options) as table:
            yield table
        return
    with path.open("rb") as file, pq.ParquetFile(file, **options) as table:
        yield table


def read_batches(
    file: pq.ParquetFile, group: int, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """The rows of one row group, few at a time where they are long."""
    facts = file.metadata.row_group(group)
    # The size of all columns, for a damaged column's own facts end the process (Arrow 25).
    length = max(1, facts.total_byte_size // max(1, facts.num_rows))
    rows = max(1, min(_BATCH_ROWS, _BATCH_BYTES // length))
    yield from file.iter_batches(rows, row_groups=[group], columns=list(columns))


def is_blank(path: Path, column: str) -> bool:
    """Whether the column holds no value in any row, NaN being none.

    Raises:
        SourceError: the file cannot be read.
    """
    columns = _read_column(path, column)
    return all(without_nan(values).null_count == len(values) for values in columns)


def find_common_type(files: Sequence[Path], column: str) -> pa.DataType:
    """The type that holds what every one of `files` has in `column`.

    The first file's type if it can, else the first of the others' that can. Text goes with text and
    numbers with numbers; a column without a value goes with all.

    Raises:
        SourceError: there is none; naming the column and two files, or a file that cannot be read.
    """
    types = {path: _read_type(path, column) for path in files}
    first = types[files[0]]
    if all(each == first for each in types.values()):
        return first
    held = {path: each for path, each in types.items() if not is_blank(path, column)}
    if not held:
        return first
    known = next(iter(held))
    for path, each in held.items():
        if _family(each) != _family(held[known]):
            raise _disagree(column, (known, held[known]), (path, each))
    failed = known
    for wanted in _candidates(list(held.values())):
        unfit = (path for path, each in held.items() if not _fits(path, column, each, wanted))
        found = next(unfit, None)
        if found is None:
            return wanted
        failed = found if found != known else failed
    other = failed if failed != known else list(held)[-1]
    raise _disagree(column, (known, held[known]), (other, held[other]))


def convert(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    """`values` as `wanted`; NaN is null where numbers are whole.

    Raises:
        ArrowException: a value does not fit.
    """
    if not pa.types.is_floating(wanted):
        values = without_nan(values)
    if values.null_count == len(values):
        return pa.nulls(len(values), wanted)
    return values if values.type == wanted else values.cast(wanted)


def without_nan(values: pa.Array) -> pa.Array:
    """`values` with null for NaN."""
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def read_texts(values: pa.Array) -> list[str | None]:
    """Texts, cut off at `MAX_TEXT_BYTES`; a byte that makes one no UTF-8 is read as U+FFFD.

    A text that a dictionary holds once is in memory once, in however many rows it stands.
    """
    if not pa.types.is_dictionary(values.type):
        return [_text(value) for value in values]
    places = values.indices.to_pylist()
    used = {place: _text(values.dictionary[place]) for place in set(places) if place is not None}
    return [None if place is None else used[place] for place in places]


def _text(value: pa.Scalar) -> str | None:
    if not value.is_valid:
        return None
    data = memoryview(value.as_buffer())
    if len(data) <= MAX_TEXT_BYTES:
        return bytes(data).decode("utf-8", "replace")
    return bytes(data[:MAX_TEXT_BYTES]).decode("utf-8", "ignore")


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text, in a dictionary or not."""
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(is_(value) for is_ in (*_TEXTS, pa.types.is_string_view))


def _family(kind: pa.DataType) -> str:
    """What types must share to have one that holds both."""
    types = pa.types
    if is_text(kind):
        return "text"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "a number"
    if types.is_timestamp(kind):
        return f"a time in {kind.tz}"
    if types.is_binary(kind) or types.is_large_binary(kind):
        return "binary"
    return str(kind)


def _candidates(types: Iterable[pa.DataType]) -> list[pa.DataType]:
    found = list(dict.fromkeys(types))
    if _family(found[0]) == "text":
        return [pa.string() if pa.types.is_dictionary(found[0]) else found[0]]
    if _family(found[0]) == "a number":
        found += [pa.int64(), pa.float64()]
    return found


def _fits(path: Path, column: str, held: pa.DataType, wanted: pa.DataType) -> bool:
    if held == wanted or is_text(held):
        return True
    try:
        for values in _read_column(path, column):
            convert(values, wanted)
    except pa.ArrowException:
        return False
    return True


def _read_type(path: Path, column: str) -> pa.DataType:
    with open_table(path, texts_apart=False) as file:
        return file.schema_arrow.field(column).type


def _read_column(path: Path, column: str) -> Iterator[pa.Array]:
    with open_table(path) as file:
        for group in range(file.metadata.num_row_groups):
            for batch in read_batches(file, group, [column]):
                yield batch.column(0)


def _disagree(
    column: str, one: tuple[Path, pa.DataType], other: tuple[Path, pa.DataType]
) -> SourceError:
    return SourceError(
        f"{other[0]}: column {column} holds {other[1]}, in {one[0].name} it holds {one[1]}, and no "
        "type holds the values of both"
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
