"""Pictures of noise: no two alike, and the same again for the same seed."""

import io

import numpy as np
from PIL import Image


def noise(seed: int, size: tuple[int, int] = (32, 32)) -> Image.Image:
    """An RGB picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(
    picture: Image.Image | np.ndarray, file_format: str = "PNG", **options: object
) -> bytes:
    """The file of a picture or of its pixels."""
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def picture_bytes(
    seed: int,
    *,
    mode: str = "RGB",
    file_format: str = "PNG",
    size: tuple[int, int] = (32, 32),
) -> bytes:
    """The file of a picture of noise."""
    return encoded(noise(seed, size).convert(mode), file_format)


def pixels(path):
    """The pixels of the picture in a file, RGB."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
