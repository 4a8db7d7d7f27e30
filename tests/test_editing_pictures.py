"""Pictures and masks to tensors and back, at the sizes that networks take."""

import numpy as np
import pytest
import torch
from fakes.pictures import encoded
from PIL import Image

from editing.pictures import (
    fit_sides,
    fit_square,
    mask_to_tensor,
    picture_to_tensor,
    places_by_size,
    places_in_batches,
    resize,
    tensor_to_picture,
    to_latent_mask,
    working_sides,
)


def test_a_picture_comes_back_from_its_tensor():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    tensor = picture_to_tensor(Image.fromarray(pixels))
    assert (tensor.shape, tensor.min() >= -1, tensor.max() <= 1) == ((3, 5, 7), True, True)
    assert np.array_equal(np.asarray(tensor_to_picture(tensor)), pixels)


def test_what_lies_outside_is_clamped():
    far = tensor_to_picture(torch.tensor([-9.0, 0.0, 9.0]).view(3, 1, 1))
    assert np.asarray(far).tolist() == [[[0, 128, 255]]]


def test_a_picture_that_is_not_rgb_is_refused():
    with pytest.raises(ValueError, match="must be RGB, got L"):
        picture_to_tensor(Image.new("L", (2, 2)))


def test_the_middle_square_is_kept():
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, 2:6] = 255
    assert np.asarray(fit_square(Image.fromarray(wide), 4)).min() == 255


def test_masks_stay_masks():
    mask = Image.fromarray(np.kron(np.eye(4, dtype=np.uint8) * 255, np.ones((3, 3), np.uint8)))
    assert set(mask_to_tensor(fit_square(mask, 7)).unique().tolist()) == {0, 1}
    assert encoded(np.asarray(mask)) == encoded(np.asarray(fit_square(mask, 12)))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((64, 64), (64, 64)),
        ((640, 427), (96, 64)),
        ((10, 1000), (64, 6400)),
        ((3, 3), (64, 64)),
    ],
)
def test_sides_are_multiples_and_about_the_aspect(size, expected):
    assert fit_sides(size, shorter=64, multiple=16) == expected


def test_masks_shrink_to_latents_by_majority():
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2, :2] = 1
    mask[..., 0, 2:] = 1  # half of a latent: not more
    mask[..., 2:, :2] = torch.tensor([[1, 1], [1, 0]])
    assert to_latent_mask(mask, 2).tolist() == [[[[1, 0], [1, 0]]]]


def test_what_has_one_size_stands_together_in_order():
    sizes = [(2, 3), (4, 4), (2, 3), (3, 2)]
    assert places_by_size(sizes) == {(2, 3): [0, 2], (4, 4): [1], (3, 2): [3]}
    assert places_by_size([]) == {}


def test_a_resized_mask_has_no_values_beyond_its_own():
    mask = Image.fromarray(np.kron(np.eye(4, dtype=np.uint8) * 255, np.ones((3, 3), np.uint8)))
    steep = np.asarray(resize(mask, (30, 30)))
    assert (steep[:6, :6] == 255).all()  # Lanczos would swing below it and above 0 outside
    assert (steep[:5, 12:] == 0).all()
    assert resize(mask, mask.size) is mask


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((64, 64), (64, 64)),
        ((640, 427), (96, 64)),
        ((16, 64), (64, 256)),
        ((64, 600), (32, 256)),
        ((16, 3000), (16, 256)),
        ((20000, 16), (256, 16)),
        ((1, 50_000_000), (16, 256)),
        ((9000, 9000), (64, 64)),
    ],
)
def test_what_is_worked_at_is_bounded_by_the_model(size, expected):
    assert working_sides(size, shorter=64, multiple=16) == expected


def test_pictures_of_one_size_are_taken_together_within_bounds():
    sizes = [(10, 10), (20, 10), (10, 10), (10, 10), (900, 900)]
    found = list(places_in_batches(sizes, most=2, most_pixels=1000))
    assert found == [[0, 2], [3], [1], [4]]
    assert list(places_in_batches(sizes[:3], most_pixels=199)) == [[0], [2], [1]]
