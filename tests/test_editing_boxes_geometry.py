"""Anchors and the boxes around them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from editing.boxes.geometry import (
    Anchor,
    Box,
    box_cells,
    find_anchors,
    half_sizes,
    propose_boxes,
)
from editing.errors import EditError, NotFiniteError


class TestAnchors:
    def test_they_are_where_is_looked_most_first_the_most(self):
        attention = torch.tensor([[0.1, 0.4, 0.0], [0.3, 0.2, 0.35]])
        assert find_anchors(attention, 3) == (Anchor(0, 1), Anchor(1, 2), Anchor(1, 0))

    def test_of_equals_the_first_in_reading_order_comes_first(self):
        assert find_anchors(torch.zeros(2, 2), 3) == (Anchor(0, 0), Anchor(0, 1), Anchor(1, 0))

    @pytest.mark.parametrize("count", [0, -1, 7])
    def test_there_must_be_so_many(self, count):
        with pytest.raises(EditError, match=rf"anchors must be in \[1, 6\].*got {count}"):
            find_anchors(torch.zeros(2, 3), count)

    @pytest.mark.parametrize("value", [torch.nan, torch.inf])
    def test_attention_that_is_no_number_is_told(self, value):
        attention = torch.zeros(2, 2)
        attention[1, 0] = value
        with pytest.raises(NotFiniteError, match="attention"):
            find_anchors(attention, 1)


class TestSizes:
    def test_seven_are_those_of_the_paper_on_a_grid_of_32(self):
        assert [half * 32 for half in half_sizes(7)] == [4, 6, 8, 10, 12, 14, 16]

    def test_one_alone_is_the_middle_one(self):
        assert half_sizes(1) == (half_sizes(3)[1],)

    def test_there_is_at_least_one(self):
        with pytest.raises(EditError, match="sizes must be at least 1, got 0"):
            half_sizes(0)


class TestBoxes:
    def test_they_are_squares_around_the_middle_of_the_patch(self):
        boxes = propose_boxes(Anchor(3, 4), (1 / 8, 1 / 4), grid=(8, 8), size=(64, 64))
        assert boxes == (Box(28, 20, 44, 36), Box(20, 12, 52, 44))

    def test_they_are_cut_off_at_the_border(self):
        (box,) = propose_boxes(Anchor(0, 7), (1 / 4,), grid=(8, 8), size=(64, 64))
        assert box == Box(44, 0, 64, 20)

    def test_they_are_squares_in_pictures_that_are_none(self):
        (box,) = propose_boxes(Anchor(1, 4), (1 / 4,), grid=(4, 8), size=(64, 128))
        assert box == Box(56, 8, 88, 40)

    def test_a_box_larger_than_the_picture_is_the_picture(self):
        (box,) = propose_boxes(Anchor(0, 0), (2.0,), grid=(1, 3), size=(8, 24))
        assert box == Box(0, 0, 20, 8)

    def test_an_anchor_outside_of_the_grid_is_refused(self):
        with pytest.raises(ValueError, match="must lie in the grid of 8 x 8"):
            propose_boxes(Anchor(8, 0), (0.1,), grid=(8, 8), size=(64, 64))

    def test_a_mask_is_one_inside(self):
        mask = Box(1, 0, 3, 2).mask(3, 4)
        assert mask.tolist() == [[[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]]

    @pytest.mark.parametrize("corners", [(0, 0, 5, 1), (0, 0, 1, 4)])
    def test_a_box_outside_of_its_picture_has_no_mask(self, corners):
        with pytest.raises(ValueError, match="must lie in its picture of 4 x 3"):
            Box(*corners).mask(3, 4)

    @pytest.mark.parametrize("corners", [(-1, 0, 2, 2), (0, -1, 2, 2), (2, 0, 2, 2), (0, 3, 2, 2)])
    def test_a_box_holds_a_pixel_of_the_picture(self, corners):
        with pytest.raises(ValueError, match="a box must"):
            Box(*corners)

    def test_it_is_scaled_to_what_covers_it(self):
        assert Box(1, 2, 3, 4).scaled((4, 4), (6, 8)) == Box(1, 4, 5, 8)
        assert Box(0, 0, 4, 4).scaled((4, 4), (1, 1)) == Box(0, 0, 1, 1)


@given(
    grid=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    patch=st.integers(1, 16),
    place=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
    half=st.floats(0.001, 1),
)
def test_every_box_lies_in_its_picture_and_holds_its_anchor(grid, patch, place, half):
    size = (grid[0] * patch, grid[1] * patch)
    anchor = Anchor(int(place[0] * grid[0]), int(place[1] * grid[1]))
    (box,) = propose_boxes(anchor, (half,), grid=grid, size=size)
    assert box.mask(*size).sum() == (box.right - box.left) * (box.bottom - box.top)
    cells = box_cells(box, grid=grid, size=size)
    assert cells.mask(*grid)[0, anchor.row, anchor.column] == 1


def test_the_cells_of_a_box_are_those_it_touches():
    assert box_cells(Box(9, 0, 16, 1), grid=(8, 8), size=(64, 64)) == Box(1, 0, 2, 1)
    assert box_cells(Box(7, 15, 17, 17), grid=(8, 8), size=(64, 64)) == Box(0, 1, 3, 3)
