"""What a small file may claim: what goes beyond the limits is refused, at once, with its reason."""

import io
import struct
import time
import zlib

import pytest
from fakes import hostile_pictures as hostile
from fakes.pictures import encoded, noise
from PIL import Image

from transforms.pictures.decoding import PictureError, PictureLimits, decode, normalise

MEGABYTE = 1 << 20
DEEP = zlib.compress(bytes(MEGABYTE))
NOTHING = hostile.chunk(b"IDAT", b"")
TILES = ((322, 4, 1, 1), (323, 4, 1, 1), (324, 4, 200_000, 8))
DIRECTORY = struct.pack("<H", 60_000) + hostile.overlapping_tags(60_000, MEGABYTE)[10:]


def raw_profile():
    """EXIF data in hexadecimal, in a text of a PNG file: some kilobytes that claim gigabytes."""
    data = hostile.overlapping_tags(20_000, 300_000).hex().encode()
    return hostile.text_chunk(b"Raw profile type exif", b"\n\n\n" + data)


REFUSED = {
    "a line of pixels": (lambda: hostile.png(size=(3000, 16)), "too_elongated"),
    "a column of pixels": (lambda: hostile.png(size=(16, 3000)), "too_elongated"),
    "scans": (lambda: hostile.many_scans(3000), "too_many_scans"),
    "scans behind others": (
        lambda: hostile.many_scans(95).replace(b"\xff\xdb", b"\xff\xe5\0\x04ab\xff\xdb", 1),
        "too_many_scans",
    ),
    "profiles": (
        lambda: hostile.png(before=hostile.chunk(b"iCCP", b"k\0\0" + DEEP) * 1001),
        "too_much_metadata",
    ),
    "texts without a name": (
        lambda: hostile.png(before=hostile.text_chunk(b"", bytes(MEGABYTE)) * 1001),
        "too_much_metadata",
    ),
    "empty pixels": (lambda: hostile.png(before=NOTHING * 100_001), "too_much_metadata"),
    "chunks behind the pixels": (
        lambda: hostile.png(after=hostile.chunk(b"tEXt", b"k\0v") * 100_001),
        "too_much_metadata",
    ),
    "EXIF tags of a PNG": (
        lambda: hostile.png(before=hostile.chunk(b"eXIf", hostile.overlapping_tags(9, 99_999))),
        "too_much_metadata",
    ),
    "EXIF data that begin again": (
        lambda: hostile.png(before=hostile.chunk(b"eXIf", b"Exif\0\0" * 1000)),
        "too_much_metadata",
    ),
    "EXIF segments": (
        lambda: hostile.jpeg(hostile.segment(0xE1, b"Exif\0\0" + bytes(99)) * 65),
        "too_much_metadata",
    ),
    "EXIF tags over segments": (
        lambda: hostile.jpeg(hostile.exif_segments(hostile.overlapping_tags(60_000, MEGABYTE))),
        "too_much_metadata",
    ),
    "tags of several pictures": (
        lambda: hostile.jpeg(
            hostile.segment(0xE2, b"MPF\0" + hostile.overlapping_tags(4000, 60_000))
        ),
        "too_much_metadata",
    ),
    "segments": (lambda: hostile.jpeg(b"\xff\xe5\0\2" * 100_001), "too_much_metadata"),
    "filling": (lambda: hostile.jpeg(b"\xff" * 200_000), "too_much_metadata"),
    "rubbish": (lambda: hostile.jpeg(b"\xff" + b"\0" * 200_000), "too_much_metadata"),
    "frames of a GIF": (lambda: hostile.gif_frames(10_001), "too_many_frames"),
    "a comment of a GIF": (
        lambda: hostile.gif(b"\x21\xfe" + hostile.blocks(bytes(2_000_000))),
        "too_much_metadata",
    ),
    "comments of a GIF": (
        lambda: hostile.gif((b"\x21\xfe" + hostile.blocks(bytes(999))) * 1100),
        "too_much_metadata",
    ),
    "a comment behind an empty extension": (
        lambda: hostile.gif(
            b"\x21\xff\0" + hostile.blocks(b"a") + b"\x21\xfe" + hostile.blocks(bytes(2_000_000))
        ),
        "too_much_metadata",
    ),
    "extensions of a GIF": (lambda: hostile.gif(b"\x21\xfe\0" * 100_001), "too_much_metadata"),
    "rubbish in a GIF": (lambda: hostile.gif(bytes(200_000)), "too_much_metadata"),
    "tags of a TIFF": (lambda: hostile.overlapping_tags(60_000, MEGABYTE), "too_much_metadata"),
    "tags of an inner directory": (
        lambda: hostile.tiff([(34665, 4, 1, 8 + 64 * 64)], inner=DIRECTORY),
        "too_much_metadata",
    ),
    "tiles of one pixel": (
        lambda: hostile.tiff(TILES, body=bytes(900_000)),
        "too_much_metadata",
    ),
    "values of a tag": (
        lambda: hostile.tiff([(258, 3, 200_000, 8)], body=bytes(400_000)),
        "too_much_metadata",
    ),
    "a tile larger than the picture": (
        lambda: hostile.tiff([(322, 4, 1, 40_000), (323, 4, 1, 40_000)], compression=5),
        "too_many_pixels",
    ),
    "pages": (lambda: hostile.tiff_pages(10_001), "too_many_frames"),
    "a canvas": (lambda: hostile.webp_canvas(16_383, 16_383), "too_many_pixels"),
    "frames of a WebP": (lambda: hostile.webp_canvas(64, 64, frames=10_001), "too_many_frames"),
    "frames of an APNG": (
        lambda: hostile.png(before=hostile.chunk(b"acTL", struct.pack(">II", 1 << 20, 0))),
        "too_many_frames",
    ),
    "a word that means transparency": (
        lambda: hostile.png(before=hostile.chunk(b"tEXt", b"transparency\0none")),
        "broken_data",
    ),
}
"""What a file claims too much of -> the file, and the reason why it is refused."""

