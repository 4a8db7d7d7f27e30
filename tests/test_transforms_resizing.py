"""Resizing pictures of any shape: as Pillow does it, at the cost of what comes in and goes out."""

import time
import tracemalloc

import numpy as np
import pytest
from fakes.pictures import noise
from PIL import Image

from transforms.models.pictures import PictureProcessor
from transforms.pictures.masks import mark_region
from transforms.pictures.structure import structure_map
from transforms.resizing import cut_ends, resize_cheaply

BOX = Image.Resampling.BOX


@pytest.mark.parametrize("size", [(30, 20), (20, 1000), (1000, 20), (64, 64)])
def test_usual_shapes_are_resized_as_ever(size):
    image = noise(0, size)
    for wanted in ((64, 64), (10, 500), (500, 10)):
        found = resize_cheaply(image, wanted, BOX)
        assert found.tobytes() == image.resize(wanted, BOX).tobytes()


@pytest.mark.parametrize("size", [(16, 3000), (3000, 16)])
def test_extreme_shapes_differ_by_a_grey_level_at_most(size):
    image = noise(1, size)
    for wanted in ((64, 64), (224, 224)):
        found = np.asarray(resize_cheaply(image, wanted, BOX), int)
        assert np.abs(found - np.asarray(image.resize(wanted, BOX), int)).max() <= 1


@pytest.mark.parametrize("size", [(400_000, 16), (16, 400_000)])
def test_no_stage_pays_for_an_extreme_shape(size):
    """Resized across first, these were pictures of 90 and more megapixels on the way."""
    image = Image.new("RGB", size, (9, 99, 9))
    middle = PictureProcessor(height=224, width=224, shortest_edge=224)
    whole = PictureProcessor(height=352, width=352)
    began = time.process_time()
    tracemalloc.start()
    assert middle.fit(image).getpixel((100, 100)) == (9, 99, 9)
    assert whole.fit(image).getpixel((100, 100)) == (9, 99, 9)
    structure_map(image)
    region = mark_region(np.ones((352, 352), np.float32), size)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert region.shape == (size[1], size[0])
    assert region.min() == 255
    assert most < 200_000_000
    assert time.process_time() - began < 5


def test_the_ends_of_a_long_picture_are_cut_alike():
    assert cut_ends(noise(2, (500, 10))).size == (500, 10)
    long = noise(3, (10, 520))
    assert cut_ends(long).tobytes() == long.crop((0, 10, 10, 510)).tobytes()
