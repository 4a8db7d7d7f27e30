"""Bootstrap intervals: where they lie, and that they repeat."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editing.evaluation.intervals import bootstrap


def test_the_value_is_the_mean():
    found = bootstrap([[1.0, 2.0, 6.0]])
    assert found.value == 3
    assert 1 <= found.low < 3 < found.high <= 6


def test_its_width_is_that_of_the_mean():
    values = np.random.default_rng(0).normal(5, 2, 400)
    found = bootstrap([values.tolist()])
    half = (found.high - found.low) / 2
    assert half == pytest.approx(1.96 * values.std() / 20, rel=0.1)


def test_pairs_stay_together():
    base = np.random.default_rng(0).normal(0, 10, 300)
    paired = bootstrap([(base + 1).tolist(), base.tolist()], lambda a, b: a - b)
    assert (paired.low, paired.high) == (pytest.approx(1), pytest.approx(1))


def test_it_repeats_with_its_seed():
    values = [[1.0, 5.0, 2.0, 8.0]]
    first, again, other = (bootstrap(values, seed=seed, draws=7) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_rows_without_a_number_are_left_out():
    assert bootstrap([[1.0, math.nan, 3.0], [0.0, 0.0, 0.0]]).value == 2
    with pytest.raises(ValueError, match="at least one row"):
        bootstrap([[math.nan]])


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_the_interval_lies_within_the_values(values):
    found = bootstrap([values], draws=50)
    assert min(values) - 1e-6 <= found.low <= found.high <= max(values) + 1e-6


def test_it_can_be_read():
    assert str(bootstrap([[0.5, 0.5]])) == "0.500 [0.500, 0.500]"
