"""The benchmark of learned regions: its tasks, its rules, and what it counts."""

import numpy as np
import pytest
import torch
from support.region_bank import ATTENTION, FROM_PHRASE, RANDOM, STRENGTHS, at_strength
from support.region_rules import (
    CUT,
    DEFAULT,
    OFF,
    SPOILT,
    WRONG,
    Argmin,
    Beside,
    Fixed,
    Kept,
    LargestScore,
    Told,
    at_equal_error,
    count_failures,
    failure_of,
    keep,
    oracle,
    preferred,
    random_picks,
    random_rule,
    swept_picks,
)
from support.region_targets import stand_beside
from support.region_tasks import count_kinds, draw_tasks, judge_edits

from editing.pictures import picture_to_tensor
from stilllife.judge import load_judge
from stilllife.truth import read_caption


class TestTasks:
    @pytest.mark.parametrize("things", [1, 2])
    def test_they_are_edits_of_held_out_things_in_turn(self, things):
        tasks = draw_tasks(5, 6, things=things)
        assert count_kinds(tasks) == {"colour": 2, "noun": 2, "size": 2}
        for task in tasks:
            assert task.scene.held_out
            assert len(task.scene.things) == things
            assert read_caption(task.prompt) is not None
            assert task.source_phrase != task.target_phrase
            assert set(task.source_phrase.split()) <= set(
                task.scene.things[task.thing].words.split()
            )
            assert task.mask.any()
            assert bool(task.other.any()) == (things == 2)
            assert not (task.mask & task.other).any()

    def test_pictures_that_have_no_edit_of_a_kind_are_left_out(self):
        """Two things can be all the nouns of a family: seed 0 has such a picture."""
        assert len(draw_tasks(0, 100, things=2)) == 100

    def test_they_are_a_function_of_the_seed(self):
        one, again, other = (draw_tasks(seed, 3) for seed in (1, 1, 2))
        assert [task.prompt for task in one] == [task.prompt for task in again]
        assert [task.key for task in one] != [task.key for task in other]

    def test_a_source_that_is_left_as_it_is_is_not_edited_and_errs_nowhere(self):
        task = draw_tasks(3, 1)[0]
        verdicts = judge_edits(task, picture_to_tensor(task.image)[None], load_judge())
        assert verdicts.edited.tolist() == verdicts.both.tolist() == [0.0]
        assert verdicts.error.tolist() == [0.0]


def worth(**columns):
    length = len(next(iter(columns.values())))
    known = dict.fromkeys(
        (
            "clip_usual",
            "structure_usual",
            "direction_usual",
            "direction_from_phrase",
            "clip_from_phrase",
            "structure_from_phrase",
            "score_usual",
            "edited",
            "both",
            "error",
            "covers",
            "covers_other",
            "area",
        ),
        [0.0] * length,
    )
    return {name: torch.tensor(values) for name, values in (known | columns).items()}


def row(**columns):
    return {
        "places": torch.arange(14).view(2, 7),
        "anchors_on_thing": [True, False],
        "worth": {"boxes": worth(**columns)},
    }


def numbers(*, least=None):
    """Fourteen ones, and 0 at one place."""
    values = [1.0] * 14
    if least is not None:
        values[least] = 0.0
    return values


