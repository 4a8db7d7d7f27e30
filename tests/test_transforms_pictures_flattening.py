"""Pixels of any kind as RGB or grey of 8 bits: strip by strip the same as all at once."""

import tracemalloc

import numpy as np
import pytest
from fakes.pictures import noise
from PIL import Image

from transforms.pictures.flattening import flatten
from transforms.pictures.limits import PictureError

SIZE = (1100, 1300)
"""More than one strip of about a million pixels."""


def test_every_16_bit_value_becomes_the_nearest_8_bit_one():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    found = np.asarray(flatten(Image.fromarray(values), 1))
    assert np.array_equal(found, np.rint(values / 257).astype(np.uint8))


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_deep_grey_in_strips_is_as_at_once(mode):
    values = np.random.default_rng(0).integers(0, 65536, (SIZE[1], SIZE[0]))
    kind = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}[mode]
    image = Image.frombytes(mode, SIZE, values.astype(kind).tobytes())
    found = flatten(image, 1)
    assert found.mode == "L"
    assert np.array_equal(np.asarray(found), np.rint(values / 257).astype(np.uint8))


@pytest.mark.parametrize("value", [-1, 65536])
def test_grey_without_a_range_is_refused_wherever_it_stands(value):
    values = np.zeros((SIZE[1], SIZE[0]), np.int32)
    values[-1, -1] = value
    with pytest.raises(PictureError, match="beyond 16 bits"):
        flatten(Image.fromarray(values), 1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P", "RGB", "L"])
def test_transparency_in_strips_is_as_at_once(mode):
    picture = noise(1, SIZE)
    alpha = noise(2, SIZE).convert("L")
    if mode in ("P", "RGB", "L"):
        image = picture.convert("P") if mode == "P" else picture.convert(mode)
        image.info["transparency"] = {"P": 3, "RGB": picture.getpixel((5, 5)), "L": 77}[mode]
    elif mode == "PA":
        image = picture.convert("P").convert("PA")
    else:
        image = picture.convert(mode)
        image.putalpha(alpha)
    layer = image.convert("RGBA")
    white = Image.new("RGBA", SIZE, "white")
    expected = Image.alpha_composite(white, layer).convert("RGB")
    assert np.array_equal(np.asarray(flatten(image, 1)), np.asarray(expected))


def test_what_is_flat_already_is_not_copied():
    image = noise(3, (40, 30))
    assert flatten(image, 1) is image


def test_deep_grey_needs_no_more_room_than_its_pixels():
    image = Image.fromarray(np.full((2500, 2500), 999, np.uint16))
    tracemalloc.start()
    flatten(image, 1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Pillow's own pictures are not traced: this is what numpy and Python take besides them.
    assert most < 2.5 * 2500 * 2500
