"""The members of a tar, found by its headers: read in bounds, and never beyond what is there.

Python's `tarfile` keeps every header, reads extended ones of any size, and lets out what its
parsing raises. What is read here: ustar, GNU's long names, and pax headers, of which path, size and
sparseness count. An archive that was put together of several with `cat` has zero blocks in its
midst, which are passed over (as `tar -i` does).
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import BinaryIO

BLOCK = 512
MAX_EXTENDED_BYTES = 1 << 20
"""Of one extended header: a name or pax records; what tools write has some hundred bytes."""
_SCAN_BYTES = 1 << 20
_NAME, _SIZE, _CHECKSUM, _KIND, _LINK, _PREFIX = (
    slice(0, 100),
    slice(124, 136),
    slice(148, 156),
    slice(156, 157),
    slice(157, 257),
    slice(345, 500),
)
_MAGIC, _USTAR = slice(257, 263), b"ustar\0"
_SPARSE_MORE = 482
_SPARSE_MORE_IN_EXTENSION = 504
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
}
_DIGITS = re.compile(rb"[0-9]+(?:[,\n][0-9]+)*")


class Kind(Enum):
    """What a member is; only a file has bytes in the tar."""

    FILE = "a file"
    FOLDER = "a folder"
    LINK = "a link"
    SPARSE = "a sparse file, which is not read"
    OTHER = "a device, pipe or something else"


_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"1": Kind.LINK,
    b"2": Kind.LINK,
    b"3": Kind.OTHER,
    b"4": Kind.OTHER,
    b"5": Kind.FOLDER,
    b"6": Kind.OTHER,
    b"D": Kind.OTHER,
    b"M": Kind.OTHER,
    b"S": Kind.SPARSE,
    b"V": Kind.OTHER,
}
_WITHOUT_DATA = (b"3", b"4", b"5", b"6")


class TarError(ValueError):
    """A tar that cannot be read on, and why; `after_end` where all members were read before."""

    def __init__(self, message: str, *, after_end: bool = False) -> None:
        super().__init__(message)
        self.after_end = after_end


@dataclass(frozen=True)
class TarMember:
    """One member: its name and, of a link, what it points to, as they stand in the tar.

    `offset` is where its data begin, `size` how many bytes they have. `relative` says whether the
    target of a link is meant from the member's own folder.
    """

    name: bytes
    kind: Kind
    offset: int
    size: int
    target: bytes = b""
    relative: bool = False


@dataclass
class _Extended:
    """What extended headers say of the member that follows them."""

    name: bytes | None = None
    target: bytes | None = None
    size: int | None = None
    sparse: dict[bytes, bytes] = field(default_factory=dict)


def read_members(file: BinaryIO) -> Iterator[TarMember]:
    """The members of a tar, in order.

    Raises:
        TarError: it is damaged or cut short; the members before that come first, the one that is
            cut among them.
        OSError: it cannot be read.
    """
    end = file.seek(0, os.SEEK_END)
    if not end:
        raise TarError("the file is empty")
    place = 0
    extended = _Extended()
    ended = False
    while place < end:
        header = _read(file, place, BLOCK)
        if not header.strip(b"\0"):
            ended, place = True, _skip_zeros(file, place + BLOCK, end)
            continue
        try:
            kind, size = _check_header(header)
        except TarError as error:
            why = _why_no_header(error, header, place, ended=ended)
            raise TarError(why, after_end=ended) from error
        ended = False
        data = place + BLOCK
        if kind in b"LKxXg":
            _extend(extended, kind, _read_extended(file, data, size, end))
            place = data + _padded(size)
            continue
        member, place = _make_member(file, header, data, extended)
        extended = _Extended()
        yield member
        if place - _padding(member.size) > end:
            name = ascii(member.name.decode("utf-8", "replace"))[:200]
            raise TarError(f"{name} has {member.size} bytes, the file ends before")
    if not ended:
        raise TarError("it ends without an end")


def _make_member(
    file: BinaryIO, header: bytes, data: int, extended: _Extended
) -> tuple[TarMember, int]:
    """The member of a header, and where the next header is."""
    kind_byte = header[_KIND]
    size = _number(header[_SIZE]) if extended.size is None else extended.size
    name = _text(header[_NAME])
    if header[_MAGIC] == _USTAR and (prefix := _text(header[_PREFIX])):
        name = prefix + b"/" + name
    name = name if extended.name is None else extended.name
    kind = _KINDS.get(kind_byte, Kind.FILE)
    if kind is Kind.FILE and name.endswith(b"/"):
        kind = Kind.FOLDER
    if kind_byte in _WITHOUT_DATA:
        size = 0
    if kind_byte == b"S":
        data = _skip_sparse_map(file, header, data)
    elif extended.sparse:
        kind = Kind.SPARSE
        name = extended.sparse.get(b"GNU.sparse.name", name)
        _check_sparse(file, extended.sparse, data, size)
    target = _text(header[_LINK]) if extended.target is None else extended.target
    member = TarMember(name, kind, data, size, target, relative=kind_byte == b"2")
    # A link's size is that of the file it points to, which is not here.
    return member, data + (0 if kind is Kind.LINK else _padded(size))


def _check_header(header: bytes) -> tuple[bytes, int]:
    if len(header) < BLOCK:
        raise TarError(f"{len(header)} bytes where a header should be")
    spaces = header[: _CHECKSUM.start] + b" " * 8 + header[_CHECKSUM.stop :]
    signed = sum(spaces) - 256 * sum(byte > 127 for byte in spaces)
    if _number(header[_CHECKSUM]) not in (sum(spaces), signed):
        raise TarError("no header, or a damaged one")
    return header[_KIND], _number(header[_SIZE])


def _why_no_header(error: TarError, header: bytes, place: int, *, ended: bool) -> str:
    if place == 0:
        found = (name for sign, name in _COMPRESSED.items() if header.startswith(sign))
        name = next(found, None)
        if name:
            return f"it is compressed ({name}): decompress it first"
    behind = "behind its end there is " if ended else ""
    return f"{behind}{error} at byte {place}"


def _number(digits: bytes) -> int:
    """A number in octal digits, or in GNU's binary form."""
    if digits[:1] in (b"\x80", b"\xff"):
        value = int.from_bytes(digits[1:], "big", signed=digits[:1] == b"\xff")
    else:
        text = digits.partition(b"\0")[0].strip()
        if not all(48 <= digit <= 55 for digit in text):
            raise TarError("no header, or a damaged one")
        value = int(text or b"0", 8)
    if value < 0:
        raise TarError(f"a size of {value} bytes")
    return value


