import concurrent.futures
import hashlib
import io
import pickle
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from transforms.pictures.decoding import (
    REASONS,
    PictureError,
    PictureLimits,
    decode,
    encode_png,
    normalise,
)


def picture(width=40, height=30, mode="RGB"):
    """A picture whose left half is dark and whose top right corner is bright."""
    values = np.full((height, width, 3), 60, np.uint8)
    values[:, width // 2 :] = (200, 120, 40)
    values[: height // 3, width // 2 :] = (250, 250, 10)
    return Image.fromarray(values).convert(mode)


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width, height):
    """A PNG file that claims a size and holds next to nothing."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


def reason_of(data, limits=None):
    with pytest.raises(PictureError) as caught:
        normalise(data, limits or PictureLimits())
    assert caught.value.reason in REASONS
    assert "\n" not in caught.value.detail
    return caught.value.reason


@pytest.mark.parametrize(
    ("kind", "extension", "options"),
    [("JPEG", "jpg", {}), ("PNG", "png", {}), ("WEBP", "webp", {"lossless": True})],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_plain_file_is_kept_as_it_is(kind, extension, options, mode):
    data = encoded(picture(mode=mode), kind, **options)
    if (kind, mode) == ("WEBP", "L"):
        data = encoded(picture(), kind, **options)  # WebP has no grey
    kept = normalise(data)
    assert kept.bytes == data
    assert (kept.width, kept.height, kept.extension) == (40, 30, extension)
    assert kept.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("JPEG", "CMYK"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("PNG", "I;16"),
        ("PNG", "RGBA"),
        ("PNG", "LA"),
        ("GIF", "P"),
        ("BMP", "RGB"),
        ("TIFF", "RGB"),
        ("TIFF", "CMYK"),
        ("TIFF", "I;16"),
    ],
)
def test_every_other_kind_becomes_an_8_bit_png(kind, mode):
    image = picture()
    if mode == "I;16":
        grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
        source = Image.fromarray(grey)
        expected = image.convert("L").convert("RGB")
    else:
        source = image.convert(mode)
        expected = source.convert("RGB")
    done = normalise(encoded(source, kind))
    stored = Image.open(io.BytesIO(done.bytes))
    assert (stored.format, done.extension) == ("PNG", "png")
    assert stored.mode in ("RGB", "L")
    assert stored.size == (done.width, done.height) == (40, 30)
    difference = np.abs(
        np.asarray(stored.convert("RGB")).astype(int) - np.asarray(expected).astype(int)
    )
    assert difference.mean() < 4
    assert normalise(done.bytes) == done


def test_sixteen_bit_colour_is_reduced():
    header = struct.pack(">IIBBBBB", 20, 20, 16, 2, 0, 0, 0)
    rows = (b"\0" + struct.pack(">HHH", 65535, 32768, 0) * 20) * 20
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + kind + body
        data += struct.pack(">I", zlib.crc32(kind + body))
    done = normalise(data)
    assert done.bytes != data
    assert Image.open(io.BytesIO(done.bytes)).getpixel((3, 3)) == (255, 128, 0)


def test_transparency_lies_on_white():
    image = picture().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 10, 10))
    assert decode(encoded(image, "PNG")).getpixel((2, 2)) == (255, 255, 255)
    keyed = encoded(picture(), "PNG", transparency=(60, 60, 60))
    assert decode(keyed).getpixel((2, 20)) == (255, 255, 255)
    palette = picture().quantize(4)
    index = palette.getpixel((2, 20))
    see_through = encoded(
        palette, "PNG", transparency=bytes(0 if i == index else 255 for i in range(4))
    )
    assert decode(see_through).getpixel((2, 20)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame(kind):
    frames = [picture(), Image.new("RGB", (40, 30), "blue"), Image.new("RGB", (40, 30), "red")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    done = normalise(data)
    stored = Image.open(io.BytesIO(done.bytes))
    assert getattr(stored, "n_frames", 1) == 1
    assert np.abs(np.asarray(stored).astype(int) - np.asarray(frames[0])).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    upright = picture()
    exif = Image.Exif()
    exif[0x0112] = orientation
    # Stored the way a camera held at this angle stores it, so that viewers show `upright`.
    inverse = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if inverse is None else upright.transpose(inverse)
    data = encoded(stored, "PNG", exif=exif)
    done = normalise(data)
    assert (done.bytes == data) == (orientation == 1)
    assert (done.width, done.height) == (40, 30)
    assert np.array_equal(np.asarray(decode(done.bytes)), np.asarray(upright))
    assert np.array_equal(np.asarray(decode(data)), np.asarray(upright))


def test_damaged_exif_is_passed_over():
    data = encoded(picture(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\xff" * 30)
    assert normalise(data).bytes == data


def test_bytes_that_are_no_picture():
    assert reason_of(b"") == "empty_file"
    assert reason_of(b"<html><body>Not found</body></html>") == "not_an_image"
    assert reason_of(b"\x00\x00\x00\x1cftypavif" + bytes(40)) == "unsupported_format"
    assert reason_of(b"<svg xmlns='http://www.w3.org/2000/svg'/>") == "unsupported_format"
    assert reason_of(encoded(picture(), "JPEG")[:12]) == "truncated"
    assert reason_of(encoded(Image.new("F", (20, 20), 0.5), "TIFF")) == "unsupported_depth"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_half_a_picture_is_refused(kind):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    assert reason_of(data[: len(data) // 2]) in ("truncated", "broken_data")


def test_a_header_with_too_many_pixels_is_refused_before_decoding():
    assert reason_of(png_header(10_000, 10_000)) == "too_many_pixels"
    assert reason_of(png_header(60_000, 60_000)) == "too_many_pixels"
    assert reason_of(png_header(41, 31), PictureLimits(max_pixels=1200)) == "too_many_pixels"
    large = encoded(picture(), "PNG")
    assert normalise(large, PictureLimits(max_pixels=1200)).width == 40
    # Within the limit the same header is believed, and the missing pixels are noticed.
    assert reason_of(png_header(5_000, 5_000)) in ("truncated", "broken_data")


def test_limits_on_file_and_side():
    data = encoded(picture(), "PNG")
    assert reason_of(data, PictureLimits(max_bytes=len(data) - 1)) == "too_large_file"
    assert normalise(data, PictureLimits(max_bytes=len(data))).bytes == data
    assert reason_of(data, PictureLimits(min_side=31)) == "too_small"
    assert normalise(data, PictureLimits(min_side=30)).height == 30


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "9"])
def test_limits_are_checked(bad):
    with pytest.raises(ValueError, match="min_side must be a whole number >= 1"):
        PictureLimits(min_side=bad)
    with pytest.raises(ValueError, match="max_pixels must be <="):
        PictureLimits(max_pixels=10**9)


def test_png_bytes_depend_on_the_pixels_alone():
    values = np.asarray(picture())
    tagged = picture()
    tagged.info.update(dpi=(300, 300), icc_profile=b"profile")
    assert encode_png(values) == encode_png(tagged) == encode_png(picture())
    assert np.array_equal(np.asarray(decode(encode_png(values))), values)
    assert tagged.info["icc_profile"] == b"profile"
    with pytest.raises(ValueError, match="uint8"):
        encode_png(values.astype(np.float32))
    with pytest.raises(ValueError, match="3 channels"):
        encode_png(np.zeros((4, 4, 4), np.uint8))


def test_errors_survive_pickling():
    error = pickle.loads(pickle.dumps(PictureError("too_small", "1 x 1")))
    assert (error.reason, error.detail) == ("too_small", "1 x 1")


def test_threads_do_not_disturb_each_other():
    files = [png_header(9_500, 9_500), encoded(picture(), "JPEG")] * 20
    limits = PictureLimits(max_pixels=60_000_000)

    def outcome(data):
        try:
            return normalise(data, limits).extension
        except PictureError as error:
            return error.reason

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(outcome, files)) == ["too_many_pixels", "jpg"] * 20


FILES = [encoded(picture(), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")]


def side_after_reading(data):
    """The picture's size, or the reason why it has none."""
    try:
        done = normalise(data, PictureLimits(max_pixels=1_000_000))
    except PictureError as error:
        return error.reason
    assert decode(done.bytes, PictureLimits(min_side=1)).size == (done.width, done.height)
    return (done.width, done.height)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_damaged_files_give_a_picture_or_a_reason(data, draw):
    damaged = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 6))):
        place = draw.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = draw.draw(st.integers(0, 255))
    result = side_after_reading(bytes(damaged[: draw.draw(st.integers(0, len(damaged)))]))
    assert result in REASONS or min(result) >= 16
