"""The end of a Parquet file, which says what is in it: looked at before Arrow builds it.

Three bytes of a footer can cost Arrow some hundred of memory, and a schema that is nested deeply
enough overflows its stack. So entries are counted and depths are measured here first.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from indexes.parquet.thrift import LIST, STRUCT, Compact, ThriftError

MAX_FOOTER_BYTES = 64 << 20
MAX_ENTRIES = 500_000
"""Of a footer: about seven for a column of a row group, so 5000 row groups of 14 columns."""
MAX_COLUMNS = 10_000
MAX_DEPTH = 32
_MAGIC = b"PAR1"
_TAIL_BYTES = 8
_SCHEMA_FIELD, _CHILDREN_FIELD = 2, 5


class FooterError(ValueError):
    """A footer that is not given to Arrow, and why."""


def check_footer(path: Path) -> None:
    """Make sure that what the footer of the file describes is of a size that can be afforded.

    A file without a readable footer passes: Arrow says what is wrong with it. The answer is
    remembered while the file stays the same.

    Raises:
        FooterError: the footer is too large, or of too many entries, columns or levels.
        OSError: the file cannot be read.
    """
    status = path.stat()
    _check(path, status.st_size, (status.st_mtime_ns, status.st_ino))


@lru_cache(maxsize=256)
def _check(path: Path, size: int, _state: tuple[int, int]) -> None:
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read(_TAIL_BYTES)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC or length + _TAIL_BYTES > size:
            return
        if length > MAX_FOOTER_BYTES:
            raise FooterError(f"a footer of {length} bytes, at most {MAX_FOOTER_BYTES} are read")
        file.seek(size - _TAIL_BYTES - length)
        footer = file.read(length)
    try:
        _walk(Compact(footer, most_structs=MAX_ENTRIES))
    except ThriftError as error:
        raise FooterError(f"the footer cannot be read: {error}") from error


def _walk(footer: Compact) -> None:
    for number, kind in footer.fields():
        if number == _SCHEMA_FIELD and kind == LIST:
            _check_schema(footer)
        else:
            footer.skip(kind)


def _check_schema(footer: Compact) -> None:
    count, kind = footer.elements()
    if count > MAX_COLUMNS:
        raise FooterError(f"a schema of {count} columns, at most {MAX_COLUMNS} are read")
    if kind != STRUCT:
        raise ThriftError("the schema is no list of columns")
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
            if number == _CHILDREN_FIELD:
                children = footer.integer()
            else:
                footer.skip(kind)
        yield max(children, 0)
