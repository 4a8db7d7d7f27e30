"""What edits are worth, in one view and in several."""

import torch
from fakes.regions import ColourClip

from editing.editors.learned_regions.judging import (
    SHIFTS,
    join_worths,
    judge_in_parts,
    make_judge,
    move,
)
from editing.editors.learned_regions.settings import MOST_VIEWS, LossWeights


def pictures(count, seed=1, size=(32, 32)):
    drawn = torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(seed))
    return drawn * 2 - 1


def judge_of(source, **changes):
    words = {"prompt": "red", "phrase": "blue", "weights": LossWeights()}
    return make_judge(ColourClip(), source, **(words | changes))


def test_there_are_as_many_views_as_can_be_asked_for():
    assert len(SHIFTS) == MOST_VIEWS
    assert SHIFTS[0] == (0, 0)


def test_a_picture_is_moved_and_its_border_repeated():
    picture = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 3, 4, 4)
    moved = move(picture, 1, -1)[0, 0]
    assert moved.tolist() == [[1, 2, 3, 3], [1, 2, 3, 3], [5, 6, 7, 7], [9, 10, 11, 11]]
    assert move(picture, 0, 0) is picture


def test_several_views_are_the_mean_of_each():
    source, edits = pictures(1), pictures(3, seed=2)
    found = judge_of(source, views=3)(edits)
    apart = [judge_of(move(source, *shift))(move(edits, *shift)) for shift in SHIFTS[:3]]
    for name in ("clip", "structure", "direction", "loss", "score"):
        mean = torch.stack([getattr(each, name) for each in apart]).mean(0)
        torch.testing.assert_close(getattr(found, name), mean)


def test_the_source_itself_keeps_its_structure_and_goes_nowhere():
    source = pictures(1)
    found = judge_of(source, views=5)(source)
    torch.testing.assert_close(found.structure, torch.zeros(1))
    torch.testing.assert_close(found.direction, torch.ones(1))


def test_edits_are_judged_in_parts_as_together():
    source, edits = pictures(1), pictures(5, seed=3)
    judge = judge_of(source, views=2)
    torch.testing.assert_close(judge_in_parts(judge, edits, at_once=2).loss, judge(edits).loss)
    joined = join_worths([judge(edits[:1]), judge(edits[1:])])
    torch.testing.assert_close(joined.score, judge(edits).score)


def test_gradients_reach_the_edits():
    edits = pictures(2).requires_grad_()
    judge_of(pictures(1, seed=9), views=2)(edits).loss.sum().backward()
    assert (edits.grad.flatten(1).abs().sum(1) > 0).all()
