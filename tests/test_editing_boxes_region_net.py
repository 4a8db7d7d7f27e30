"""Equations 1 and 2 of Learnable Regions, and the trick by which boxes are drawn."""

import torch
from torch import nn
from torchvision.ops import roi_pool as torchvision_roi_pool

from editing.boxes.geometry import Box
from editing.boxes.region_net import (
    RegionNet,
    roi_pool,
    selection_probabilities,
    straight_through,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class TestRoiPool:
    def test_by_hand(self):
        features = torch.arange(16.0).view(1, 4, 4)
        (pooled,) = roi_pool(features, [Box(1, 1, 3, 4)], 2)
        # Rows 1-2 and 2-3 of three (they share one), columns 1 and 2 apart.
        assert pooled.tolist() == [[[9.0, 10.0], [13.0, 14.0]]]

    def test_it_is_torchvision_s(self):
        features = torch.randn(5, 8, 8, generator=seeded())
        boxes = [Box(0, 0, 8, 8), Box(2, 3, 5, 4), Box(7, 7, 8, 8), Box(1, 0, 4, 6)]
        # Its boxes end IN their last patch, ours before the one that follows.
        rows = [[0.0, box.left, box.top, box.right - 1, box.bottom - 1] for box in boxes]
        expected = torchvision_roi_pool(features[None], torch.tensor(rows), 7, 1.0)
        torch.testing.assert_close(roi_pool(features, boxes), expected, rtol=0, atol=0)


class TestRegionNet:
    def test_its_layers_are_the_paper_s(self):
        net = RegionNet(96, 7)
        shapes = [tuple(p.shape) for p in net.parameters() if p.ndim > 1]
        assert shapes == [(8, 96 * 7, 1, 1), (4, 8, 1, 1), (4, 196), (7, 4)]
        assert sum(isinstance(layer, nn.ReLU) for layer in net.layers) == 3

    def test_boxes_are_told_apart_by_their_channels(self):
        net = RegionNet(2, 3)
        pooled = torch.randn(4, 3, 2, 7, 7, generator=seeded())
        logits = net(pooled)
        assert logits.shape == (4, 3)
        swapped = net(pooled[:, [1, 0, 2]])
        assert not torch.allclose(logits, swapped)

    def test_probabilities_by_hand(self):
        found = selection_probabilities(torch.tensor([[0.0, 0.0], [0.0, 1.0986123]]))
        torch.testing.assert_close(found, torch.tensor([[0.5, 0.5], [0.25, 0.75]]))


class TestStraightThrough:
    def test_one_box_of_each_anchor_is_drawn(self):
        drawn = straight_through(torch.zeros(50, 4), seeded())
        assert set(drawn.flatten().tolist()) == {0.0, 1.0}
        assert torch.equal(drawn.sum(1), torch.ones(50))

    def test_it_is_drawn_by_the_softmax(self):
        logits = torch.tensor([[0.0, 1.0, 2.0]]).expand(20_000, -1)
        shares = straight_through(logits, seeded()).mean(0)
        torch.testing.assert_close(shares, torch.softmax(logits[0], 0), atol=0.015, rtol=0)

    def test_the_gradient_is_the_softmax_s(self):
        logits = torch.randn(1, 5, generator=seeded(1), requires_grad=True)
        weight = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
        (straight_through(logits, seeded(2)) * weight).sum().backward()
        uniform = torch.rand(1, 5, generator=seeded(2), dtype=torch.float64)
        noise = -torch.log(-torch.log(uniform))
        other = logits.detach().clone().requires_grad_()
        (torch.softmax(other + noise.float(), -1) * weight).sum().backward()
        torch.testing.assert_close(logits.grad, other.grad)

    def test_the_temperature_changes_gradients_alone(self):
        def drawn(temperature):
            logits = torch.zeros(64, 2, requires_grad=True)
            found = straight_through(logits, seeded(), temperature=temperature)
            (found * torch.tensor([0.0, 1.0])).sum().backward()
            return found.detach(), logits.grad

        (warm, warm_gradient), (cold, cold_gradient) = drawn(1.0), drawn(0.1)
        assert torch.equal(warm, cold)
        assert not torch.allclose(warm_gradient, cold_gradient)
