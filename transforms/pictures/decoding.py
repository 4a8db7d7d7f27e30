"""Pictures from bytes nobody vouches for: checked, decoded, and brought to one kind.

Inside the pipeline a picture is an encoded JPEG, PNG or WebP: upright, 8 bits a channel, RGB or
grey, one frame. `normalise` makes one of any file a source may hold; `decode` gives the pixels.
Both read the header first and refuse a picture by its size before a pixel is decoded.
Colour profiles are not applied: the stored values are taken as they are, here and everywhere.
"""

import builtins
import hashlib
import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from indexes.errors import PairloomError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What is read, told by content and never by name (Pillow's names)."""

REASONS = (
    "empty_file",
    "too_large_file",
    "not_an_image",
    "unsupported_format",
    "unsupported_depth",
    "too_many_pixels",
    "too_small",
    "truncated",
    "broken_data",
)
"""Every `PictureError.reason`."""

# Pillow itself refuses to open anything above this many pixels.
_PILLOW_MAX_PIXELS = 178_956_970
_KEPT_FORMATS = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp"}
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SUPPORTED_SIGNS = (b"\xff\xd8", b"\x89PNG", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"RIFF")
_OTHER_SIGNS = (
    (4, b"ftypavif", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
    (0, b"8BPS", "Photoshop"),
    (0, b"\x00\x00\x01\x00", "ICO"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"<svg", "SVG"),
)
# All that Pillow's readers raise on damaged input; none of them says anything about our own code.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    ArithmeticError,
    RuntimeError,
    struct.error,
    zlib.error,
)

# warnings.catch_warnings swaps process-wide state, so only one thread at a time may be inside it.
_warnings_lock = threading.Lock()


class PictureError(PairloomError):
    """Bytes that are no usable picture: `reason` is one of `REASONS`, `detail` a line to show."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["PictureError"], tuple[str, str]]:
        """Errors cross process borders; the default would call the class with one argument."""
        return PictureError, (self.reason, self.detail)


@dataclass(frozen=True)
class PictureLimits:
    """What is let in: at most `max_bytes` of file and `max_pixels` of picture, sides >= `min_side`.

    `max_pixels` may not exceed what Pillow itself opens.
    """

    max_pixels: int = 50_000_000
    max_bytes: int = 50_000_000
    min_side: int = 16

    def __post_init__(self) -> None:
        for name in ("max_pixels", "max_bytes", "min_side"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} must be a whole number >= 1, got {value!r}")
        if self.max_pixels > _PILLOW_MAX_PIXELS:
            raise ValueError(f"max_pixels must be <= {_PILLOW_MAX_PIXELS}, got {self.max_pixels}")


DEFAULT_LIMITS = PictureLimits()
STORED_LIMITS = PictureLimits(max_pixels=150_000_000, max_bytes=1_000_000_000, min_side=1)
"""For the pictures of a finished data set: what its source let in is not judged again."""


@dataclass(frozen=True)
class NormalisedPicture:
    """An encoded picture of the pipeline's one kind.

    `bytes` is a JPEG, PNG or WebP file, upright, 8 bit, RGB or grey, one frame; `width` and
    `height` are its pixels, `sha256` the hash of `bytes` in hex, `extension` is `jpg`, `png` or
    `webp`.
    """

    bytes: builtins.bytes
    width: int
    height: int
    sha256: str
    extension: str


def decode(data: bytes, limits: PictureLimits = DEFAULT_LIMITS) -> Image.Image:
    """The picture in `data`: upright, mode RGB, first frame, transparency laid on white.

    Raises:
        PictureError: `data` is no usable picture within `limits`.
    """
    return _flatten(*_open(data, limits)).convert("RGB")


def normalise(data: bytes, limits: PictureLimits = DEFAULT_LIMITS) -> NormalisedPicture:
    """The picture in `data` as the pipeline keeps it.

    A JPEG, PNG or WebP file that is of the kind already stays byte for byte as it is; anything
    else is encoded anew as PNG, RGB or grey. All pixels are decoded, so that half a picture is
    found here and not in a later stage.

    Raises:
        PictureError: `data` is no usable picture within `limits`.
    """
    image, orientation = _open(data, limits)
    if _is_kept(image, orientation, data):
        extension = _KEPT_FORMATS[str(image.format)]
    else:
        image = _flatten(image, orientation)
        data, extension = encode_png(image), "png"
    return NormalisedPicture(data, *image.size, hashlib.sha256(data).hexdigest(), extension)


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
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _open(data: bytes, limits: PictureLimits) -> tuple[Image.Image, int]:
    """The first frame with its pixels loaded, and its EXIF orientation from 1 to 8."""
    if not data:
        raise PictureError("empty_file", "the file has 0 bytes")
    if len(data) > limits.max_bytes:
        raise PictureError(
            "too_large_file", f"the file has {len(data)} bytes, at most {limits.max_bytes} are read"
        )
    try:
        with _without_warnings():
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise PictureError(
            "too_many_pixels", f"the header claims more than {_PILLOW_MAX_PIXELS} pixels"
        ) from error
    except _DECODER_ERRORS as error:
        raise _unreadable(data) from error
    _check_size(image, limits)
    try:
        image.load()
    except Image.DecompressionBombError as error:
        raise PictureError("too_many_pixels", str(error)) from error
    except _DECODER_ERRORS as error:
        raise _damaged(error) from error
    return image, _orientation(image)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Pillow warns of large and slightly damaged files; the checks here answer instead."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_size(image: Image.Image, limits: PictureLimits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise PictureError(
            "too_many_pixels",
            f"the header claims {width} x {height} pixels, at most {limits.max_pixels} are decoded",
        )
    if min(width, height) < limits.min_side:
        raise PictureError(
            "too_small", f"{width} x {height} pixels, both sides must be >= {limits.min_side}"
        )


def _unreadable(data: bytes) -> PictureError:
    """Why Pillow could not even read a header."""
    for offset, sign, name in _OTHER_SIGNS:
        if data[offset : offset + len(sign)] == sign:
            return PictureError("unsupported_format", f"{name} files are not read")
    if data.startswith(_SUPPORTED_SIGNS):
        return PictureError("truncated", f"the file breaks off in its header ({len(data)} bytes)")
    return PictureError("not_an_image", f"no {', '.join(FORMATS)} file: begins {data[:8]!r}")


def _damaged(error: Exception) -> PictureError:
    """Why the pixels behind a good header could not be decoded."""
    text = " ".join(str(error).split()) or type(error).__name__
    cut = "truncated" in text.lower() or isinstance(error, EOFError)
    return PictureError("truncated" if cut else "broken_data", text)


def _orientation(image: Image.Image) -> int:
    try:
        with _without_warnings():
            value = image.getexif().get(_ORIENTATION_TAG, 1)
    except _DECODER_ERRORS:
        return 1  # damaged EXIF data say nothing, and viewers show such files as they are
    return value if value in _UPRIGHT else 1


def _is_kept(image: Image.Image, orientation: int, data: bytes) -> bool:
    """Whether the file is of the pipeline's kind already.

    An MPO file counts: to every reader of JPEG it is a JPEG with something after its end.
    """
    if image.format not in _KEPT_FORMATS or image.mode not in ("RGB", "L") or orientation != 1:
        return False
    if image.format == "PNG" and data[24] > 8:  # bit depth, in the IHDR chunk
        return False
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    return frames == 1 and "transparency" not in image.info


def _flatten(image: Image.Image, orientation: int) -> Image.Image:
    """Mode L or RGB, upright."""
    if orientation != 1:
        image = image.transpose(_UPRIGHT[orientation])
    if image.mode.startswith("I"):
        return _from_16_bit(image)
    if image.mode == "F":
        raise PictureError("unsupported_depth", "floating-point pixels have no agreed range")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 bits, in [0, 65535], as grey of 8 bits."""
    values = np.asarray(image).astype(np.float64)
    if values.min() < 0 or values.max() > 65535:
        raise PictureError("unsupported_depth", "grey values beyond 16 bits have no agreed range")
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))
