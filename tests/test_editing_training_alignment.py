"""Pseudo-targets are moved to where the source's thing is."""

import pytest
import torch

from editing.training.alignment import align_target, centre_of, move

SIDE = 16


def a_square(top, left, side=4):
    mask = torch.zeros(1, SIDE, SIDE)
    mask[:, top : top + side, left : left + side] = 1
    return mask


def a_picture(seed=0):
    return torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def test_the_centre_is_the_mean_place():
    assert centre_of(a_square(2, 6)).tolist() == [3.5, 7.5]
    assert centre_of(torch.zeros(1, SIDE, SIDE)) is None


@pytest.mark.parametrize(("top", "left"), [(2, 6), (9, 1), (5, 5)])
def test_a_thing_comes_to_lie_where_the_source_s_lies(top, left):
    picture = a_picture()
    target, mask = align_target(
        picture, source_mask=a_square(5, 5), target_mask=a_square(top, left)
    )
    assert torch.equal(mask, a_square(5, 5))
    thing = picture[:, top : top + 4, left : left + 4]
    assert torch.equal(target[:, 5:9, 5:9], thing)


def test_things_of_another_size_share_their_centre():
    _, mask = align_target(
        a_picture(), source_mask=a_square(8, 8, side=2), target_mask=a_square(1, 1, side=6)
    )
    assert centre_of(mask).tolist() == centre_of(a_square(8, 8, side=2)).tolist()


def test_the_edge_is_repeated():
    picture = a_picture()
    moved = move(picture, 2, -1)
    assert torch.equal(moved[:, 2:, :-1], picture[:, :-2, 1:])
    assert torch.equal(moved[:, 0, :-1], picture[:, 0, 1:])
    assert torch.equal(moved[:, 2:, -1], picture[:, :-2, -1])


@pytest.mark.parametrize("empty", ["source", "target"])
def test_an_empty_mask_moves_nothing(empty):
    picture, nothing = a_picture(), torch.zeros(1, SIDE, SIDE)
    masks = {"source_mask": a_square(1, 1), "target_mask": a_square(9, 9)}
    masks[f"{empty}_mask"] = nothing
    target, mask = align_target(picture, **masks)
    assert torch.equal(target, picture)
    assert torch.equal(mask, masks["target_mask"])
