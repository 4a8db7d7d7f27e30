"""Files that are damaged in ways that depend on a seed alone."""

import random

_NUMBERS = (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", bytes(4), b"\x80\x80\x80\x01")
_BLOCK = 512


def mutations(files: list[bytes], count: int, *, seed: int = 0):
    """`count` damaged copies of `files`: bits turned, pieces cut, put in, repeated, exchanged."""
    chance = random.Random(seed)
    for _ in range(count):
        data = bytearray(chance.choice(files))
        for _ in range(chance.choice((1, 1, 2, 6))):
            _damage(data, chance)
        yield bytes(data)


def _damage(data: bytearray, chance: random.Random) -> None:
    if len(data) < 16:
        return
    place, other = chance.randrange(len(data)), chance.randrange(len(data))
    length = chance.choice((1, 2, 8, 64, _BLOCK))
    piece = bytes(data[other : other + length])
    match chance.randrange(7):
        case 0:
            data[place] ^= 1 << chance.randrange(8)
        case 1:
            data[place : place + length] = chance.randbytes(length)
        case 2:
            del data[place : place + length]
        case 3:
            data[place:place] = piece
        case 4:
            data[place : place + length] = piece
        case 5:
            data[place : place + 4] = chance.choice(_NUMBERS)
        case 6:
            del data[max(place, len(data) // 2) :]


def mend_checksums(data: bytes) -> bytes:
    """A damaged tar with the checksums of its headers set right, so that more of it is read."""
    mended = bytearray(data)
    for start in range(0, len(data) - _BLOCK + 1, _BLOCK):
        if mended[start + 257 : start + 262] == b"ustar":
            mended[start + 148 : start + 156] = b" " * 8
            total = sum(mended[start : start + _BLOCK])
            mended[start + 148 : start + 156] = b"%06o\0 " % total
    return bytes(mended)
