"""A region shown in its picture: what lies outside is veiled, and its outline drawn."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from transforms.pictures.contact_sheet import RGB

SMALL_SIDE = 96
"""Up to this side a picture is doubled first, so that an outline is finer than its pixels."""

_VEIL: RGB = (246, 244, 240)
_VEIL_STRENGTH = 0.72


def overlay(image: Image.Image, mask: npt.NDArray[np.bool_], colour: RGB) -> Image.Image:
    """`image` with all but the masked part veiled, and the part's outline drawn in `colour`.

    A small picture comes back twice as large.
    """
    if max(image.size) <= SMALL_SIDE:
        image = image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST)
        mask = mask.repeat(2, axis=0).repeat(2, axis=1)
    pixels = np.asarray(image, np.float32)
    grey = pixels.mean(axis=2, keepdims=True)
    veiled = (1 - _VEIL_STRENGTH) * grey + _VEIL_STRENGTH * np.array(_VEIL, np.float32)
    result = np.where(mask[..., None], pixels, veiled)
    result[outline(mask)] = colour
    return Image.fromarray(result.round().astype(np.uint8))


def outline(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The points just outside `mask` that touch it, and its points on the picture's border."""
    grown = np.asarray(
        Image.fromarray(mask.astype(np.uint8) * 255).filter(ImageFilter.MaxFilter(3))
    )
    edge = (grown > 0) & ~mask
    border = np.ones_like(mask)
    border[1:-1, 1:-1] = False
    return edge | (mask & border)
