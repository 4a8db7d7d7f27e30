"""Masks that a person gives, in every mode, depth, palette, colour and alpha that files come in.

One rule for all, told in docs/editing.md: what is bright, coloured, labelled or painted may change;
what is black, or bare canvas, stays. A file that can be read in two ways is an error.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from editing.errors import EditError
from transforms.pictures.decoding import FORMATS, PictureError, decode
from transforms.pictures.opening import open_picture

Marks = npt.NDArray[np.bool_]
Values = npt.NDArray[Any]

_LOSSY = ("JPEG", "MPO", "WEBP")
_FEW_LEVELS = 32
"""Labels are few; the greys of a soft edge or of JPEG's noise are many."""
_FEW_COLOURS = 64
_LEAST_ALPHA_RANGE = 16
_GREY_TOLERANCE = 16
"""How far the channels of a grey may lie apart, as JPEG leaves them."""
_HINT = "give a mask that is white where the picture may change, and black elsewhere"


def read_mask(data: bytes, size: tuple[int, int]) -> Image.Image:
    """The mask in the file `data` of a picture of `size` (width, height): mode L.

    Brighter than half is where the picture may change. A grey mask of 8 or 16 bits that has
    anything above half keeps its soft edges; every other comes as 0 and 255.

    Raises:
        PictureError: it is no picture that can be read.
        EditError: it has several frames or another size, marks nothing, or can be read in two ways.
    """
    image, lossy = open_upright(data)
    if image.size != size:
        raise EditError(
            f"edit_mask must have the picture's size {size[0]} x {size[1]}, "
            f"got {image.size[0]} x {image.size[1]}"
        )
    mask = _read(image, lossy=lossy)
    if not (np.asarray(mask) > 127).any():
        raise EditError(f"the mask is empty, so that nothing could change: {_HINT}")
    return mask


def open_upright(
    data: bytes, *, what: str = "mask", hint: str = f": {_HINT}"
) -> tuple[Image.Image, bool]:
    """The only frame in its own mode, and whether its format leaves noise.

    `what` it is of and a `hint` stand in the error of a file that has several.

    Raises:
        PictureError: it is no picture that can be read.
        EditError: it has several frames.
    """
    try:
        decode(data)  # what is broken, too large or no picture is told there
    except PictureError as error:
        if error.reason != "unsupported_depth":  # of the sources of data sets, not of masks
            raise
    image = open_picture(data, FORMATS)
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise EditError(f"a {what} must have one frame, got {frames}{hint}")
    image.load()
    lossy = image.format in _LOSSY
    try:
        return ImageOps.exif_transpose(image), lossy
    except (OSError, ValueError, TypeError, LookupError, SyntaxError, ArithmeticError):
        return image, lossy  # as viewers show a picture whose EXIF data are damaged


def _read(image: Image.Image, *, lossy: bool) -> Image.Image:
    alpha = _shape_of_alpha(image)
    if alpha is not None:
        return _picture(_marked_by_alpha(image, alpha))
    if image.mode == "F" or image.mode.startswith("I"):
        return _read_numbers(np.asarray(image), lossy=lossy)
    if image.mode == "P":
        image = _without_palette(image)
    if image.mode in ("1", "L", "LA"):
        return _read_grey(image.convert("L"), lossy=lossy)
    colours = np.asarray(image.convert("RGB"))
    if int((colours.max(2) - colours.min(2)).max()) <= _GREY_TOLERANCE:
        return _read_grey(image.convert("RGB").convert("L"), lossy=lossy)
    return _picture(_marked_by_colour(colours, lossy=lossy))


def _picture(marked: Marks) -> Image.Image:
    return Image.fromarray(np.where(marked, np.uint8(255), np.uint8(0)))


def _shape_of_alpha(image: Image.Image) -> Marks | None:
    """Where the picture is opaque; None where its transparency shows no shape."""
    if not image.has_transparency_data:
        return None
    alpha = np.asarray(image.convert("RGBA").getchannel("A")).astype(np.int64)
    low, high = int(alpha.min()), int(alpha.max())
    return None if high - low < _LEAST_ALPHA_RANGE else alpha * 2 > low + high