def _read_extended(file: BinaryIO, place: int, size: int, end: int) -> bytes:
    if size > MAX_EXTENDED_BYTES:
        raise TarError(f"an extended header of {size} bytes, at most {MAX_EXTENDED_BYTES} are read")
    if place + size > end:
        raise TarError("it breaks off in an extended header")
    return _read(file, place, size)


def _extend(extended: _Extended, kind: bytes, data: bytes) -> None:
    if kind == b"L":
        extended.name = _text(data)
    elif kind == b"K":
        extended.target = _text(data)
    elif kind in b"xX":
        for name, value in _records(data):
            if name == b"path":
                extended.name = value
            elif name == b"linkpath":
                extended.target = value
            elif name == b"size":
                extended.size = _decimal(value)
            elif name.startswith(b"GNU.sparse."):
                extended.sparse[name] = value


def _records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The records of a pax header: a length, a space, a name, `=`, a value, a line end."""
    place = 0
    while place < len(data) and data[place]:
        digits, space, _ = data[place : place + 20].partition(b" ")
        length = _decimal(digits)
        record = data[place : place + length]
        name, equals, value = record[len(digits) + 1 :].partition(b"=")
        if not (space and equals and len(record) == length and record.endswith(b"\n")):
            raise TarError("a damaged extended header")
        yield name, value[:-1].rstrip(b"\0")
        place += length


def _decimal(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 18:
        raise TarError("a damaged extended header")
    return int(digits)


def _check_sparse(file: BinaryIO, sparse: dict[bytes, bytes], data: int, size: int) -> None:
    """Make sure that a sparse file says where its pieces are: else the header itself is damaged."""
    pieces = sparse.get(b"GNU.sparse.map", b"0")
    if sparse.get(b"GNU.sparse.major") == b"1":
        pieces = _read(file, data, min(size, BLOCK)).rstrip(b"\0").rpartition(b"\n")[0]
    if pieces and not _DIGITS.fullmatch(pieces):
        raise TarError("a damaged header of a sparse file")
    if sparse.get(b"GNU.sparse.major") == b"1" and not pieces:
        raise TarError("a damaged header of a sparse file")


def _skip_sparse_map(file: BinaryIO, header: bytes, data: int) -> int:
    more = header[_SPARSE_MORE]
    while more:
        block = _read(file, data, BLOCK)
        if len(block) < BLOCK:
            raise TarError("it breaks off in a header of a sparse file")
        more = block[_SPARSE_MORE_IN_EXTENSION]
        data += BLOCK
    return data


def _skip_zeros(file: BinaryIO, place: int, end: int) -> int:
    """Where the next block begins that is not zeros; `end` where there is none."""
    while place < end:
        block = _read(file, place, _SCAN_BYTES)
        if not block:
            return end
        filled = len(block) - len(block.lstrip(b"\0"))
        if filled < len(block):
            return place + filled - filled % BLOCK
        place += len(block)
    return end


def _read(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(size)


def _text(data: bytes) -> bytes:
    return data.partition(b"\0")[0]


def _padding(size: int) -> int:
    return -size % BLOCK


def _padded(size: int) -> int:
    return size + _padding(size)
