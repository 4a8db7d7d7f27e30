"""Thresholds that reach a precision: found where there are any, and seldom promised in vain."""

import numpy as np
import pytest
from fakes.marks import judged, ranked

from pipelines.marks.choosing import (
    Wanted,
    even_sample,
    keeps,
    passing,
    scores_tried,
    try_thresholds,
)
from pipelines.marks.precision import Stratum, lower_bound
from pipelines.marks.strata import Design


def right_above(level):
    return lambda pair: pair.scores["quality"] >= level


def test_the_loosest_threshold_that_passes_is_first():
    pairs = ranked(400)
    found = passing(try_thresholds(judged(pairs, right_above(0.2), marks=300), Wanted(0.95, 0.95)))
    assert found
    best = found[0]
    assert best.score == "quality"
    kept = [pair for pair in pairs if keeps(pair, "quality", best.value)]
    assert len(kept) == best.sample.pairs == max(trial.sample.pairs for trial in found)
    assert 0.1 < best.value <= 0.25
    share = sum(map(right_above(0.2), kept)) / len(kept)
    assert share >= best.bound >= 0.95


def test_all_pairs_stay_where_they_are_right():
    found = passing(
        try_thresholds(judged(ranked(300), right_above(0), marks=150), Wanted(0.95, 0.95))
    )
    assert found[0].value is None
    assert found[0].sample.pairs == 300


@pytest.mark.parametrize(
    ("right", "marks"),
    [(right_above(2), 300), (lambda pair: pair.position % 4 > 0, 300), (right_above(0.2), 30)],
    ids=["all wrong", "the score tells nothing", "few marks"],
)
def test_none_is_found_where_there_is_none(right, marks):
    assert not passing(try_thresholds(judged(ranked(400), right, marks=marks), Wanted(0.95, 0.95)))


def test_a_sequence_ends_with_its_first_failure():
    trials = try_thresholds(judged(ranked(400), right_above(0.3), marks=300), Wanted(0.9, 0.95))
    assert [trial.passes for trial in trials] == [True] * (len(trials) - 1) + [False]
    kept = [trial.sample.pairs for trial in trials]
    assert kept == sorted(kept)
    for trial in trials:
        assert trial.bound == lower_bound(trial.sample, 0.95)


def test_several_scores_share_the_error():
    pairs = ranked(400, structure=lambda n, count: (n * 7 % count) / count)
    work = judged(pairs, right_above(0.2), marks=300)
    trials = try_thresholds(work, Wanted(0.95, 0.95, ("quality", "structure")))
    assert {trial.score for trial in trials} == {"quality", "structure"}
    for trial in trials:
        assert trial.bound == lower_bound(trial.sample, 0.975)


def test_all_scores_that_differ_are_tried_unless_some_are_named():
    pairs = ranked(
        40,
        structure=lambda n, count: -n,
        rest=lambda n, count: 1.0,
        directional=lambda n, count: None,
    )
    assert scores_tried(pairs, Wanted(0.9, 0.9)) == ("quality", "structure")
    assert scores_tried(pairs, Wanted(0.9, 0.9, ("rest",))) == ("rest",)


def test_promises_are_kept_as_often_as_was_asked_for():
    runs, broken, made = 150, 0, 0
    for seed in range(runs):
        random = np.random.default_rng(seed)
        truth = random.random(500) < 0.75 + 0.25 * np.arange(500) / 500
        pairs = ranked(500)
        work = judged(
            pairs,
            lambda pair, truth=truth: truth[pair.position],
            marks=200,
            design=Design(seed=seed),
        )
        best = next(iter(passing(try_thresholds(work, Wanted(0.9, 0.8)))), None)
        if best is not None:
            kept = [truth[p.position] for p in pairs if keeps(p, "quality", best.value)]
            made += 1
            broken += sum(kept) / len(kept) < 0.9
    assert made > runs / 4
    assert broken <= 0.2 * runs


def test_a_sample_is_even_over_strata():
    work = judged(ranked(100), right_above(0), marks=53)
    sample = even_sample(work)
    counts = [sum(pair.stratum == stratum for pair, _ in sample) for stratum in range(5)]
    assert counts == [10] * 5
    orders = [pair.order for pair, _ in sample]
    assert orders == sorted(orders)


def test_an_unsure_mark_is_no_right_one():
    work = judged(ranked(50), None, marks=50, verdict=lambda pair: "unsure")
    assert not any(right for _, right in even_sample(work))
    assert work.told == []


def test_a_greatest_value_keeps_what_is_below():
    pairs = ranked(4, image_image=lambda n, count: n / count)
    assert [keeps(pair, "image_image", 0.5) for pair in pairs] == [True, True, True, False]
    bare = ranked(1, image_image=lambda n, count: None, target_confidence=lambda n, count: None)
    assert not keeps(bare[0], "image_image", 0.5)
    assert keeps(bare[0], "target_confidence", 0.5)
    assert keeps(bare[0], "image_image", None)


def test_what_cannot_be_wanted_is_refused():
    for how, message in (
        ({"precision": 1}, r"precision must be in \(0, 1\), got 1"),
        ({"confidence": 0}, r"confidence must be in \(0, 1\), got 0"),
        ({"by": ("beauty",)}, "scores must be some of quality, "),
        ({"by": ("rest", "rest")}, "scores must be some of quality, "),
    ):
        with pytest.raises(ValueError, match=message):
            Wanted(**{"precision": 0.9, "confidence": 0.9, **how})


def test_the_first_threshold_keeps_half_of_the_marks():
    pairs = ranked(30)
    [trial] = try_thresholds(judged(pairs, right_above(2), marks=10), Wanted(0.5, 0.5))
    kept = sum(keeps(pair, "quality", trial.value) for pair in pairs)
    assert trial.sample == Stratum(kept, 5, 0)
    assert not trial.passes
