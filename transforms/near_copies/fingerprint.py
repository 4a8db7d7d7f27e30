"""The perceptual hash of a picture: alike for pictures that look alike, whatever their bytes."""

import numpy as np
import numpy.typing as npt
from PIL import Image

FINGERPRINT_BYTES = 32
_SIDE = 16
_WORD = np.dtype("<u8")

Fingerprints = npt.NDArray[np.uint8]
"""One row of `FINGERPRINT_BYTES` a picture."""


def fingerprint(image: Image.Image) -> bytes:
    """The 256 bits of `image` by which near-copies are found: ImageHash's pHash, 16 x 16.

    The picture's luma, shrunk to 64 x 64, goes through a cosine transform; a bit says whether one
    of the 16 x 16 slowest waves is above their median (Zauner 2010, section 3.2.1). New
    compression, another size and another brightness turn few of them; two pictures that have
    nothing in common differ in about 128.

    >>> from PIL import Image, ImageDraw
    >>> picture = Image.new("RGB", (96, 96), "white")
    >>> ImageDraw.Draw(picture).ellipse([20, 30, 70, 80], fill="red")
    >>> other = picture.transpose(Image.Transpose.ROTATE_90)
    >>> count_bits(fingerprint(picture), fingerprint(picture.resize((64, 64)))) < 20
    True
    >>> count_bits(fingerprint(picture), fingerprint(other)) > 60
    True
    """
    import imagehash  # brings SciPy: half a second that few commands need

    bits = imagehash.phash(image, hash_size=_SIDE).hash
    return np.packbits(bits.ravel()).tobytes()


def count_bits(first: bytes, second: bytes) -> int:
    """In how many bits two fingerprints differ, in [0, 256]."""
    return int.from_bytes(
        bytes(one ^ other for one, other in zip(first, second, strict=True)), "big"
    ).bit_count()


def as_words(fingerprints: Fingerprints) -> npt.NDArray[np.uint64]:
    """Fingerprints uint8 (n, 32) as uint64 (n, 4), without a copy where they lie in one piece."""
    return np.ascontiguousarray(fingerprints).view(_WORD)


def count_all_bits(
    first: npt.NDArray[np.uint64], second: npt.NDArray[np.uint64]
) -> npt.NDArray[np.int64]:
    """In how many bits the fingerprints differ row by row, of words (n, 4): int64 (n,)."""
    found: npt.NDArray[np.int64] = np.bitwise_count(first ^ second).sum(axis=1, dtype=np.int64)
    return found
