"""Reductions: from statistics of edits to figures, and figures that go through them."""

import numpy as np
import pytest

from editing.evaluation.figures import DialPoint, compare, intervals
from editing.evaluation.intervals import bootstrap
from editing.evaluation.metrics import Metric, mean

VALUES = np.array([1.0, 2.0, 9.0])


def median(statistics):
    return np.median(statistics, axis=-1)


MEDIAN = {"x": Metric(name="x", label="x", reduce=median)}


@pytest.mark.parametrize(
    ("statistics", "figures"),
    [([1, 2, 6], 3), ([[1, 3], [4, 8]], [2, 6]), ([[[0], [1]], [[2], [3]]], [[0, 1], [2, 3]])],
)
def test_a_mean_is_over_the_edits_which_are_the_last_axis(statistics, figures):
    assert mean(np.array(statistics, np.float64)).tolist() == figures


def test_a_metric_is_reduced_to_its_mean_unless_told_otherwise():
    assert Metric(name="x", label="x").reduce(VALUES) == 4
    assert MEDIAN["x"].reduce(VALUES) == 2
    assert not Metric(name="x", label="x").less_is_better


def test_an_interval_is_of_the_reduction():
    found = bootstrap([VALUES.tolist()], reduce=median, draws=500)
    assert found.value == 2
    assert {found.low, found.high} <= {1.0, 2.0, 9.0}  # medians of three draws


def test_figures_and_differences_go_through_the_metric_s_reduction():
    one, other = DialPoint("one", 0), DialPoint("other", 0)
    statistics = {one: {"x": VALUES, "y": VALUES}, other: {"x": 0 * VALUES, "y": 0 * VALUES}}
    figures = intervals(statistics, MEDIAN)[one]
    assert (figures["x"].value, figures["y"].value) == (2, 4)
    differences = compare(statistics, one, other, MEDIAN)
    assert (differences["x"].value, differences["y"].value) == (2, 4)
