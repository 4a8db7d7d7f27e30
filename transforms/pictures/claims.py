"""What a picture file says of itself, read from its bytes before any decoder sees them.

Pillow's readers are safe with sizes, for a picture's pixels are counted first. They are not with
counts: of scans, of frames, of comments and tags that a few bytes can claim to be many. Those are
counted here, in one pass over the file's structure and none over its pixels. Bytes that make no
sense end the count; the decoder then says what is wrong with them.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from transforms.pictures.directories import check_directory, read_tiff_claims
from transforms.pictures.jpeg_claims import read_jpeg_claims
from transforms.pictures.limits import PictureError, PictureLimits
from transforms.pictures.parts import Claims, check_parts, too_much

_MAX_COMPRESSED_CHUNKS = 1000
"""Each can be a megabyte of text or colour profile; real files have a handful."""
_MAX_COMMENT_BYTES = 1_000_000
"""Pillow joins the 255-byte blocks of a comment one by one, which takes the square of the time."""
_COMPRESSED = (b"zTXt", b"iTXt", b"iCCP")
_RLE_PASSES = 10
"""Pillow's reader of run-length BMP is written in Python, that much slower than the others."""


def read_claims(data: bytes, limits: PictureLimits) -> Claims:
    """What `data` claims, within `limits`.

    Raises:
        PictureError: it claims more than `limits` let in, or more than any picture needs.
    """
    claims = _read(data, limits)
    if claims.pixels > limits.max_pixels:
        raise PictureError(
            "too_many_pixels",
            f"the header claims {claims.pixels} pixels, at most {limits.max_pixels} are decoded",
        )
    if claims.scans > limits.max_scans:
        raise PictureError(
            "too_many_scans", f"{claims.scans} scans, at most {limits.max_scans} are decoded"
        )
    if claims.frames > limits.max_frames:
        raise PictureError(
            "too_many_frames", f"more than {limits.max_frames} frames, the first would be read"
        )
    return claims


def _read(data: bytes, limits: PictureLimits) -> Claims:
    if data.startswith(b"\xff\xd8\xff"):
        return read_jpeg_claims(data, limits.max_scans)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _read_png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _read_webp(data)
    if data[:4] == b"GIF8":
        return _read_gif(data, limits.max_frames)
    if data[:2] in (b"II", b"MM"):
        return read_tiff_claims(data, limits.max_frames)
    if data[:2] == b"BM":
        return Claims(passes=_RLE_PASSES if data[30:31] in (b"\x01", b"\x02") else 1)
    return Claims()


@dataclass(frozen=True)
class _Chunk:
    kind: bytes
    start: int
    size: int


def _chunks(data: bytes, *, start: int, layout: str, extra: int, even: int) -> Iterator[_Chunk]:
    """The chunks from `start` on; each has a head of 8 bytes and `extra` bytes behind its body."""
    count = 0
    head = struct.Struct(layout)
    sizes_first = layout == ">I4s"
    while start + 8 <= len(data):
        first, second = head.unpack_from(data, start)
        size, kind = (first, second) if sizes_first else (second, first)
        count += 1
        check_parts(count, "chunks")
        yield _Chunk(kind, start + 8, size)
        start += 8 + size + extra + (size & even)


def _read_png(data: bytes) -> Claims:
    compressed, frames = 0, 1
    for chunk in _chunks(data, start=8, layout=">I4s", extra=4, even=0):
        if chunk.kind in _COMPRESSED:
            compressed += 1
            if compressed > _MAX_COMPRESSED_CHUNKS:
                raise too_much(f"more than {_MAX_COMPRESSED_CHUNKS} compressed texts and profiles")
        elif chunk.kind == b"eXIf":
            check_directory(data[chunk.start : chunk.start + chunk.size])
        elif chunk.kind == b"acTL":
            frames = int.from_bytes(data[chunk.start : chunk.start + 4], "big")
        elif chunk.kind == b"IEND":
            break
    return Claims(frames=max(1, frames))


def _read_webp(data: bytes) -> Claims:
    """Frames, and the size of the canvas: libwebp makes room for it as soon as it opens a file."""
    frames, pixels = 0, 0
    for chunk in _chunks(data, start=12, layout="<4sI", extra=0, even=1):
        if chunk.kind == b"ANMF":
            frames += 1
        elif chunk.kind in _WEBP_SIZES:
            body = data[chunk.start : chunk.start + 10]
            pixels = max(pixels, _WEBP_SIZES[chunk.kind](body.ljust(10, b"\0")))
        elif chunk.kind == b"EXIF":
            check_directory(data[chunk.start : chunk.start + chunk.size])
    return Claims(frames=max(1, frames), pixels=pixels)


def _canvas_pixels(body: bytes) -> int:
    width, height = int.from_bytes(body[4:7], "little"), int.from_bytes(body[7:10], "little")
    return (width + 1) * (height + 1)


def _lossy_pixels(body: bytes) -> int:
    width, height = struct.unpack_from("<HH", body, 6)
    return int((width & 0x3FFF) * (height & 0x3FFF))


def _lossless_pixels(body: bytes) -> int:
    bits = int.from_bytes(body[1:5], "little")
    return ((bits & 0x3FFF) + 1) * ((bits >> 14 & 0x3FFF) + 1)


_WEBP_SIZES = {b"VP8X": _canvas_pixels, b"VP8 ": _lossy_pixels, b"VP8L": _lossless_pixels}


def _read_gif(data: bytes, max_frames: int) -> Claims:
    """Frames, counted up to one more than `max_frames`."""
    frames = parts = comments = 0
    place = 13 + _colours(data, 10)
    while place < len(data) and frames <= max_frames:
        parts += 1
        check_parts(parts, "blocks")
        kind = data[place]
        if kind == 0x2C:  # a frame: its place and flags, its colours, the least code size, blocks
            frames += 1
            place = _after_blocks(data, place + 11 + _colours(data, place + 9))
        elif kind == 0x21:
            begin, place = place, _after_extension(data, place)
            if data[begin + 1 : begin + 2] == b"\xfe" and frames == 0:
                comments += place - begin
            if comments > _MAX_COMMENT_BYTES:
                raise too_much(f"comments of {comments} bytes")
        elif kind == 0x3B:
            break
        else:
            place += 1
    return Claims(frames=max(1, frames))


def _after_extension(data: bytes, place: int) -> int:
    """Where Pillow goes on after an extension: it takes an empty first block for no end."""
    comment = data[place + 1 : place + 2] == b"\xfe"
    place += 2
    if comment:
        return _after_blocks(data, place)
    if data[place + 1 : place + 12] == b"NETSCAPE2.0":
        place += 1 + data[place]
    if place < len(data):
        place += 1 + data[place]
    return _after_blocks(data, place)


def _colours(data: bytes, flags_at: int) -> int:
    """Bytes of the colour table that the flags at a place announce."""
    flags = data[flags_at] if flags_at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, place: int) -> int:
    """Where a row of blocks, each led by its size and ended by an empty one, is over."""
    while place < len(data) and data[place]:
        place += 1 + data[place]
    return place + 1
