"""Pictures small enough to put into the page itself, as data addresses."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from transforms.dataset.reader import (
    PSEUDO_TARGET_IMAGE,
    SOURCE_IMAGE,
    decode_picture,
    decode_row_mask,
)
from transforms.dataset.tables import DatasetError
from transforms.pictures.contact_sheet import RGB
from transforms.pictures.limits import STORED_LIMITS, PictureLimits
from transforms.pictures.overlay import SMALL_SIDE

# Above this side a picture is scaled down.
LARGEST_SIDE = 224
JPEG_QUALITY = 82

SOURCE_COLOUR: RGB = (214, 84, 40)
TARGET_COLOUR: RGB = (20, 132, 150)
_PICTURE_COLUMNS = {"source": SOURCE_IMAGE, "target": PSEUDO_TARGET_IMAGE}


@dataclass(frozen=True)
class PagePicture:
    """A picture as the page holds it: a data address, its size in pixels, and how to enlarge it."""

    address: str
    width: int
    height: int
    pixelated: bool


def open_side(
    row: Mapping[str, Any], side: str, limits: PictureLimits = STORED_LIMITS
) -> tuple[Image.Image | None, Image.Image | None]:
    """The picture of the `side` (source or target) of a pair, and its mask.

    `row` is one of the pairs, `limits` are those of its data set. None stands for what is not there
    or cannot be decoded.
    """
    column = _PICTURE_COLUMNS[side]
    try:
        picture = decode_picture(row, column, limits)
    except DatasetError:
        return None, None
    try:
        return picture, decode_row_mask(row, f"{side}_mask", picture.size)
    except DatasetError:
        return picture, None


def mask_as_array(mask: Image.Image, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """A mask (mode L) as booleans, shape (height, width), brought to `size` (width, height)."""
    return np.asarray(mask.resize(size, Image.Resampling.NEAREST)) >= 128


def scale_down(image: Image.Image, side: int = LARGEST_SIDE) -> Image.Image:
    """`image` with its longer side at most `side` pixels; a smaller one as it is."""
    if max(image.size) <= side:
        return image
    factor = side / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS)


def put_on_page(image: Image.Image) -> PagePicture:
    """`image` for the page: small ones as PNG, pixel for pixel; others as JPEG."""
    buffer = io.BytesIO()
    pixelated = max(image.size) <= 2 * SMALL_SIDE
    if pixelated:
        image.save(buffer, "PNG")
    else:
        image.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    kind = "png" if pixelated else "jpeg"
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return PagePicture(f"data:image/{kind};base64,{data}", image.width, image.height, pixelated)
