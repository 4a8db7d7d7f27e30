"""Pictures of the page: what they show, and what happens to broken ones."""

import base64
import io

import numpy as np
import pytest
from fakes.pictures import encoded
from PIL import Image

from pipelines.report.pictures import (
    LARGEST_SIDE,
    SOURCE_COLOUR,
    mask_as_array,
    open_side,
    put_on_page,
    scale_down,
)
from transforms.dataset.rows import image_struct
from transforms.pictures.overlay import outline, overlay


def noise(width, height, mode="RGB"):
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(pixels)


def test_a_small_picture_is_shown_pixel_for_pixel():
    image = noise(64, 48)
    shown = put_on_page(image)
    head, _, data = shown.address.partition(",")
    assert head == "data:image/png;base64"
    assert (shown.width, shown.height, shown.pixelated) == (64, 48, True)
    with Image.open(io.BytesIO(base64.b64decode(data))) as again:
        assert (np.asarray(again) == np.asarray(image)).all()


def test_a_large_picture_is_scaled_down_and_compressed():
    shown = put_on_page(scale_down(noise(900, 300)))
    assert shown.address.startswith("data:image/jpeg;base64,")
    assert (shown.width, shown.height, shown.pixelated) == (LARGEST_SIDE, 75, False)
    assert scale_down(noise(2000, 1)).size == (LARGEST_SIDE, 1)


def row_of(picture, mask, status="computed"):
    """What is read of a pair for one side of it."""
    return {
        "key": "a-0",
        "mask_status": status,
        "input_image": image_struct(picture),
        "source_mask": image_struct(mask),
    }


PICTURE, MASK = encoded(noise(9, 9)), encoded(noise(9, 9, "L"))
SPOILT = [None, b"", b"no picture", PICTURE[:60]]


@pytest.mark.parametrize("data", SPOILT)
def test_what_cannot_be_decoded_is_no_picture(data):
    assert open_side(row_of(data, MASK), "source") == (None, None)


@pytest.mark.parametrize("data", [*SPOILT, PICTURE, encoded(noise(8, 9, "L"))])
def test_what_is_no_mask_of_its_picture_is_no_mask(data):
    picture, mask = open_side(row_of(PICTURE, data), "source")
    assert (np.asarray(picture) == np.asarray(noise(9, 9))).all()
    assert mask is None


def test_a_picture_comes_with_its_mask_where_that_was_computed():
    _, mask = open_side(row_of(PICTURE, MASK), "source")
    assert (np.asarray(mask) == np.asarray(noise(9, 9, "L"))).all()
    assert open_side(row_of(PICTURE, MASK, "not_computed"), "source")[1] is None


def test_inside_the_mask_the_picture_is_unchanged_and_outside_it_is_veiled():
    image = noise(32, 32)
    mask = np.zeros((32, 32), bool)
    mask[8:20, 10:24] = True
    pixels = np.asarray(overlay(image, mask, SOURCE_COLOUR))
    assert pixels.shape == (64, 64, 3)
    doubled = np.asarray(image).repeat(2, axis=0).repeat(2, axis=1)
    inside = mask.repeat(2, axis=0).repeat(2, axis=1)
    assert (pixels[inside] == doubled[inside]).all()
    assert (pixels[15, 20:48] == SOURCE_COLOUR).all()
    corner = pixels[:10, :10]
    assert corner.min() > 170
    assert np.ptp(corner.astype(int), axis=2).max() <= 10


def test_an_empty_mask_veils_all_and_a_full_one_nothing():
    image = noise(32, 32)
    empty = np.asarray(overlay(image, np.zeros((32, 32), bool), SOURCE_COLOUR))
    full = np.asarray(overlay(image, np.ones((32, 32), bool), SOURCE_COLOUR))
    assert empty.min() > 170
    doubled = np.asarray(image).repeat(2, axis=0).repeat(2, axis=1)
    assert (full[1:-1, 1:-1] == doubled[1:-1, 1:-1]).all()


def test_the_outline_is_one_pixel_outside_the_mask_or_on_the_border():
    mask = np.zeros((7, 7), bool)
    mask[2:4, 2:4] = True
    assert outline(mask).sum() == 12
    assert not (outline(mask) & mask).any()
    assert outline(np.ones((7, 7), bool)).sum() == 24
    assert not outline(np.zeros((7, 7), bool)).any()


def test_a_mask_is_brought_to_the_size_of_its_picture():
    mask = np.zeros((8, 8), np.uint8)
    mask[:4] = 255
    marked = mask_as_array(Image.fromarray(mask), (4, 2))
    assert marked.tolist() == [[True] * 4, [False] * 4]
