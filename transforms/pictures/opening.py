"""Opening a picture file: its claims, its header, and what Pillow has to say against it.

The one place where Pillow is asked to open anything, always with the formats it may be.
"""

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from transforms.pictures.claims import read_claims
from transforms.pictures.limits import PILLOW_MAX_PIXELS, PictureError, PictureLimits

Formats = tuple[str, ...]
"""Some of `FORMATS`."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What is read, told by content and never by name (Pillow's names)."""

KEPT_FORMATS = ("JPEG", "PNG", "WEBP")
"""What `normalise` gives, and what the pictures of a data set are."""

_SIGNS = {
    b"\xff\xd8": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"RIFF": "WEBP",
}
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
DECODER_ERRORS = (
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
"""All that Pillow's readers raise on damaged input; nothing of it is about our own code."""

# warnings.catch_warnings swaps process-wide state, so only one thread at a time may be inside it.
_warnings_lock = threading.Lock()


def open_header(
    data: bytes, limits: PictureLimits, *, formats: Formats = FORMATS
) -> tuple[Image.Image, int]:
    """The picture in `data` with its pixels not decoded yet, and how many passes they may take.

    Raises:
        PictureError: by its header it is no picture of `formats` within `limits`.
    """
    if len(data) > limits.max_bytes:
        raise PictureError(
            "too_large_file", f"the file has {len(data)} bytes, at most {limits.max_bytes} are read"
        )
    claims = read_claims(data, limits)
    image = open_picture(data, formats)
    _check_size(image, limits)
    return image, claims.passes


def open_picture(data: bytes, formats: Formats) -> Image.Image:
    """The picture in `data` with its pixels not decoded yet, whatever it claims.

    Raises:
        PictureError: it is no picture of `formats`.
    """
    if not data:
        raise PictureError("empty_file", "the file has 0 bytes")
    try:
        with without_warnings():
            return Image.open(io.BytesIO(data), formats=formats)
    except Image.DecompressionBombError as error:
        raise PictureError(
            "too_many_pixels", f"the header claims more than {PILLOW_MAX_PIXELS} pixels"
        ) from error
    except DECODER_ERRORS as error:
        raise _unreadable(data, formats) from error


@contextmanager
def reading_pixels() -> Iterator[None]:
    """Turns what Pillow raises on damaged pixels, or on odd words about them, into reasons."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise PictureError("too_many_pixels", str(error)) from error
    except DECODER_ERRORS as error:
        raise _damaged(error) from error


@contextmanager
def without_warnings() -> Iterator[None]:
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
    if max(width, height) > limits.max_aspect * min(width, height):
        raise PictureError(
            "too_elongated",
            f"{width} x {height} pixels, the longer side must be at most {limits.max_aspect} times "
            "the shorter",
        )


def _unreadable(data: bytes, formats: Formats) -> PictureError:
    """Why Pillow could not even read a header."""
    for offset, sign, name in _OTHER_SIGNS:
        if data[offset : offset + len(sign)] == sign:
            return PictureError("unsupported_format", f"{name} files are not read")
    found = next((name for sign, name in _SIGNS.items() if data.startswith(sign)), None)
    if found is not None and found not in formats:
        return PictureError("unsupported_format", f"a {found} file cannot stand here")
    if found is not None:
        return PictureError("truncated", f"the file breaks off in its header ({len(data)} bytes)")
    return PictureError("not_an_image", f"no {', '.join(formats)} file: begins {data[:8]!r}")


def _damaged(error: Exception) -> PictureError:
    """Why the pixels behind a good header could not be decoded."""
    text = " ".join(str(error).split()) or type(error).__name__
    cut = "truncated" in text.lower() or isinstance(error, EOFError)
    return PictureError("truncated" if cut else "broken_data", text)
