"""The losses of ZestGuide, against numbers worked out by hand."""

import math

import pytest
import torch

from editing.editors.zestguide.losses import layout_losses, segment_attention, segment_loss

TARGET = torch.tensor([[1.0, 0.0]])


def test_a_phrase_s_attention_is_the_sum_over_its_tokens():
    maps = torch.tensor([[[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]]])
    torch.testing.assert_close(segment_attention(maps, [0, 2]), torch.tensor([[0.8, 0.75]]))


@pytest.mark.parametrize(("weight", "more"), [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5)])
def test_both_cross_entropies(weight, more):
    attention = torch.tensor([[0.4, 0.2]])
    plain = -(math.log(0.4) + math.log(1 - 0.2)) / 2
    normalised = -(math.log(1 - 1e-6) + math.log(1 - 0.2 / 0.4)) / 2
    found = float(segment_loss(attention, TARGET, weight_normalised=weight))
    assert found == pytest.approx(plain + more * normalised, abs=1e-5)


def test_a_share_of_a_place():
    found = float(
        segment_loss(torch.full((1, 1), 0.3), torch.full((1, 1), 0.25), weight_normalised=0)
    )
    assert found == pytest.approx(-(0.25 * math.log(0.3) + 0.75 * math.log(0.7)), abs=1e-6)


@pytest.mark.parametrize("weight", [0.0, 1.0])
@pytest.mark.parametrize("values", [[[0.0, 1.0]], [[1.0, 0.0]], [[0.0, 0.0]], [[0.5, 0.5]]])
def test_loss_and_gradient_are_finite_at_the_ends(values, weight):
    attention = torch.tensor(values, requires_grad=True)
    loss = segment_loss(attention, TARGET, weight_normalised=weight)
    (gradient,) = torch.autograd.grad(loss, attention)
    assert bool(torch.isfinite(loss))
    assert bool(torch.isfinite(gradient).all())


def test_an_example_s_loss_is_the_sum_over_its_segments_and_of_no_other_example():
    maps = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)) / 5
    targets = [torch.ones(2, 3, 4), torch.zeros(1, 3, 4)]
    tokens = [[(0,), (2, 3)], [(1,)]]
    found = layout_losses(maps, tokens, targets, weight_normalised=1)
    expected = [
        segment_loss(maps[0, ..., 0], targets[0][0], weight_normalised=1)
        + segment_loss(maps[0, ..., [2, 3]].sum(-1), targets[0][1], weight_normalised=1),
        segment_loss(maps[1, ..., 1], targets[1][0], weight_normalised=1),
    ]
    torch.testing.assert_close(found, expected)
