"""Masks of pictures: made of a segmenter's relevance, and read again from their files."""

import struct

import numpy as np
import numpy.typing as npt
from PIL import Image

from indexes.errors import PairloomError
from transforms.pictures.decoding import PictureError, decode, encode_png
from transforms.pictures.limits import STORED_LIMITS
from transforms.protocols import Vectors
from transforms.record import Mask
from transforms.resizing import resize_cheaply

THRESHOLD = 0.5
_PNG_START = b"\x89PNG\r\n\x1a\n"
_SIZE, _BIT_DEPTH, _COLOUR_TYPE = 16, 24, 25  # offsets in a PNG file
_GREY = 0


class MaskError(PairloomError):
    """Bytes that are not the mask of a picture, in one line that names the value and the rule."""


def mark_region(
    relevance: Vectors, size: tuple[int, int], *, threshold: float = THRESHOLD
) -> npt.NDArray[np.uint8]:
    """The region of a picture of `size` (width, height) that a relevance map marks, 0 or 255.

    Relevance [h, w] in [0, 1] is cut at the network's own size, and the cut, 0 or 1, is resized
    bilinearly and cut again at a half. A smooth map resized first would round off small things.

    Raises:
        ValueError: a threshold outside (0, 1).
    """
    if not 0 < threshold < 1:
        raise ValueError(f"threshold must be in (0, 1), got {threshold}")
    marked = relevance > threshold
    if size != (marked.shape[1], marked.shape[0]):
        soft = resize_cheaply(
            Image.fromarray(marked.astype(np.float32)), size, Image.Resampling.BILINEAR
        )
        marked = np.asarray(soft) > 0.5
    return np.where(marked, np.uint8(255), np.uint8(0))


def mask_from_relevance(
    relevance: Vectors, size: tuple[int, int], *, threshold: float = THRESHOLD
) -> Mask:
    """`mark_region` as a mask, with its share of the picture and how sure the segmenter was."""
    region = mark_region(relevance, size, threshold=threshold)
    area = float((region > 0).mean())
    marked = relevance > threshold
    return Mask(
        png=encode_png(region),
        area=area,
        confidence=float(relevance[marked].mean(dtype=np.float64)) if area else 0.0,
    )


def decode_mask(data: bytes, size: tuple[int, int]) -> Image.Image:
    """The mask in `data`, of a picture of `size` (width, height): mode L, 255 inside, 0 outside.

    Kind and size are read from the first bytes, so that a mask of another size costs nothing.

    Raises:
        MaskError: it is no PNG with one channel of at most 8 bits, has another size, or does not
            decode.
    """
    if data.startswith(_PNG_START) and len(data) > _COLOUR_TYPE:
        claimed = struct.unpack_from(">II", data, _SIZE)
        colour_type, bits = data[_COLOUR_TYPE], data[_BIT_DEPTH]
        if colour_type != _GREY or bits > 8:
            raise MaskError(
                "mask must be a single-channel PNG of at most 8 bits, "
                f"got colour type {colour_type} and {bits} bits"
            )
        if claimed != size:
            raise MaskError(f"mask must be of size {size}, its picture's, got {claimed}")
    try:
        image = decode(data, STORED_LIMITS, formats=("PNG",))
    except PictureError as error:
        if error.reason == "unsupported_format":
            raise MaskError("mask must be a single-channel PNG, got another format") from error
        raise MaskError(f"mask cannot be decoded: {error}") from error
    if image.size != size:  # turned, by what its EXIF data say
        raise MaskError(f"mask must be of size {size}, its picture's, got {image.size}")
    return image.convert("L")
