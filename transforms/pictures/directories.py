"""Directories of tags, as TIFF has them and as EXIF data are: whether their claims add up.

Pillow copies the value of every tag when it reads a directory. Nothing keeps tens of thousands of
tags from pointing at the same megabytes.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from transforms.pictures.parts import Claims, check_parts, too_much

_UNITS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""Bytes of a value by its type, for the types that Pillow reads."""
_BYTES = frozenset({1, 2, 6, 7})
_MAX_OVERLAP = 4
"""Values of a directory may come to so many times the bytes they lie in; honest ones to less."""
_SPARE_BYTES = 65_536
_EXIF_START = b"Exif\0\0"
_MAX_STARTS = 8

_COMPRESSION, _STRIPS, _TILE_WIDTH, _TILE_HEIGHT, _TILES = 259, 273, 322, 323, 324
_DIRECTORIES = frozenset({34665, 34853, 40965})
_JPEG = (6, 7)
_JPEG_IN_TIFF_PASSES = 100
"""libtiff itself refuses more scans of a strip."""


@dataclass(frozen=True)
class _Layout:
    """How a file writes its numbers: byte order, and whether places have 8 bytes (BigTIFF)."""

    order: str
    big: bool

    @property
    def place(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "L"))

    @property
    def number(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def entry(self) -> struct.Struct:
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHL4s"))


@dataclass(frozen=True)
class _Entry:
    tag: int
    kind: int
    count: int
    value: bytes

    def first(self, layout: _Layout) -> int:
        """The value of a whole number that stands in the entry itself, else 0."""
        form = {3: "H", 4: "L", 13: "L", 16: "Q"}.get(self.kind)
        if form is None or self.count != 1 or struct.calcsize("=" + form) > len(self.value):
            return 0
        found: int = struct.unpack_from(layout.order + form, self.value)[0]
        return found


def check_directory(data: bytes) -> None:
    """Refuses EXIF data whose tags claim out of proportion; what makes no sense is passed over.

    Raises:
        PictureError: they do.
    """
    starts = 0
    while data.startswith(_EXIF_START, starts * len(_EXIF_START)):
        starts += 1
        if starts > _MAX_STARTS:  # Pillow cuts them off one by one
            raise too_much("EXIF data that begin again and again")
    data = data[starts * len(_EXIF_START) :]
    layout = _layout(data)
    if layout is not None:
        _entries(data, _first_place(data, layout), layout)


def read_tiff_claims(data: bytes, max_frames: int) -> Claims:
    """The pages of a TIFF file, and what decoding the first one costs.

    Raises:
        PictureError: its tags, strips or tiles are out of proportion.
    """
    layout = _layout(data)
    if layout is None:
        return Claims()
    place = _first_place(data, layout)
    entries = _entries(data, place, layout)
    for tag in (_STRIPS, _TILES):
        if tag in entries:
            check_parts(entries[tag].count, "strips or tiles")
    tile = [
        entries[tag].first(layout) if tag in entries else 0 for tag in (_TILE_WIDTH, _TILE_HEIGHT)
    ]
    jpeg = _COMPRESSION in entries and entries[_COMPRESSION].first(layout) in _JPEG
    return Claims(
        frames=_count_pages(data, place, layout, max_frames),
        pixels=tile[0] * tile[1],
        passes=_JPEG_IN_TIFF_PASSES if jpeg and b"\xff\xc2" in data else 1,
    )


def _layout(data: bytes) -> _Layout | None:
    if data[:2] not in (b"II", b"MM") or len(data) < 16:
        return None
    return _Layout("<" if data[:2] == b"II" else ">", big=data[2] == 43)


def _first_place(data: bytes, layout: _Layout) -> int:
    place: int = layout.place.unpack_from(data, 8 if layout.big else 4)[0]
    return place


def _entries(data: bytes, place: int, layout: _Layout, *, depth: int = 0) -> dict[int, _Entry]:
    """The tags of the directory at `place`, checked together with the directories they lead to."""
    found: dict[int, _Entry] = {}
    total, most = 0, _MAX_OVERLAP * len(data) + _SPARE_BYTES
    for entry in _listed(data, place, layout):
        size = entry.count * _UNITS.get(entry.kind, 0)
        total += size
        if total > most:
            raise too_much("tags that claim more bytes than there are")
        if entry.kind not in _BYTES and entry.kind in _UNITS:
            check_parts(entry.count, "values of a tag")
        found[entry.tag] = entry
    for tag in _DIRECTORIES & found.keys():
        if depth < 2 and (inner := found[tag].first(layout)):
            _entries(data, inner, layout, depth=depth + 1)
    return found


def _listed(data: bytes, place: int, layout: _Layout) -> Iterator[_Entry]:
    if place + layout.number.size > len(data):
        return
    (count,) = layout.number.unpack_from(data, place)
    check_parts(count, "tags")
    place += layout.number.size
    form = layout.entry
    for start in range(place, min(place + count * form.size, len(data) - form.size + 1), form.size):
        yield _Entry(*form.unpack_from(data, start))


def _count_pages(data: bytes, place: int, layout: _Layout, most: int) -> int:
    """Directories of the chain, counted up to one more than `most`."""
    seen: set[int] = set()
    while place and place not in seen and len(seen) <= most:
        seen.add(place)
        if place + layout.number.size > len(data):
            break
        (count,) = layout.number.unpack_from(data, place)
        end = place + layout.number.size + count * layout.entry.size
        if end + layout.place.size > len(data):
            break
        (place,) = layout.place.unpack_from(data, end)
    return max(1, len(seen))
