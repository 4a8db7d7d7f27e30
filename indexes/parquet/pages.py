"""What reading a row group will cost, found in the headers of its pages.

A column chunk's own figures are the writer's claims. What Arrow allocates is what the headers of
the pages say: each is decompressed as a whole, and a dictionary's value is repeated for every row
that names it. So the headers are walked first, past the pages themselves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from indexes.parquet.footer import Chunk
from indexes.parquet.thrift import NUMBERS, STRUCT, Compact, ThriftError

_HEADER_BYTES = (512, 8192, 1 << 20)
_MAX_PAGES = 200_000
_DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_V2 = 0, 2, 3
_DETAILS_OF = {5: _DATA_PAGE, 7: _DICTIONARY_PAGE, 8: _DATA_PAGE_V2}
_ENCODING_FIELD = {_DATA_PAGE: 2, _DICTIONARY_PAGE: 2, _DATA_PAGE_V2: 4}
_REPEATING = frozenset({2, 7, 8})
"""PLAIN_DICTIONARY, DELTA_BYTE_ARRAY, RLE_DICTIONARY: a few bits may stand for a whole value."""
_COUNTED_AHEAD = frozenset({6, 7})
"""DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY: the lengths of all values are unpacked at once."""
_LENGTH_BYTES = 8
_PLACE_BYTES = 16
"""What any value takes beside its content: its number or offset, and its levels."""


@dataclass(frozen=True)
class Page:
    """One page: what it takes in the file and decoded, in bytes, and how many values it has."""

    dictionary: bool
    stored: int
    decoded: int
    values: int
    repeating: bool


@dataclass(frozen=True)
class ChunkCost:
    """What one column of one row group costs.

    `values` are those that its readable pages hold. In bytes: `at_once` is what is in memory
    whatever is asked for (the largest page and the dictionary), `stored_at_once` what those take in
    the file, `stored` what all pages take there. `row` bounds what one row holds, `all_rows` what
    all rows hold together.
    """

    values: int
    at_once: int
    stored_at_once: int
    stored: int
    row: int
    all_rows: int


_NO_PAGE = Page(dictionary=False, stored=0, decoded=0, values=0, repeating=False)


def measure_chunk(file: BinaryIO, chunk: Chunk, *, lists: bool) -> ChunkCost:
    """What reading a column chunk will cost.

    `lists` says that a row may hold any number of values.

    Raises:
        OSError: the file cannot be read.
    """
    dictionary = largest = _NO_PAGE
    values = stored = decoded = 0
    for page in _pages(file, chunk):
        stored += page.stored
        if page.dictionary:
            dictionary = max(dictionary, page, key=lambda each: each.decoded)
            continue
        values += page.values
        largest = max(largest, page, key=lambda each: each.decoded)
        repeated = page.values * max(dictionary.decoded, page.decoded)
        decoded += (repeated if page.repeating else page.decoded) + page.values * _PLACE_BYTES
    one = max(largest.decoded, dictionary.decoded) + _PLACE_BYTES
    return ChunkCost(
        values=values,
        at_once=largest.decoded + dictionary.decoded,
        stored_at_once=largest.stored + dictionary.stored,
        stored=stored,
        row=decoded if lists else one,
        all_rows=decoded,
    )


def _pages(file: BinaryIO, chunk: Chunk) -> Iterator[Page]:
    """The pages of a chunk, up to the first that is damaged: Arrow will stop there as well."""
    place = chunk.start
    end = place + chunk.stored
    if place < 0:
        return
    for _ in range(_MAX_PAGES):
        if place >= end:
            return
        try:
            header_bytes, page = _read_header(file, place)
        except (ThriftError, KeyError):
            return
        place += header_bytes + page.stored
        if place > end:
            return
        yield page


def _read_header(file: BinaryIO, place: int) -> tuple[int, Page]:
    for count in _HEADER_BYTES:
        file.seek(place)
        data = file.read(count)
        header = Compact(data)
        try:
            page = _parse(header)
        except ThriftError:
            # Statistics make some headers long, but only a longer piece of the file can help.
            if count == _HEADER_BYTES[-1] or len(data) < count:
                raise
        else:
            return header.position, page
    raise AssertionError("the last size either gives a header or raises")


def _parse(header: Compact) -> Page:
    sizes: dict[int, int] = {}
    details: dict[int, dict[int, int]] = {}
    for number, kind in header.fields():
        if number in (1, 2, 3) and kind in NUMBERS:
            sizes[number] = header.integer()
        elif number in _DETAILS_OF and kind == STRUCT:
            details[_DETAILS_OF[number]] = _numbers(header)
        else:
            header.skip(kind)
    page_type, decoded, stored = (sizes[number] for number in (1, 2, 3))
    found = details.get(page_type, {})
    values = found.get(1, 0)
    encoding = found.get(_ENCODING_FIELD.get(page_type, 0), 0)
    if decoded < 0 or stored < 0 or values < 0:
        raise ThriftError("a negative size")
    decoded = max(decoded, stored)
    if encoding in _COUNTED_AHEAD:
        decoded += values * _LENGTH_BYTES
    dictionary = page_type == _DICTIONARY_PAGE
    return Page(dictionary, stored, decoded, values, encoding in _REPEATING and not dictionary)


def _numbers(header: Compact) -> dict[int, int]:
    """The first two to four fields of a page's own header, which are whole numbers."""
    found = {}
    for number, kind in header.fields():
        if kind in NUMBERS:
            found[number] = header.integer()
        else:
            header.skip(kind)
    return found


def total(costs: Sequence[ChunkCost]) -> ChunkCost:
    """What several columns cost together; `values` is the least that any of them has."""
    return ChunkCost(
        values=min(cost.values for cost in costs),
        at_once=sum(cost.at_once for cost in costs),
        stored_at_once=sum(cost.stored_at_once for cost in costs),
        stored=sum(cost.stored for cost in costs),
        row=sum(cost.row for cost in costs),
        all_rows=sum(cost.all_rows for cost in costs),
    )
