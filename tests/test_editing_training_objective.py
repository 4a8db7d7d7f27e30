"""Batches of pairs, what is drawn for them, and what a loss came to."""

import pytest
import torch
from fakes.objective import ColourDraw

from editing.training.objective import Outcome, PairBatch


def batch(count, start=0):
    numbers = torch.arange(start, start + count).float().view(-1, 1, 1, 1)
    picture = numbers.expand(-1, 3, 4, 4) / 10
    mask = (numbers % 2).expand(-1, 1, 4, 4)
    words = tuple(f"word {n}" for n in range(start, start + count))
    return PairBatch(
        keys=tuple(f"key {word}" for word in words),
        source=picture,
        target=-picture,
        source_mask=mask,
        target_mask=1 - mask,
        captions=tuple(f"not {word}" for word in words),
        edit_prompts=words,
        source_phrases=tuple(f"the {word}" for word in words),
        target_phrases=tuple(word.upper() for word in words),
        quality=numbers.flatten(),
    )


def equal(one, other):
    names = ("source", "target", "source_mask", "target_mask", "quality")
    words = ("keys", "captions", "edit_prompts", "source_phrases", "target_phrases")
    return all(getattr(one, name) == getattr(other, name) for name in words) and all(
        torch.equal(getattr(one, name), getattr(other, name)) for name in names
    )


class TestColumns:
    def test_a_part_has_some_examples_of_every_column(self):
        assert equal(batch(5).part(slice(1, 3)), batch(2, start=1))

    def test_parts_join_to_the_whole(self):
        whole = batch(5)
        assert equal(whole.part(slice(2)).join(whole.part(slice(2, None))), whole)

    def test_tensors_move_and_words_stay(self):
        moved = batch(2).to(torch.device("meta"))
        assert {moved.source.device.type, moved.quality.device.type} == {"meta"}
        assert moved.edit_prompts == batch(2).edit_prompts

    def test_a_part_is_of_the_same_type(self):
        draw = ColourDraw(noise=torch.arange(6.0).view(2, 3))
        assert type(draw.part(slice(1))) is ColourDraw
        assert draw.part(slice(1)).noise.tolist() == [[0, 1, 2]]


class TestOutcome:
    def test_how_hard_a_term_pulls_is_the_norm_of_its_gradient(self):
        weights = torch.tensor([1.0, 2.0], requires_grad=True)
        pulled = 3 * weights
        outcome = Outcome({"plain": (pulled * torch.tensor([3.0, 4.0])).sum()}, pulled)
        assert outcome.gradient_norms() == {"plain": pytest.approx(5)}
        outcome.terms["plain"].backward()  # the graph is still there
        assert weights.grad.tolist() == [9, 12]

    def test_nothing_is_counted_unless_it_is_told(self):
        assert Outcome({}, torch.zeros(1)).counts == {}
