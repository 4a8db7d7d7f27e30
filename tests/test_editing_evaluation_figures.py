"""Figures of an evaluation: means over seeds, the best points, and editors compared."""

import dataclasses
import math

import numpy as np
import pytest

from editing.evaluation.figures import (
    DialPoint,
    best_at_cost,
    best_points,
    compare,
    intervals,
    mean_over_seeds,
)
from editing.evaluation.measurer import Cell
from editing.evaluation.metrics import Metric

NAN = math.nan
CELLS = {
    Cell("sdedit", 0.5, 0): {"both": [0.0, 1.0, 0.0], "position_px": [1.0, NAN, NAN]},
    Cell("sdedit", 0.5, 1): {"both": [1.0, 1.0, 0.0], "position_px": [3.0, 5.0, NAN]},
    Cell("sdedit", 0.7, 0): {"both": [0.0, 0.0, 0.0], "position_px": [9.0, 9.0, 9.0]},
    Cell("iedit", 0.5, 0): {"both": [1.0, 1.0, 1.0], "position_px": [2.0, 2.0, NAN]},
}
HALF, MORE, OURS = DialPoint("sdedit", 0.5), DialPoint("sdedit", 0.7), DialPoint("iedit", 0.5)

BOTH = Metric(name="both", label="both right")
POSITION = Metric(name="position_px", label="off by", less_is_better=True)


@pytest.fixture
def means():
    return mean_over_seeds(CELLS)


def test_seeds_are_averaged_edit_by_edit(means):
    assert means[HALF]["both"].tolist() == [0.5, 1.0, 0.0]
    assert np.array_equal(means[HALF]["position_px"], [2.0, 5.0, NAN], equal_nan=True)


def test_figures_are_means_over_edits(means):
    figures = intervals(means)
    assert figures[HALF]["both"].value == 0.5
    assert figures[HALF]["position_px"].value == 3.5
    assert figures[HALF]["both"].low <= 0.5 <= figures[HALF]["both"].high


def test_a_measure_that_nobody_has_is_left_out():
    figures = intervals(mean_over_seeds({Cell("copy", None, 0): {"both": [NAN, NAN], "x": [1, 2]}}))
    assert set(figures[DialPoint("copy", None)]) == {"x"}


def test_the_best_point_is_found_in_either_direction(means):
    figures = intervals(means)
    assert best_points(figures, by=BOTH) == {"sdedit": HALF, "iedit": OURS}
    assert best_points(figures, by=POSITION)["sdedit"] == HALF
    assert best_points(figures, by=dataclasses.replace(POSITION, less_is_better=False)) == {
        "sdedit": MORE,
        "iedit": OURS,
    }
    with pytest.raises(KeyError):
        best_points(figures, by=Metric(name="beauty", label="beauty"))


def test_of_equal_points_the_lower_is_the_best():
    cells = {Cell("sdedit", value, 0): {"both": [1.0, 0.0]} for value in (0.7, 0.5, 0.9)}
    assert best_points(intervals(mean_over_seeds(cells)), by=BOTH) == {"sdedit": HALF}


@pytest.mark.parametrize(("at_most", "tenths"), [(9, 5), (3.2, 3), (3, 3), (0.5, 1)])
def test_the_best_point_that_costs_no_more(at_most, tenths):
    """The stronger the better, and the dearer; where all are too dear the cheapest."""
    cells = {
        Cell("sdedit", each / 10, 0): {"both": [each], "error": [each]} for each in range(1, 6)
    }
    figures = intervals(mean_over_seeds(cells))
    found = best_at_cost(figures, "sdedit", by=BOTH, cost="error", at_most=at_most)
    assert found == DialPoint("sdedit", tenths / 10)


def test_editors_are_compared_edit_by_edit(means):
    found = compare(means, OURS, HALF)
    assert found["both"].value == 0.5
    assert found["position_px"].value == (0 - 3) / 2
    worse = compare(means, MORE, MORE)["both"]
    assert (worse.low, worse.high) == (0, 0)


def test_an_editor_without_a_point_is_named(means):
    with pytest.raises(ValueError, match=r"^copy has no point to choose from$"):
        best_at_cost(intervals(means), "copy", by=BOTH, cost="both", at_most=1.0)


def test_what_one_of_two_lacks_is_not_compared():
    cells = {
        Cell("copy", None, 0): {"both": [1.0, 0.0], "lpips": [0.0, 0.0], "px": [NAN, 1.0]},
        Cell("sdedit", 0.5, 0): {"both": [1.0, 1.0], "px": [1.0, NAN]},
    }
    found = compare(mean_over_seeds(cells), HALF, DialPoint("copy", None))
    assert set(found) == {"both"}


def test_a_point_is_told_with_its_dial():
    assert (str(HALF), str(DialPoint("copy", None))) == ("sdedit 0.5", "copy")
    assert str(DialPoint("tint", 0.0)) == "tint 0"
