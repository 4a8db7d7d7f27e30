"""Pictures from bytes nobody vouches for: checked, decoded, and brought to one kind.

Inside the pipeline a picture is an encoded JPEG, PNG or WebP: upright, 8 bits a channel, RGB or
grey, one frame. `normalise` makes one of any file a source may hold; `decode` gives the pixels of
a file, and `decode_kept` those of what `normalise` made, which is not judged again.
Claims and header are read first, and refuse a picture by its size and cost before a pixel is
decoded. What could take long to decode is decoded by a process that is ended at a deadline.
Colour profiles are not applied: the stored values are taken as they are, here and everywhere.
"""

import hashlib
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from transforms.pictures.decoders import normalise_there
from transforms.pictures.directories import check_directory
from transforms.pictures.flattening import UPRIGHT, flatten
from transforms.pictures.limits import (
    DEFAULT_LIMITS,
    REASONS,
    STORED_LIMITS,
    PictureError,
    PictureLimits,
)
from transforms.pictures.normalised import NormalisedPicture
from transforms.pictures.opening import (
    DECODER_ERRORS,
    FORMATS,
    KEPT_FORMATS,
    Formats,
    open_header,
    open_picture,
    reading_pixels,
    without_warnings,
)

__all__ = [
    "DEFAULT_LIMITS",
    "FORMATS",
    "KEPT_FORMATS",
    "REASONS",
    "STORED_LIMITS",
    "NormalisedPicture",
    "PictureError",
    "PictureLimits",
    "decode",
    "decode_kept",
    "decode_stored",
    "encode_png",
    "normalise",
    "normalise_here",
]

_SURE_PIXELS_PER_S = 1_500_000
"""So many pixels, times the passes over them, every decoder does in a second on a slow machine."""
_EXTENSIONS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp"}
_ORIENTATION_TAG = 0x0112


def decode(
    data: bytes, limits: PictureLimits = DEFAULT_LIMITS, *, formats: Formats = FORMATS
) -> Image.Image:
    """The picture in `data`: upright, mode RGB, first frame, transparency laid on white.

    `formats` are some of `FORMATS`.

    Raises:
        PictureError: `data` is no usable picture of those formats within `limits`.
    """
    image, passes = open_header(data, limits, formats=formats)
    if _wants_own_process(image, passes, limits):
        return decode_kept(normalise_there(data, limits).bytes)
    return _load_flat(image)


def decode_kept(data: bytes) -> Image.Image:
    """The pixels of what `normalise` gave, mode RGB; neither size nor cost is judged again.

    Raises:
        PictureError: `data` is something else, that does not decode.
    """
    return _load_flat(open_picture(data, KEPT_FORMATS))


def decode_stored(data: bytes, limits: PictureLimits = STORED_LIMITS) -> Image.Image:
    """The pixels of a picture of a data set, mode RGB; `limits` are those of `stored_limits`.

    Raises:
        PictureError: `data` is no usable picture of `KEPT_FORMATS` within `limits`.
    """
    return decode(data, limits, formats=KEPT_FORMATS)


def normalise(data: bytes, limits: PictureLimits = DEFAULT_LIMITS) -> NormalisedPicture:
    """The picture in `data` as the pipeline keeps it.

    A JPEG, PNG or WebP file that is of the kind already stays byte for byte as it is; anything
    else is encoded anew as PNG, RGB or grey. All pixels are decoded, so that half a picture is
    found here and not in a later stage. A decoder that takes longer than the limits' deadline is
    ended, also where this runs in a thread.

    Raises:
        PictureError: `data` is no usable picture within `limits`.
    """
    image, passes = open_header(data, limits)
    if _wants_own_process(image, passes, limits):
        return normalise_there(data, limits)
    return _normalise_opened(image, data)


def normalise_here(data: bytes, limits: PictureLimits) -> NormalisedPicture:
    """`normalise` without a deadline.

    Raises:
        PictureError: as there.
    """
    return _normalise_opened(open_header(data, limits)[0], data)


def _wants_own_process(image: Image.Image, passes: int, limits: PictureLimits) -> bool:
    """Whether the deadline could matter, were the decoder as slow as the slowest; or it is libtiff.

    That is the largest of the decoders and the one most often found at fault, and what it has to
    say of damaged files it prints.
    """
    work = image.width * image.height * passes
    return image.format == "TIFF" or work > limits.deadline_s * _SURE_PIXELS_PER_S


def _normalise_opened(image: Image.Image, data: bytes) -> NormalisedPicture:
    with reading_pixels():
        image.load()
        orientation = _orientation(image)
        if _is_kept(image, orientation, data):
            extension = _EXTENSIONS[str(image.format)]
        else:
            image = flatten(image, orientation)
            image.info = {}
            data, extension = _write_png(image), "png"
    return NormalisedPicture(data, *image.size, hashlib.sha256(data).hexdigest(), extension)


def _load_flat(image: Image.Image) -> Image.Image:
    with reading_pixels():
        image.load()
        return flatten(image, _orientation(image)).convert("RGB")


def encode_png(picture: Image.Image | npt.NDArray[np.uint8]) -> bytes:
    """`picture` as a PNG file that depends on its pixels alone (no metadata, fixed settings).

    An array is uint8 of shape (h, w) for grey or (h, w, 3) for RGB.

    Raises:
        ValueError: the array has another type or shape.
    """
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3):
            raise ValueError(
                "a picture array must be uint8 of shape (h, w) or (h, w, 3), "
                f"got {picture.dtype} of shape {picture.shape}"
            )
        if picture.ndim == 3 and picture.shape[2] != 3:
            raise ValueError(f"a colour array must have 3 channels, got shape {picture.shape}")
        image = Image.fromarray(np.ascontiguousarray(picture))
    else:
        # Pillow would write the colour profile and resolution it finds in `info`.
        image = picture.copy()
        image.info = {}
    return _write_png(image)


def _write_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, from 1 to 8; 1 where nothing sensible is said.

    Viewers show files with damaged EXIF data as they are, and so do we.
    """
    try:
        _check_exif(image)
        with without_warnings():
            value = image.getexif().get(_ORIENTATION_TAG, 1)
    except (PictureError, *DECODER_ERRORS):
        return 1
    return value if value in UPRIGHT else 1


def _check_exif(image: Image.Image) -> None:
    """Checks EXIF data that stand in a text of a PNG file, in hexadecimal below three lines."""
    text = image.info.get("Raw profile type exif")
    if isinstance(text, str):
        check_directory(bytes.fromhex("".join(text.split("\n")[3:])))
    elif isinstance(found := image.info.get("exif"), bytes):
        check_directory(found)


def _is_kept(image: Image.Image, orientation: int, data: bytes) -> bool:
    """Whether the file is of the pipeline's kind already.

    An MPO file counts: to every reader of JPEG it is a JPEG with something after its end.
    """
    if image.format not in _EXTENSIONS or image.mode not in ("RGB", "L") or orientation != 1:
        return False
    if image.format == "PNG" and data[24] > 8:  # bit depth, in the IHDR chunk
        return False
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    return frames == 1 and "transparency" not in image.info