def _marked_by_alpha(image: Image.Image, opaque: Marks) -> Marks:
    """Paint on a bare canvas marks what it covers; a picture with a hole marks the hole.

    The border tells a canvas from a picture. A sheet of one colour with a hole may be either: what
    was painted around a thing, or what is left where a thing was erased.
    """
    border = np.concatenate([opaque[0], opaque[-1], opaque[:, 0], opaque[:, -1]])
    if border.mean() <= 0.25:
        return opaque
    colours = np.asarray(image.convert("RGBA"))[..., :3][opaque]
    if len(np.unique(_packed(colours))) > _FEW_COLOURS:
        return ~opaque
    raise EditError(
        "the mask's transparency can be read in two ways, as paint around what stays or as a hole "
        f"where the picture may change: {_HINT}"
    )


def _without_palette(image: Image.Image) -> Image.Image:
    """What a palette's indices stand for: greys, colours, or the indices where all look alike."""
    indices = np.asarray(image)
    colours = np.asarray(image.convert("RGB"))
    if len(np.unique(_packed(colours))) == 1 and int(indices.max()) > 0:
        return _picture(indices > 0)
    grey = bool((colours.max(2) == colours.min(2)).all())
    return image.convert("L" if grey else "RGB")


def _marked_by_colour(colours: Values, *, lossy: bool) -> Marks:
    """All that is not black of a few flat colours; else what is brighter than half of the most."""
    value = colours.max(2).astype(np.int64)
    few = not lossy and len(np.unique(_packed(colours))) <= _FEW_COLOURS
    dark = value == 0 if few else value * 8 <= value.max()
    if not dark.any():
        raise EditError(f"a coloured mask must be black where nothing may change: {_HINT}")
    return np.asarray(value > 0 if few else value * 2 > value.max())


def _packed(colours: Values) -> Values:
    """Every colour as one number."""
    red, green, blue = (colours[..., channel].astype(np.int64) for channel in range(3))
    packed: Values = (red << 16) | (green << 8) | blue
    return packed


def _read_grey(image: Image.Image, *, lossy: bool) -> Image.Image:
    return _cut(np.asarray(image), 255, soft=lambda: image, lossy=lossy)


def _read_numbers(values: Values, *, lossy: bool) -> Image.Image:
    """Grey of 16 bits, or of 32 bits or floating point, whose range their largest value tells."""
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all() or numbers.min() < 0:
        raise EditError("the numbers of a mask must be finite and at least 0")
    if values.dtype.itemsize == 2:

        def as_8_bit() -> Image.Image:
            return Image.fromarray(np.rint(numbers / 257).astype(np.uint8))

        return _cut(numbers, 65535, soft=as_8_bit, lossy=lossy)
    top = float(numbers.max())
    full = next((each for each in (1, 255, 65535) if top <= each), top)
    return _cut(numbers, full, soft=lambda: _picture(numbers * 2 > full), lossy=lossy)


def _cut(
    values: Values, full: float, *, soft: Callable[[], Image.Image], lossy: bool
) -> Image.Image:
    """Greys from 0 to `full`: `soft()` where something is above half, else what the levels say."""
    numbers = values.astype(np.float64)
    top = float(numbers.max())
    levels = np.unique(numbers[numbers > 0])
    if top * 2 > full:
        labels = (numbers > 0) & (numbers * 4 < full)
        if not lossy and len(levels) <= _FEW_LEVELS and labels.sum() > (numbers * 2 > full).sum():
            raise EditError(
                "the mask can be read in two ways, as labels or as greys: its values are "
                f"{_listed(levels)}; {_HINT}"
            )
        return soft()
    if top > 0 and float(numbers.min()) > top / 8:
        raise EditError(
            "the mask is grey all over, so that nothing says what may change: its values go from "
            f"{numbers.min():g} to {top:g} of {full:g}; {_HINT}"
        )
    if len(levels) == 1 or (not lossy and len(levels) <= _FEW_LEVELS):
        return _picture(numbers > 0)
    return _picture(numbers * 2 > top)


def _listed(levels: Values) -> str:
    shown = [f"{each:g}" for each in levels[:6]]
    return ", ".join(shown) + (", ..." if len(levels) > 6 else "")
