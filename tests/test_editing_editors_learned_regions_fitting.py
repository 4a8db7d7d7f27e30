"""Fitting a region network to one picture: the exact objective and the paper's."""

import pytest
import torch
from fakes.regions import ColourClip, ColourInpainter, SpotBackbone

from editing.boxes.proposals import propose
from editing.editors.learned_regions.choosing import choose_best, choose_of_each, rank_values
from editing.editors.learned_regions.fitting import (
    exact_loss,
    fit_region_net,
    straight_through_loss,
)
from editing.editors.learned_regions.judging import judge_in_parts, make_judge, with_area
from editing.editors.learned_regions.painting import paint_boxes
from editing.editors.learned_regions.settings import LossWeights


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def found():
    """Proposals, painted boxes, judge and losses (K, M) of a blue picture that shall be red."""
    source = torch.tensor([-1.0, -1.0, 1.0]).view(3, 1, 1).expand(3, 16, 16)
    proposals = propose(SpotBackbone(), source, anchors=2, sizes=4)
    inpainter = ColourInpainter()
    painted = paint_boxes(
        inpainter,
        source,
        proposals,
        prompt="a red square",
        seed=3,
        settings=inpainter.defaults,
        at_once=3,
    )
    judge = make_judge(
        ColourClip(), source[None], prompt="a red square", phrase="blue", weights=LossWeights()
    )
    worth = judge_in_parts(judge, painted.edits, at_once=3)
    return source[None], proposals, painted, judge, worth


def test_all_boxes_are_painted_from_the_same_noise(found):
    _, proposals, painted, _, _ = found
    inside = [
        edit[:, mask[0] > 0.5].unique(dim=1)
        for edit, mask in zip(painted.edits, painted.masks, strict=True)
    ]
    assert len(inside) == len(proposals.distinct)
    assert all(torch.equal(each, inside[0]) for each in inside)


def test_the_exact_gradient_by_hand():
    losses = torch.tensor([[1.0, 3.0]])
    logits = torch.zeros(1, 2, requires_grad=True)
    exact_loss(losses)(logits).backward()
    # pi_j (L_j - sum_i pi_i L_i) = 0.5 (1 - 2) and 0.5 (3 - 2)
    torch.testing.assert_close(logits.grad, torch.tensor([[-0.5, 0.5]]))


def test_fitting_exactly_ends_at_the_smallest_loss_of_each_anchor(found):
    _, proposals, painted, _, worth = found
    losses = worth.loss[painted.places]
    fit = {"steps": 400, "learning_rate": 0.02, "seed": 1}
    probabilities = fit_region_net(proposals.pooled(), exact_loss(losses), **fit)
    assert torch.equal(probabilities.argmax(1), losses.argmin(1))
    torch.testing.assert_close(probabilities.sum(1), torch.ones(2))


def test_fitting_is_a_function_of_its_seed_and_leaves_torch_s_alone(found):
    _, proposals, painted, judge, _ = found
    torch.manual_seed(5)
    before = torch.random.get_rng_state()

    def fit(seed):
        loss_of = straight_through_loss(painted, found[0], judge, seeded(2))
        return fit_region_net(proposals.pooled(), loss_of, steps=3, learning_rate=0.01, seed=seed)

    assert torch.equal(fit(1), fit(1))
    assert not torch.equal(fit(1), fit(2))
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_straight_through_loss_is_that_of_the_boxes_drawn(found):
    source, _, painted, judge, worth = found
    logits = torch.tensor([[50.0, 0, 0, 0], [0, 0, 50.0, 0]], requires_grad=True)
    loss = straight_through_loss(painted, source, judge, seeded())(logits)
    expected = (worth.loss[painted.places[0, 0]] + worth.loss[painted.places[1, 2]]) / 2
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert torch.isfinite(logits.grad).all()


def test_a_box_s_area_adds_to_the_drawn_loss_and_to_its_gradient(found):
    source, _, painted, judge, _ = found
    areas = painted.masks.mean((1, 2, 3))[painted.places]
    gradients = []
    for weight in (0.0, 2.0):
        logits = torch.tensor([[50.0, 0, 0, 0], [0, 0, 50.0, 0]], requires_grad=True)
        loss = straight_through_loss(painted, source, judge, seeded(), weight_area=weight)(logits)
        (gradient,) = torch.autograd.grad(loss, logits)
        gradients.append((loss.detach(), gradient))
    (plain, _), (dearer, _) = gradients
    torch.testing.assert_close(dearer - plain, areas[0, 0] + areas[1, 2])  # the mean of twice both
    flat = torch.zeros(2, 4, requires_grad=True)
    for weight in (0.0, 1e4):
        drawn = straight_through_loss(painted, source, judge, seeded(), weight_area=weight)
        (gradient,) = torch.autograd.grad(drawn(flat), flat)
    assert torch.equal(gradient.argmin(1), areas.argmin(1))  # pushed towards the smallest most


def test_what_edits_are_worth_with_their_regions_area(found):
    _, _, painted, _, worth = found
    dearer = with_area(worth, painted.areas, 0.5)
    torch.testing.assert_close(dearer.loss - worth.loss, painted.masks.mean((1, 2, 3)) / 2)
    assert torch.equal(dearer.score, worth.score)


def test_boxes_are_chosen_by_the_smallest_value():
    values = torch.tensor([[3.0, 1.0], [0.5, 2.0]])
    best = choose_best(values)
    assert (best.anchor, best.size) == (1, 0)
    assert best.probabilities.tolist() == [[0, 1], [1, 0]]
    likely = choose_of_each(values, torch.tensor([[0.1, 0.9], [0.2, 0.8]]))
    assert (likely.anchor, likely.size) == (0, 1)


def test_the_best_has_the_least_loss_or_the_largest_score(found):
    worth = found[-1]
    assert rank_values(worth, "loss").argmin() == worth.loss.argmin()
    assert rank_values(worth, "score").argmin() == worth.score.argmax()
