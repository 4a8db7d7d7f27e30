"""The end of a Parquet file, which says what is in it: looked at before Arrow builds it.

Three bytes of a footer can cost Arrow some hundred of memory, and a schema that is nested deeply
enough overflows its stack. So entries are counted and depths are measured here first. And what is
said of columns is read here: asked for it, pyarrow ends the whole process where it is damaged.
"""

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from indexes.parquet.thrift import BINARY, LIST, NUMBERS, STRUCT, Compact, ThriftError

MAX_FOOTER_BYTES = 64 << 20
MAX_ENTRIES = 300_000
"""Of a footer: about seven for a column of a row group, so 3000 row groups of 14 columns."""
MAX_COLUMNS = 10_000
MAX_DEPTH = 32
_MAGIC = b"PAR1"
_TAIL_BYTES = 8

# Numbers of fields in parquet.thrift.
_SCHEMA, _GROUPS = 2, 4
_CHILDREN = 5
_GROUP_COLUMNS, _GROUP_ROWS = 1, 3
_CHUNK_METADATA = 3
_TYPE, _PATH, _STORED, _DATA_OFFSET, _DICTIONARY_OFFSET, _STATISTICS = 1, 3, 7, 9, 11, 12
_MAX_VALUE, _MIN_VALUE = 5, 6
_NUMBER_FORMATS = {1: "<i", 2: "<q", 4: "<f", 5: "<d"}
"""Physical type of a number -> how it is stored: INT32, INT64, FLOAT, DOUBLE."""


class FooterError(ValueError):
    """A footer that is not given to Arrow, and why."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One column of a row group: where it begins, what it takes in the file, in bytes.

    `type` is the number of its physical type, `low` and `high` its statistics as they are stored.
    """

    path: str
    type: int
    start: int
    stored: int
    low: bytes | None
    high: bytes | None


@dataclass(frozen=True, slots=True)
class Group:
    """One row group."""

    rows: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True)
class Footer:
    """The row groups of a file, in order."""

    groups: tuple[Group, ...]


def read_footer(path: Path) -> Footer:
    """What the footer of the file says, if that is of a size that can be afforded.

    The answer is remembered while the file stays the same.

    Raises:
        FooterError: there is none, or it is too large, or of too many entries, columns or levels.
        OSError: the file cannot be read.
    """
    status = path.stat()
    return _read(path, status.st_size, (status.st_mtime_ns, status.st_ino))


@lru_cache(maxsize=64)
def _read(path: Path, size: int, _state: tuple[int, int]) -> Footer:
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read(_TAIL_BYTES)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC or length + _TAIL_BYTES > size:
            raise FooterError(f"Parquet magic bytes not found at its end ({size} bytes)")
        if length > MAX_FOOTER_BYTES:
            raise FooterError(f"a footer of {length} bytes, at most {MAX_FOOTER_BYTES} are read")
        file.seek(size - _TAIL_BYTES - length)
        data = file.read(length)
    try:
        return _parse(Compact(data, most_structs=MAX_ENTRIES))
    except ThriftError as error:
        raise FooterError(f"the footer cannot be read: {error}") from error


def _parse(footer: Compact) -> Footer:
    groups: tuple[Group, ...] = ()
    for number, kind in footer.fields():
        if number == _SCHEMA and kind == LIST:
            _check_schema(footer)
        elif number == _GROUPS and kind == LIST:
            groups = tuple(_parse_group(footer) for _ in range(_structs(footer)))
        else:
            footer.skip(kind)
    return Footer(groups)


def _structs(footer: Compact) -> int:
    """How many structs a list has."""
    count, kind = footer.elements()
    if count and kind != STRUCT:
        raise ThriftError("a list of something else than it should hold")
    return count


def _parse_group(footer: Compact) -> Group:
    rows = 0
    chunks: tuple[Chunk, ...] = ()
    for number, kind in footer.fields():
        if number == _GROUP_COLUMNS and kind == LIST:
            chunks = tuple(_parse_chunk(footer) for _ in range(_structs(footer)))
        elif number == _GROUP_ROWS and kind in NUMBERS:
            rows = footer.integer()
        else:
            footer.skip(kind)
    return Group(rows, chunks)


def _parse_chunk(footer: Compact) -> Chunk:
    numbers: dict[int, int] = {}
    texts: dict[int, bytes] = {}
    path: list[bytes] = []
    for number, kind in footer.fields():
        if number != _CHUNK_METADATA or kind != STRUCT:
            footer.skip(kind)
            continue
        for inner, inner_kind in footer.fields():
            if inner_kind in NUMBERS:
                numbers[inner] = footer.integer()
            elif inner == _PATH and inner_kind == LIST:
                path = _texts(footer)
            elif inner == _STATISTICS and inner_kind == STRUCT:
                texts = _statistics(footer)
            else:
                footer.skip(inner_kind)
    start = numbers.get(_DATA_OFFSET, -1)
    if numbers.get(_DICTIONARY_OFFSET, 0) > 0:
        start = min(start, numbers[_DICTIONARY_OFFSET])
    return Chunk(
        path=b".".join(path).decode("utf-8", "replace"),
        type=numbers.get(_TYPE, -1),
        start=start,
        stored=numbers.get(_STORED, 0),
        low=texts.get(_MIN_VALUE),
        high=texts.get(_MAX_VALUE),
    )


def _texts(footer: Compact) -> list[bytes]:
    count, kind = footer.elements()
    if count and kind != BINARY:
        raise ThriftError("a path of something else than texts")
    return [footer.binary() for _ in range(count)]


def _statistics(footer: Compact) -> dict[int, bytes]:
    found = {}
    for number, kind in footer.fields():
        if kind == BINARY:
            found[number] = footer.binary()
        else:
            footer.skip(kind)
    return found


def _check_schema(footer: Compact) -> None:
    count = _structs(footer)
    if count > MAX_COLUMNS:
        raise FooterError(f"a schema of {count} columns, at most {MAX_COLUMNS} are read")
    # How many children are still to come, of every column that is open.
    waiting: list[int] = []
    for children in _children(footer, count):
        while waiting and waiting[-1] == 0:
            waiting.pop()
        if waiting:
            waiting[-1] -= 1
        if children:
            waiting.append(children)
        if len(waiting) > MAX_DEPTH:
            raise FooterError(f"a schema nested more than {MAX_DEPTH} deep")


def _children(footer: Compact, count: int) -> Iterator[int]:
    for _ in range(count):
        children = 0
        for number, kind in footer.fields():
            if number == _CHILDREN and kind in NUMBERS:
                children = footer.integer()
            else:
                footer.skip(kind)
        yield max(children, 0)


def number_ranges(group: Group, columns: Sequence[str]) -> Iterator[tuple[str, float, float]]:
    """Smallest and largest value of those columns of numbers that have statistics."""
    for chunk in group.chunks:
        if chunk.path not in columns or chunk.low is None or chunk.high is None:
            continue
        try:
            (low,) = struct.unpack(_NUMBER_FORMATS[chunk.type], chunk.low)
            (high,) = struct.unpack(_NUMBER_FORMATS[chunk.type], chunk.high)
        except (KeyError, struct.error):
            continue  # no number, or damaged statistics, which say nothing
        if not (math.isnan(low) or math.isnan(high)):
            yield chunk.path, low, high
