"""Copies of a picture as the web makes them: twenty kinds, in six families."""

import io
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

CopyOf = Callable[[Image.Image, np.random.Generator], Image.Image]


def recompress(image: Image.Image, random: np.random.Generator, *, quality: int) -> Image.Image:
    """Through JPEG of that quality and back."""
    del random
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality)
    return Image.open(data, formats=["JPEG"]).convert("RGB")


def crop(image: Image.Image, random: np.random.Generator, *, sides: str) -> Image.Image:
    """Without 3 to 7 % of its width and height, taken off at some `sides` (of `ltrb`).

    What is left stays as it is, in whole pixels; of two opposite sides each loses its part.
    """
    cut = {
        side: round(random.uniform(0.03, 0.07) * (image.width if side in "lr" else image.height))
        for side in sides
    }
    for one, other in ("lr", "tb"):
        if one in cut and other in cut:
            cut[one] = int(random.integers(0, cut[other] + 1))
            cut[other] -= cut[one]
    return image.crop(
        (
            cut.get("l", 0),
            cut.get("t", 0),
            image.width - cut.get("r", 0),
            image.height - cut.get("b", 0),
        )
    )


def scale(image: Image.Image, random: np.random.Generator, *, factor: float) -> Image.Image:
    """Of another size."""
    del random
    size = tuple(round(side * factor) for side in image.size)
    return image.resize((size[0], size[1]), Image.Resampling.LANCZOS)


def enhance(
    image: Image.Image, random: np.random.Generator, *, how: str, factor: float
) -> Image.Image:
    """Brighter, darker, or with other contrast or colours."""
    del random
    tools = {
        "brightness": ImageEnhance.Brightness,
        "contrast": ImageEnhance.Contrast,
        "colour": ImageEnhance.Color,
    }
    return tools[how](image).enhance(factor)


def shift_hue(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """All hues turned by a twelfth to a sixth of the circle, either way."""
    hue, saturation, value = image.convert("HSV").split()
    turn = int(random.integers(21, 43)) * (1 if random.random() < 0.5 else -1)
    turned = hue.point([(level + turn) % 256 for level in range(256)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


def mirror(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Left and right exchanged."""
    del random
    return ImageOps.mirror(image)


def flip(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Upside down."""
    del random
    return ImageOps.flip(image)


def frame(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """With a white frame of a twentieth of its width."""
    del random
    return ImageOps.expand(image, border=max(1, image.width // 20), fill="white")


FAMILIES: Mapping[str, Mapping[str, CopyOf]] = {
    "recompressed": {
        f"JPEG {quality}": partial(recompress, quality=quality) for quality in (90, 75, 50, 30)
    },
    "cropped 5 %": {
        "left": partial(crop, sides="l"),
        "top": partial(crop, sides="t"),
        "a corner": partial(crop, sides="rb"),
        "all around": partial(crop, sides="ltrb"),
    },
    "resized": {f"x {factor:g}": partial(scale, factor=factor) for factor in (0.5, 0.75, 1.5, 3.0)},
    "recoloured": {
        "brighter": partial(enhance, how="brightness", factor=1.25),
        "darker": partial(enhance, how="brightness", factor=0.75),
        "more contrast": partial(enhance, how="contrast", factor=1.3),
        "grey": partial(enhance, how="colour", factor=0.0),
        "other hues": shift_hue,
    },
    "mirrored": {"left to right": mirror, "upside down": flip},
    "framed": {"white": frame},
}
"""The kinds by family; the first three families are those that must be found."""

MUST_BE_FOUND = ("recompressed", "cropped 5 %", "resized")
KINDS = tuple((family, kind) for family, kinds in FAMILIES.items() for kind in kinds)
