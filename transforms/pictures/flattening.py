"""Pixels of any kind as the pipeline's: RGB or grey of 8 bits, upright, nothing transparent.

What needs more room than the picture itself is done in strips.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from transforms.pictures.limits import PictureError

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture upright, by its EXIF orientation; 1 is upright."""

_STRIP_PIXELS = 1 << 20


def flatten(image: Image.Image, orientation: int) -> Image.Image:
    """`image` in mode L or RGB, turned upright; the very same object where it is so already.

    Grey of 16 bits, in [0, 65535], becomes grey of 8; what is transparent lies on white.

    Raises:
        PictureError: `unsupported_depth`, values without an agreed range.
    """
    if orientation != 1:
        image = image.transpose(UPRIGHT[orientation])
    if image.mode.startswith("I"):
        return _in_strips(image, "L", _from_16_bit)
    if image.mode == "F":
        raise PictureError("unsupported_depth", "floating-point pixels have no agreed range")
    if image.has_transparency_data:
        return _in_strips(image, "RGB", _on_white)
    mode = "L" if image.mode in ("1", "L") else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _in_strips(
    image: Image.Image, mode: str, convert: Callable[[Image.Image], Image.Image]
) -> Image.Image:
    """`convert` applied to runs of rows, so that its own room does not grow with the picture."""
    result = Image.new(mode, image.size)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(top + rows, image.height))
        result.paste(convert(image.crop(box)), box)
    return result


def _on_white(strip: Image.Image) -> Image.Image:
    layer = strip.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _from_16_bit(strip: Image.Image) -> Image.Image:
    values = np.asarray(strip)
    if values.min() < 0 or values.max() > 65535:
        raise PictureError("unsupported_depth", "grey values beyond 16 bits have no agreed range")
    # The nearest of 0 to 255 to value / 257; there are no ties, for 257 is odd.
    return Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))
