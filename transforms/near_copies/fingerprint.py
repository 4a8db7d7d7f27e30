"""The perceptual hash of a picture: alike for pictures that look alike, whatever their bytes."""

import numpy as np
import numpy.typing as npt
from PIL import Image

VIEW_BYTES = 32
CROPS = (0.035, 0.06)
"""The shares of width and height that cropped views lack."""
_EDGES = (
    *((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0)),
    *((1.0, 1.0, 0.0, 0.0), (0.0, 1.0, 1.0, 0.0), (1.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 1.0)),
    (0.5, 0.5, 0.5, 0.5),
)
"""What a view lacks at the left, top, right and bottom, in parts of one of `CROPS`."""
_VIEWS = ((0.0,) * 4, *(tuple(crop * part for part in edge) for crop in CROPS for edge in _EDGES))
"""The whole picture, and each view, in shares of width and height."""
VIEWS = len(_VIEWS)
FINGERPRINT_BYTES = VIEWS * VIEW_BYTES
_SIDE = 16
_SHRUNK = 4 * _SIDE
_WORDS = VIEW_BYTES // 8
_WORD = np.dtype("<u8")

Fingerprints = npt.NDArray[np.uint8]
"""One row of `FINGERPRINT_BYTES` a picture."""
Words = npt.NDArray[np.uint64]
"""Fingerprints as words: (n, `VIEWS`, 4)."""


def fingerprint(image: Image.Image) -> bytes:
    """What near-copies of `image` are found by: 256 bits of it, and of 18 cropped views.

    The bits are ImageHash's pHash: luma, shrunk to 64 x 64, goes through a cosine transform, and a
    bit says whether one of the 16 x 16 slowest waves is above their median (Zauner 2010, section
    3.2.1). New compression, another size and another brightness turn few of them, and pictures that
    have nothing in common differ in about 128; but a crop of a twentieth turns as many as 100. So
    the bits of the picture without 3.5 and 6 % at each side, at each corner and all around are kept
    as well: a copy that was cropped is like one of these.

    >>> from PIL import Image, ImageDraw
    >>> picture = Image.new("RGB", (96, 96), "white")
    >>> ImageDraw.Draw(picture).ellipse([20, 30, 70, 80], fill="red")
    >>> other = picture.transpose(Image.Transpose.ROTATE_90)
    >>> count_bits(fingerprint(picture), fingerprint(picture.crop((4, 4, 96, 96)))) < 20
    True
    >>> count_bits(fingerprint(picture), fingerprint(other)) > 40
    True
    """
    import imagehash  # brings SciPy: half a second that few commands need

    luma = image.convert("L")
    width, height = luma.size
    views = []
    for left, top, right, bottom in _VIEWS:
        box = (left * width, top * height, width * (1 - right), height * (1 - bottom))
        small = luma.resize((_SHRUNK, _SHRUNK), Image.Resampling.LANCZOS, box=box)
        views.append(np.packbits(imagehash.phash(small, hash_size=_SIDE).hash.ravel()))
    return np.concatenate(views).tobytes()


def as_words(fingerprints: Fingerprints) -> Words:
    """Fingerprints uint8 (n, `FINGERPRINT_BYTES`) as words, without a copy where they are whole."""
    whole = np.ascontiguousarray(fingerprints)
    words: Words = whole.view(_WORD).reshape(len(whole), VIEWS, _WORDS)
    return words


def count_bits(first: bytes, second: bytes) -> int:
    """In how many of 256 bits two fingerprints differ; see `count_all_bits`."""
    one, other = (as_words(np.frombuffer(each, np.uint8)[None]) for each in (first, second))
    return int(count_all_bits(one, other)[0])


def count_all_bits(first: Words, second: Words) -> npt.NDArray[np.int64]:
    """In how many of 256 bits fingerprints differ, row by row: int64 (n,).

    The least of the differences of one whole picture and any view of the other.
    """
    differences = [
        np.bitwise_count(whole[:, :1] ^ views).sum(axis=2, dtype=np.int64).min(axis=1)
        for whole, views in ((first, second), (second, first))
    ]
    found: npt.NDArray[np.int64] = np.minimum(*differences)
    return found
