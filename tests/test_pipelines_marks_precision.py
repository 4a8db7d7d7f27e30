"""Shares and intervals, held against sums that can be done in full."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.marks.precision import (
    Stratum,
    estimate,
    join_unmarked,
    lower_bound,
    marks_needed,
    student,
    wilson,
)


@st.composite
def strata(draw):
    pairs = draw(st.integers(1, 50))
    marked = draw(st.integers(0, pairs))
    return Stratum(pairs, marked, draw(st.integers(0, marked)))


@given(st.lists(strata(), min_size=1, max_size=6))
def test_an_estimate_lies_in_its_interval(some):
    found = estimate(some)
    if not sum(each.marked for each in some):
        assert found is None
        return
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1
    assert found.pairs == sum(each.pairs for each in some)
    assert found.marked == sum(each.marked for each in some)


def test_strata_are_weighted_by_their_pairs():
    found = estimate([Stratum(300, 10, 5), Stratum(100, 10, 10)])
    assert found.value == pytest.approx(0.75 * 0.5 + 0.25 * 1.0)
    assert found.right == 15


def test_one_large_stratum_is_wilson_s_interval():
    found = estimate([Stratum(10**9, 50, 40)])
    share, size, quantile = 0.8, 50.0, 1.959963984540054
    assert (found.low, found.high) == pytest.approx(wilson(share, size, quantile), abs=2e-3)


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(3, 3.182), (5, 2.571), (11, 2.201), (55, 2.004), (1000, 1.962)]
)
def test_student_s_quantiles(freedom, quantile):
    assert student(1.959964, freedom) == pytest.approx(quantile, rel=0.01)


def test_a_set_that_is_marked_wholly_is_known():
    found = estimate([Stratum(10, 10, 7), Stratum(10, 10, 10)])
    assert found.low == found.value == found.high == 0.85


def test_what_one_pair_can_change_is_in_the_interval():
    found = estimate([Stratum(15, 13, 13)])
    assert (found.low, found.high) == (14 / 15, 1)  # of the two others one may well be wrong
    found = estimate([Stratum(10, 9, 8)])
    assert (found.low, found.high) == (0.8, 0.9)


def test_more_marks_tell_more():
    widths = [
        (lambda found: found.high - found.low)(estimate([Stratum(1000, n, n * 9 // 10)] * 3))
        for n in (10, 40, 160)
    ]
    assert widths == sorted(widths, reverse=True)


def test_a_stratum_without_marks_is_taken_with_its_neighbour():
    some = [Stratum(5, 0, 0), Stratum(5, 2, 1), Stratum(5, 0, 0), Stratum(5, 1, 1)]
    assert join_unmarked(some) == [Stratum(15, 2, 1), Stratum(5, 1, 1)]


def test_the_intervals_cover_the_true_share():
    random = np.random.default_rng(4)
    covered, runs = 0, 300
    for _ in range(runs):
        right = [int(random.binomial(80, share)) for share in (0.6, 0.85, 0.95, 0.99)]
        some = [Stratum(80, 15, int(random.hypergeometric(n, 80 - n, 15))) for n in right]
        found = estimate(some)
        covered += found.low <= sum(right) / 320 <= found.high
    assert covered >= 0.92 * runs  # 95% but for chance: 0.92 is below it by 2.4 deviations


def test_the_lower_bound_is_that_of_all_samples():
    pairs, marked, confidence = 12, 5, 0.9
    for right in range(marked + 1):
        bound = lower_bound(Stratum(pairs, marked, right), confidence)
        for true in range(pairs + 1):
            samples = list(combinations(range(pairs), marked))
            many = sum(sum(place < true for place in one) >= right for one in samples)
            excluded = many / len(samples) <= 1 - confidence
            assert excluded == (true / pairs < bound), (right, true)


def test_the_lower_bound_of_known_cases():
    assert lower_bound(Stratum(20, 20, 17)) == 17 / 20
    assert lower_bound(Stratum(20, 0, 0)) == 0
    assert lower_bound(Stratum(10**6, 59, 59)) == pytest.approx(0.05 ** (1 / 59), abs=1e-4)


def test_marks_that_are_needed():
    assert marks_needed(0, 0.95, 0.95) == math.ceil(math.log(0.05) / math.log(0.95))
    for wrong in (0, 1, 4):
        needed = marks_needed(wrong, 0.9, 0.95)
        large = 10**7
        assert lower_bound(Stratum(large, needed, needed - wrong)) >= 0.9
        assert lower_bound(Stratum(large, needed - 1, needed - 1 - wrong)) < 0.9


@pytest.mark.parametrize("confidence", [0, 1, -0.5, 1.5])
def test_a_confidence_out_of_range_is_refused(confidence):
    for ask in (
        lambda: estimate([Stratum(2, 1, 1)], confidence),
        lambda: lower_bound(Stratum(2, 1, 1), confidence),
    ):
        with pytest.raises(ValueError, match=r"confidence must be in \(0, 1\)"):
            ask()


def test_numbers_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="0 <= right <= marked <= pairs, got 3, 2, 5"):
        Stratum(5, 2, 3)
