"""Thousands of spoilt pictures of all kinds: each is a picture or a `PictureError`, never more."""

import random
import time
import warnings

import numpy as np
import pytest
from fakes import hostile_pictures as hostile
from fakes.pictures import encoded, noise
from PIL import Image

from transforms.pictures.decoding import (
    REASONS,
    PictureError,
    PictureLimits,
    decode,
    decode_kept,
    decode_stored,
    normalise,
)
from transforms.pictures.masks import MaskError, decode_mask

LIMITS = PictureLimits(max_pixels=1_000_000)


def picture() -> Image.Image:
    """Anew each time: Pillow leaves what it saved with behind in the picture."""
    return noise(0, (40, 24))


def frames() -> list[Image.Image]:
    """What comes after the first picture of a file with several."""
    return [noise(seed, (40, 24)) for seed in (1, 2)]


DEEP = np.random.default_rng(3).integers(0, 65536, (24, 40), dtype=np.uint16)
GOOD = {
    "jpeg": encoded(picture(), "JPEG"),
    "progressive": encoded(picture(), "JPEG", progressive=True),
    "restarts": encoded(picture(), "JPEG", restart_marker_blocks=1),
    "turned": hostile.turned(picture(), 6),
    "cmyk": encoded(picture().convert("CMYK"), "JPEG"),
    "mpo": encoded(picture(), "MPO", save_all=True, append_images=frames()),
    "png": encoded(picture()),
    "palette": encoded(picture().quantize(9), transparency=2),
    "deep": encoded(DEEP),
    "alpha": encoded(picture().convert("RGBA")),
    "interlaced": hostile.png(size=(24, 20), before=hostile.chunk(b"tEXt", b"interlace\0x")),
    "apng": encoded(picture(), "PNG", save_all=True, append_images=frames()),
    "words": hostile.png(before=hostile.text_chunk(b"w", bytes(99)), colour=6),
    "gif": encoded(picture(), "GIF", save_all=True, append_images=frames()),
    "bmp": encoded(picture(), "BMP"),
    "rle": hostile.run_length_bmp((40, 24), b"\x28\x05\0\0" * 24 + b"\0\1"),
    "webp": encoded(picture(), "WEBP"),
    "lossless": encoded(picture().convert("RGBA"), "WEBP", lossless=True),
    "moving": encoded(picture(), "WEBP", save_all=True, append_images=frames()),
    "tiff": encoded(picture(), "TIFF"),
    "pages": encoded(picture(), "TIFF", save_all=True, append_images=frames()),
    **{
        f"tiff {name}": encoded(picture(), "TIFF", compression=name)
        for name in ("tiff_lzw", "jpeg", "packbits", "tiff_adobe_deflate", "lzma", "zstd")
    },
    "fax": encoded(picture().convert("1"), "TIFF", compression="group4"),
}
EACH = 100
"""Spoilt files of each good one."""


def spoil(data: bytes, draw: random.Random) -> bytes:
    """`data` with some bytes changed, taken out, doubled or cut off."""
    spoilt = bytearray(data)
    for _ in range(draw.randint(1, 5)):
        # Headers and tags stand at the front, and they are what readers trip over.
        end = len(spoilt) if draw.random() < 0.5 else min(len(spoilt), 200)
        place = draw.randrange(end)
        length = draw.choice((1, 1, 2, 4, 30))
        what = draw.randrange(5)
        if what == 0:
            spoilt[place : place + length] = draw.randbytes(length)
        elif what == 1:
            spoilt[place : place + length] = draw.choice((b"\0", b"\xff", b"\x7f")) * length
        elif what == 2 and len(spoilt) > 50:
            del spoilt[place : place + length]
        elif what == 3:
            spoilt[place:place] = spoilt[place : place + length]
        else:
            spoilt[place] ^= 1 << draw.randrange(8)
    return bytes(spoilt[: draw.randrange(1, len(spoilt))]) if draw.random() < 0.1 else bytes(spoilt)


@pytest.mark.parametrize("name", GOOD)
def test_a_spoilt_picture_is_a_picture_or_a_reason(name):
    draw = random.Random(name)
    reasons = set()
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(EACH):
            data = spoil(GOOD[name], draw)
            try:
                done = normalise(data, LIMITS)
            except PictureError as error:
                reasons.add(error.reason if "\n" not in error.detail else "two lines")
                continue
            image = decode_kept(done.bytes)
            assert image.size == decode(data, LIMITS).size == (done.width, done.height)
            assert image.mode == "RGB"
    assert reasons <= set(REASONS)
    assert time.process_time() - began < 10


@pytest.mark.parametrize("name", ["jpeg", "turned", "png", "webp", "deep", "gif"])
def test_a_spoilt_picture_of_a_data_set_is_a_picture_or_a_reason(name):
    draw = random.Random(name)
    reasons = set()
    for _ in range(EACH):
        try:
            assert decode_stored(spoil(GOOD[name], draw)).mode == "RGB"
        except PictureError as error:
            reasons.add(error.reason)
    assert reasons <= set(REASONS)


def test_a_spoilt_mask_is_a_mask_or_a_line():
    data = encoded(noise(5, (40, 24)).convert("L"))
    draw = random.Random(5)
    lines = set()
    for _ in range(EACH * 3):
        try:
            assert decode_mask(spoil(data, draw), (40, 24)).size == (40, 24)
        except MaskError as error:
            lines |= {len(str(error).splitlines())}
    assert lines == {1}
