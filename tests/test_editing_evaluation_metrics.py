import math

import numpy as np
import pytest

from editing.evaluation.metrics import Metric, mean

NAN = math.nan


@pytest.mark.parametrize(
    ("values", "figure"), [([1, 2, 6], 3), ([1, NAN, 3], 2), ([NAN, 4], 4), ([0], 0)]
)
def test_a_mean_is_that_of_the_numbers(values, figure):
    assert mean(np.array(values, np.float64)) == figure


@pytest.mark.parametrize("values", [[], [NAN], [NAN, NAN]])
def test_of_no_numbers_there_is_none(values):
    assert math.isnan(mean(np.array(values, np.float64)))


def test_a_metric_is_reduced_to_its_mean_unless_told_otherwise():
    values = np.array([1.0, 2.0, 9.0])
    assert Metric(name="x", label="x").reduce(values) == 4
    assert Metric(name="x", label="x", reduce=lambda v: float(np.median(v))).reduce(values) == 2
    assert not Metric(name="x", label="x").less_is_better
