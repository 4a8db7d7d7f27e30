"""The isotonic fit and what cross-validation says of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.marks.calibration import calibrate, fit_isotonic

SAMPLE = st.lists(st.tuples(st.integers(0, 6).map(float), st.booleans()), min_size=1, max_size=25)


def loss(fit, scores, right):
    return float(((fit - right) ** 2).sum())


@given(SAMPLE, st.integers(0, 100))
def test_no_rising_curve_is_nearer_than_the_fit(sample, seed):
    scores = np.asarray([score for score, _ in sample])
    right = np.asarray([truth for _, truth in sample], np.float64)
    fit = fit_isotonic(scores, right)
    assert (np.diff(fit.chances) > 0).all()
    assert (np.diff(fit.levels) > 0).all()
    best = loss(fit(scores), scores, right)
    random = np.random.default_rng(seed)
    for _ in range(20):
        steps = np.sort(random.random(7))
        assert best <= loss(steps[scores.astype(int)], scores, right) + 1e-9


def test_the_fit_of_a_known_case():
    fit = fit_isotonic(np.asarray([1.0, 2, 3, 4]), np.asarray([0.0, 1, 0, 1]))
    assert fit.levels.tolist() == [1, 2, 4]
    assert fit.chances.tolist() == [0, 0.5, 1]
    assert fit(np.asarray([-5.0, 1, 2.5, 3.9, 9])).tolist() == [0, 0, 0.5, 0.5, 1]


def marks(count, chance, seed=0):
    random = np.random.default_rng(seed)
    scores = random.random(count)
    return scores.tolist(), (random.random(count) < chance(scores)).tolist()


def test_a_score_that_tells_beats_the_plain_share():
    found = calibrate("quality", *marks(200, lambda score: score**2))
    assert found.brier < 0.9 * found.brier_constant
    predicted = [group[0] for group in found.bins]
    assert predicted == sorted(predicted)
    assert sum(group[2] for group in found.bins) == found.marks == 200
    for mean, share, number in found.bins:
        assert abs(mean - share) < 4 * (0.25 / number) ** 0.5


def test_a_score_that_says_nothing_does_not():
    found = calibrate("quality", *marks(200, lambda score: 0.7 + 0 * score))
    assert found.brier > found.brier_constant


def test_marks_without_the_score_are_left_out():
    scores, right = marks(30, lambda score: score)
    found = calibrate("structure", [None, *scores, float("nan")], [True, *right, False])
    assert found.marks == 30
    assert found.highest == max(scores)


@pytest.mark.parametrize("count", [0, 19])
def test_from_few_marks_nothing_is_made(count):
    assert calibrate("quality", *marks(count, lambda score: score)) is None
