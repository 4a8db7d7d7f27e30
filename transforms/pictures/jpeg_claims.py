"""What a JPEG file claims: its scans, and the tags it carries."""

import re

from transforms.pictures.directories import check_directory
from transforms.pictures.parts import Claims, check_parts, too_much

_WITHOUT_LENGTH = frozenset({0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})
_START_OF_SCAN, _END = 0xDA, 0xD9
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})
_EXIF, _MPF = b"Exif\0\0", b"MPF\0"
_MAX_EXIF_SEGMENTS = 64
"""Pillow joins them one by one, which takes the square of the time; one is usual."""
# Within coded pixels FF is followed by 0 or is a restart marker, so this finds what follows a scan.
_NEXT_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")


def read_jpeg_claims(data: bytes, max_scans: int) -> Claims:
    """The scans of a JPEG file, counted up to one more than `max_scans`.

    Raises:
        PictureError: its segments or tags are out of proportion.
    """
    first, frames = _read_head(data)
    if _has_one_scan(data[first : first + 5], frames):
        return Claims()
    # An upper bound that costs next to nothing: previews and profiles have these bytes too.
    passes = scans = max(1, data.count(b"\xff\xda"))
    if scans > max_scans:
        scans = _count_scans(data, first, max_scans)
    return Claims(scans=scans, passes=passes)


def _has_one_scan(scan: bytes, frames: list[tuple[int, int]]) -> bool:
    """Whether decoders stop after the first scan: it is of a sequential picture, and of all of it.

    `scan` is the head of the first scan, `frames` the kind and the number of colours of each frame.
    """
    kinds = {kind for kind, _ in frames}
    colours = {colours for _, colours in frames}
    return (
        len(scan) == 5
        and scan[1] == _START_OF_SCAN
        and kinds <= _SEQUENTIAL
        and (colours == {scan[4]})
    )


def _read_head(data: bytes) -> tuple[int, list[tuple[int, int]]]:
    """Where the first scan begins, as Pillow's own walk over the segments finds it.

    With it, of each start of a frame its code and how many colours it has.
    """
    frames: list[tuple[int, int]] = []
    place, parts, segments, exif = 2, 0, 0, b""
    while place + 4 <= len(data):
        parts += 1
        check_parts(parts, "segments")
        code = data[place + 1]
        if data[place] != 0xFF or code == 0xFF:  # filling or rubbish, which is passed over
            place += 1
        elif code == 0 or code in _WITHOUT_LENGTH:
            place += 2
        elif code < 0xC0 or code == _START_OF_SCAN:
            break
        else:
            size = max(2, int.from_bytes(data[place + 2 : place + 4], "big"))
            body = data[place + 4 : place + 2 + size]
            if code == 0xE1 and body.startswith(_EXIF):
                segments += 1
                if segments > _MAX_EXIF_SEGMENTS:
                    raise too_much(f"more than {_MAX_EXIF_SEGMENTS} EXIF segments")
                exif += body[len(_EXIF) :] if exif else body
            elif code in _FRAMES:
                frames.append((code, body[5] if len(body) > 5 else 0))
            elif code == 0xE2 and body.startswith(_MPF):
                check_directory(body[len(_MPF) :])
            place += 2 + size
    check_directory(exif)
    return place, frames


def _count_scans(data: bytes, place: int, most: int) -> int:
    """Start-of-scan markers from `place` to the end of the picture, up to one more than `most`."""
    scans = markers = 0
    while scans <= most and (match := _NEXT_MARKER.search(data, place)):
        markers += 1
        check_parts(markers, "segments")
        code = match[1][0]
        if code == _END:
            break
        scans += code == _START_OF_SCAN
        size = int.from_bytes(data[match.end() : match.end() + 2], "big")
        place = match.end() + (0 if code == 1 else max(2, size))
    return max(1, scans)
