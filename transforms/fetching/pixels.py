"""How large a picture says it is, to decide how many are decoded at a time.

Nothing is refused by this: the decoder looks for itself. It is only a matter of memory, so that
a format or a file that is not understood counts as the largest there can be.
"""

import struct

_STARTS_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def count_pixels(head: bytes) -> int | None:
    """Pixels of the picture that begins with `head`; None if that does not tell."""
    try:
        width, height = _read_size(head)
    except (struct.error, LookupError, ValueError):
        return None
    return width * height or None


def _read_size(head: bytes) -> tuple[int, ...]:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return struct.unpack_from(">II", head, 16)
    if head.startswith(b"\xff\xd8"):
        return _read_jpeg_size(head)
    if head.startswith(b"GIF8"):
        return struct.unpack_from("<HH", head, 6)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _read_webp_size(head)
    raise ValueError("not one of the usual formats")


def _read_jpeg_size(head: bytes) -> tuple[int, ...]:
    """From the first start of a frame, which may lie behind other segments."""
    place = 2
    while head[place] == 0xFF:
        marker = head[place + 1]
        if marker in _STARTS_OF_FRAME:
            return struct.unpack_from(">HH", head, place + 5)
        (length,) = struct.unpack_from(">H", head, place + 2)
        place += 2 + max(length, 2)
    raise ValueError("no JPEG segment where one should be")


def _read_webp_size(head: bytes) -> tuple[int, int]:
    kind = head[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X" and len(head) >= 30:
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    raise ValueError("not a WebP chunk that says a size")
