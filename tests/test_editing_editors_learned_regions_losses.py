"""Equations 3 to 7 of Learnable Regions against values computed by hand."""

import math

import pytest
import torch

from editing.editors.learned_regions.losses import (
    clip_loss,
    composite,
    direction_loss,
    expected_loss,
    quality_score,
    self_similarity,
    structure_loss,
    total_loss,
)
from editing.editors.learned_regions.settings import LossWeights


def vectors(*rows):
    return torch.tensor([list(map(float, row)) for row in rows])


def close(found, *expected):
    torch.testing.assert_close(found, torch.tensor(expected))


def test_clip_loss_is_one_minus_the_cosine():  # equation 4
    edits = vectors((3, 4), (0, 2), (-1, 0))
    close(clip_loss(edits, vectors((1, 0))), 0.4, 1.0, 2.0)


def test_self_similarity_is_the_cosine_of_every_two_patches():
    found = self_similarity(vectors((2, 0), (0, 3), (1, 1))[None])
    half = math.sqrt(0.5)
    close(found[0], [1, 0, half], [0, 1, half], [half, half, 1])


def test_structure_loss_is_the_mean_squared_difference():  # equation 5
    source = vectors((1, 0), (0, 1))[None]
    same = vectors((5, 0), (0, 7))[None]  # lengths do not count
    equal = vectors((1, 0), (1, 0))[None]  # patches that were unlike are alike: two of four are off
    close(structure_loss(torch.cat([same, equal]), source), 0.0, 0.5)


def test_direction_loss_compares_the_change_with_what_the_words_change():  # equation 6
    source, target, phrase = vectors((1, 0)), vectors((0, 1)), vectors((1, 0))
    along, still, against = (0, 2), (1, 0), (0, -1)
    edits = vectors(along, still, against)
    # against: (-1, -1) beside (-1, 1)
    close(direction_loss(edits, source, target, phrase), 0.0, 1.0, 1.0)


def test_direction_loss_of_words_that_change_nothing_is_one():
    one = vectors((1, 0))
    close(direction_loss(vectors((0, 1)), one, one, one), 1.0)


def test_total_loss_is_the_weighted_sum():  # equation 3
    terms = torch.tensor([0.1]), torch.tensor([0.2]), torch.tensor([0.4])
    close(total_loss(*terms, LossWeights()), 0.7)
    close(total_loss(*terms, LossWeights(clip=2, structure=0, direction=0.5)), 0.4)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"clip": -1.0}, "weight_clip must be at least 0, got -1.0"),
        ({"structure": math.nan}, "weight_structure must be at least 0, got nan"),
        ({"clip": 0, "structure": 0, "direction": 0}, "at least one of the losses"),
    ],
)
def test_weights_that_make_no_loss_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        LossWeights(**weights)


def test_quality_score_is_two_to_one():  # equation 7
    edits = vectors((1, 0), (0, 1), (3, 4))
    close(quality_score(edits, source=vectors((0, 1)), target=vectors((1, 0))), 2.0, 1.0, 2.0)


def test_expected_loss_by_hand():
    probabilities = torch.tensor([[0.25, 0.75], [1.0, 0.0]])
    losses = torch.tensor([[4.0, 8.0], [1.0, 100.0]])
    assert expected_loss(probabilities, losses).item() == (1 + 6 + 1) / 2


def test_the_composite_is_the_edit_in_its_box_and_its_gradient_the_mask_s():
    chosen = torch.tensor([0.0, 1.0], requires_grad=True)
    masks = torch.zeros(2, 1, 2, 2)
    masks[0, 0, 0, 0] = masks[1, 0, 1, 1] = 1
    edits = torch.stack([torch.full((3, 2, 2), 0.5), torch.full((3, 2, 2), 0.8)])
    source = torch.zeros(3, 2, 2)
    made = composite(chosen, masks, edits, source)
    expected = torch.zeros(1, 3, 2, 2)
    expected[..., 1, 1] = 0.8
    close(made, *expected.tolist())
    made.sum().backward()
    # Both boxes pull with the CHOSEN edit: 3 channels x 0.8, though the first box's own is 0.5.
    close(chosen.grad, 2.4, 2.4)
