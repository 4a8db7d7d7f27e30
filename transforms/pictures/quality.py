"""What can be told of a picture from its pixels alone: how sharp, how empty, how like print."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

_LONGER_SIDE = 512
"""Pictures are looked at at this size at most, so that the numbers do not grow with the camera."""
_BLOCK = 8
_BLANK_RANGE, _INK_RANGE = 24, 96
"""Of luma from 0 to 255: a block that spans less is blank, one that spans more can be print."""
_TWO_TONED = 0.65
_LEAST_INK = 0.02

Luma = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PictureQuality:
    """What pixels tell. `width` and `height` in pixels, `aspect` the longer side over the shorter.

    `sharpness` is the variance of the Laplacian of luma, in levels of 255 squared (Pech-Pacheco et
    al. 2000): a blurred picture has little. `flat` in [0, 1] is the share of the most common of 512
    colours, 1 for a picture of one colour. `text` in [0, 1] is the share of what is not blank that
    is of two tones as print is: near 1 where there is nothing but text.
    """

    width: int
    height: int
    aspect: float
    sharpness: float
    flat: float
    text: float


def picture_quality(image: Image.Image) -> PictureQuality:
    """Looks at `image`, mode RGB.

    >>> from PIL import Image
    >>> quality = picture_quality(Image.new("RGB", (80, 40), "white"))
    >>> quality.aspect, quality.sharpness, quality.flat, quality.text
    (2.0, 0.0, 1.0, 0.0)
    """
    width, height = image.size
    small = image.convert("RGB")
    small.thumbnail((_LONGER_SIDE, _LONGER_SIDE), Image.Resampling.BOX)
    luma = np.asarray(small.convert("L"), np.float32)
    return PictureQuality(
        width=width,
        height=height,
        aspect=max(width, height) / min(width, height),
        sharpness=_sharpness(luma),
        flat=_flat(np.asarray(small)),
        text=_text(luma),
    )


def _sharpness(luma: Luma) -> float:
    if min(luma.shape) < 3:
        return 0.0
    inner = luma[1:-1, 1:-1]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return float(np.var(around - 4 * inner, dtype=np.float64))


def _flat(pixels: npt.NDArray[np.uint8]) -> float:
    levels = (pixels >> 5).reshape(-1, 3).astype(np.int64)
    colours = levels[:, 0] * 64 + levels[:, 1] * 8 + levels[:, 2]
    return float(np.bincount(colours).max() / len(colours))


def _text(luma: Luma) -> float:
    """Share of the blocks with something in them that are of two far tones and little between."""
    rows, columns = (side // _BLOCK for side in luma.shape)
    if rows == 0 or columns == 0:
        return 0.0
    blocks = luma[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    flat = blocks.transpose(0, 2, 1, 3).reshape(rows * columns, _BLOCK * _BLOCK)
    dark, light = flat.min(axis=1), flat.max(axis=1)
    span = light - dark
    edge = span[:, None] / 4
    toned = (flat <= dark[:, None] + edge) | (flat >= light[:, None] - edge)
    ink = (span >= _INK_RANGE) & (toned.mean(axis=1) >= _TWO_TONED)
    filled = span >= _BLANK_RANGE
    if ink.mean() < _LEAST_INK:
        return 0.0
    return float((ink & filled).sum() / filled.sum())