class TestRules:
    def test_the_smallest_loss_is_kept(self):
        assert Argmin(2)(row(clip_usual=numbers(least=9))) == ("boxes", 9)
        assert Argmin(1)(row(clip_usual=numbers(least=9)))[1] < 7

    def test_fewer_sizes_are_those_evenly_spaced(self):
        clip = [float(13 - n) for n in range(14)]
        assert Argmin(1, 4)(row(clip_usual=clip)) == ("boxes", 6)
        assert Argmin(1, 1)(row(clip_usual=clip)) == ("boxes", 3)

    def test_the_text_that_the_direction_starts_from(self):
        found = row(direction_usual=numbers(least=2), direction_from_phrase=numbers(least=4))
        assert Argmin(1)(found)[1] == 2
        assert Argmin(1, way=FROM_PHRASE)(found)[1] == 4

    def test_the_score_and_the_oracle(self):
        score = [-value for value in numbers(least=5)]
        assert LargestScore(1)(row(score_usual=score)) == ("boxes", 5)
        both = [0.0] * 14
        both[3] = both[8] = 1.0
        error = [0.5] * 14
        error[8] = 0.1
        assert oracle(row(both=both, error=error)) == ("boxes", 8)
        assert Fixed(6)(row(both=both)) == ("boxes", 6)

    def test_the_true_error_adds_to_the_loss_where_it_is_told(self):
        found = row(clip_usual=[0.0, 0.1] + [1.0] * 12, error=[0.4] + [0.0] * 13)
        assert Argmin(1)(found) == ("boxes", 0)
        assert Told(1, weight=0.2)(found) == ("boxes", 0)
        assert Told(1, weight=0.3)(found) == ("boxes", 1)

    def test_boxes_beside_are_ranked_too(self):
        found = row(clip_usual=numbers())
        found["worth"][ATTENTION] = worth(score_usual=[0.1, 0.9, 2.0], clip_usual=[3.0, 2.0, 1.0])
        assert Beside(ATTENTION, 2, "score")(found) == (ATTENTION, 1)
        assert Beside(ATTENTION, 3, "loss")(found) == (ATTENTION, 2)

    def test_of_edits_alike_the_smaller_is_kept(self):
        found = row(area=[0.9, 0.5, 0.1, 0.5, 0.9, 1.0, 1.0] * 2)
        assert Argmin(1)(found) == ("boxes", 2)
        assert Argmin(1, weight_area=0.0)(found) == ("boxes", 0)

    def test_anchors_and_ways_of_judging_are_swept(self):
        rules = swept_picks(1, (1, 2))
        found = row(
            clip_usual=numbers(least=9),
            clip_one_view=numbers(least=4),
            direction_one_view=numbers(),
            structure_one_view=numbers(),
            clip_from_phrase=numbers(least=3),
        )
        kept = {name: rule(found)[1] for name, rule in rules.items()}
        assert kept["K = 2"] == 9
        assert kept["K = 1"] < 7
        assert (kept["K = 1, in one view"], kept["K = 1, from the phrase"]) == (4, 3)


class TestEqualError:
    """Rules compare at the strongest setting of the one that errs no more than the other."""

    def at(self, *errors):
        settings = [kept([1.0], [error]) for error in errors]
        return settings.index(at_equal_error(settings, 0.04))

    def test_it_is_the_strongest_that_errs_no_more(self):
        assert self.at(0.03, 0.04, 0.05) == 1
        assert self.at(0.01, 0.02, 0.03) == 2

    def test_it_is_the_weakest_where_all_err_more(self):
        assert self.at(0.05, 0.06, 0.07) == 0


def test_a_rule_stands_beside_the_strongest_random_boxes_that_err_no_more():
    rules = {
        at_strength(random_rule(RANDOM), strength): kept([0.0, 1.0], [0.0, strength])
        for strength in STRENGTHS
    }
    beside = stand_beside(rules | {DEFAULT: kept([1.0, 1.0], [0.1, 0.6])}, DEFAULT, RANDOM)
    assert (beside.strength, beside.error, beside.points.value) == (0.7, 0.35, 50.0)
    assert (beside.won, beside.total) == (2, 2)


def test_random_boxes_are_ranked_at_every_strength():
    names = list(random_picks(3, (0.6, 0.7)))
    assert names == [
        f"{g} anchor, random size {s}" for g in (RANDOM, ATTENTION) for s in (0.6, 0.7)
    ]


def kept(both, error):
    return Kept([], {"both": np.array(both), "error": np.array(error)})


def test_what_is_right_is_preferred_and_then_what_errs_less():
    ours = kept([1.0, 0.0, 1.0, 1.0], [0.5, 0.1, 0.2, 0.3])
    theirs = kept([0.0, 1.0, 1.0, 1.0], [0.1, 0.5, 0.4, 0.3])
    assert preferred(ours, theirs) == (2, 3)  # the last two edits are the same


def test_kinds_of_failure():
    on, off = {"anchors_on_thing": [True]}, {"anchors_on_thing": [False, True]}
    assert failure_of(off, {"covers": 1.0, "edited": 1.0}) == OFF
    assert failure_of(on, {"covers": 0.4, "edited": 0.0}) == CUT
    assert failure_of(on, {"covers": 0.9, "edited": 0.0}) == WRONG
    assert failure_of(on, {"covers": 0.9, "edited": 1.0}) == SPOILT


def test_failures_are_counted_once():
    rows = [
        row(clip_usual=numbers(), covers=[0.2] * 14),
        row(clip_usual=numbers(), both=[1.0] * 14),
    ]
    counts = count_failures(rows, keep(rows, Argmin(1)))
    assert counts == {OFF: 0, CUT: 1, WRONG: 0, SPOILT: 0}