WELCOME = {
    "a panorama of 48 to 1": lambda: encoded(noise(0, (960, 20))),
    "a progressive JPEG": lambda: encoded(noise(1), "JPEG", progressive=True),
    "a hundred scans": lambda: hostile.many_scans(90),
    "a thousand frames": lambda: hostile.gif_frames(1000),
    "scans in a segment": lambda: hostile.jpeg(hostile.segment(0xE5, b"\xff\xda" * 9000)),
    "a photograph's segments": lambda: hostile.jpeg(hostile.segment(0xE2, bytes(65_000)) * 30),
    "a text of a megabyte": lambda: hostile.png(before=hostile.text_chunk(b"w", bytes(MEGABYTE))),
    "overlapping EXIF in a text": lambda: hostile.png(before=raw_profile()),
    "a compressed TIFF": lambda: encoded(noise(2), "TIFF", compression="tiff_lzw"),
    "a TIFF of one strip": lambda: hostile.tiff(),
    "run lengths": lambda: hostile.run_length_bmp((64, 64), b"\x40\x05\0\0" * 64 + b"\0\1"),
    "words that mean nothing": lambda: hostile.png(before=hostile.chunk(b"tEXt", b"exif\0none")),
}
"""Files that are large or odd in the same ways, and that are pictures all the same."""


@pytest.mark.parametrize("name", REFUSED)
def test_what_claims_too_much_is_refused_at_once(name):
    make, reason = REFUSED[name]
    data = make()
    began = time.process_time()
    with pytest.raises(PictureError) as caught:
        normalise(data)
    assert caught.value.reason == reason, caught.value
    assert "\n" not in str(caught.value)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("name", WELCOME)
def test_what_only_looks_like_it_is_read(name):
    data = WELCOME[name]()
    done = normalise(data)
    assert min(done.width, done.height) >= 16
    assert decode(data).size == (done.width, done.height)


def test_wider_limits_let_it_in_and_narrower_ones_do_not():
    long = hostile.png(size=(3000, 16))
    assert normalise(long, PictureLimits(max_aspect=188)).width == 3000
    scans = hostile.many_scans(300)
    assert normalise(scans, PictureLimits(max_scans=310)).bytes == scans
    moving = hostile.gif_frames(20)
    assert normalise(moving, PictureLimits(max_frames=20)).width == 64
    for data, limits, reason in (
        (long, PictureLimits(max_aspect=187), "too_elongated"),
        (scans, PictureLimits(max_scans=309), "too_many_scans"),
        (moving, PictureLimits(max_frames=19), "too_many_frames"),
        (hostile.png(size=(40, 20)), PictureLimits(max_aspect=1), "too_elongated"),
    ):
        with pytest.raises(PictureError) as caught:
            normalise(data, limits)
        assert caught.value.reason == reason


def test_scans_of_one_colour_each_are_counted_too():
    """A sequential JPEG may have a scan for each colour, and then any number of them."""
    data = encoded(noise(3), "JPEG", subsampling=0)
    head = data.index(b"\xff\xda")
    one = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" + bytes(40)
    with pytest.raises(PictureError, match="101 scans, at most 100"):
        normalise(data[:head] + one * 200 + b"\xff\xd9")


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP"])
def test_of_a_data_set_or_an_index_no_other_kind_is_opened(kind):
    with pytest.raises(PictureError, match="cannot stand here"):
        decode(encoded(noise(4), kind), formats=("JPEG", "PNG", "WEBP"))


def test_a_moving_picture_on_a_large_canvas_costs_its_canvas_alone():
    small = Image.new("L", (16, 16), 200)
    buffer = io.BytesIO()
    small.save(buffer, "GIF")
    data = bytearray(buffer.getvalue())
    data[6:10] = struct.pack("<HH", 2000, 1000)
    done = normalise(bytes(data))
    assert (done.width, done.height) == (2000, 1000)
