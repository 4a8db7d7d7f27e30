import math

import numpy as np
import pytest

from editing.errors import EditingError
from editing.evaluation.figures import (
    Setting,
    best_at_cost,
    best_settings,
    compare,
    intervals,
    mean_over_seeds,
)
from editing.evaluation.measurer import Cell, plan_cells

NAN = math.nan
CELLS = {
    Cell("sdedit", 0.5, 0): {"both": [0.0, 1.0, 0.0], "position_px": [1.0, NAN, NAN]},
    Cell("sdedit", 0.5, 1): {"both": [1.0, 1.0, 0.0], "position_px": [3.0, 5.0, NAN]},
    Cell("sdedit", 0.7, 0): {"both": [0.0, 0.0, 0.0], "position_px": [9.0, 9.0, 9.0]},
    Cell("iedit", 0.5, 0): {"both": [1.0, 1.0, 1.0], "position_px": [2.0, 2.0, NAN]},
}
HALF, MORE, OURS = Setting("sdedit", 0.5), Setting("sdedit", 0.7), Setting("iedit", 0.5)


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
    figures = intervals(mean_over_seeds({Cell("copy", 0, 0): {"both": [NAN, NAN], "x": [1, 2]}}))
    assert set(figures[Setting("copy", 0)]) == {"x"}


def test_the_best_strength_is_found_in_either_direction(means):
    figures = intervals(means)
    assert best_settings(figures, by="both") == {"sdedit": HALF, "iedit": OURS}
    assert best_settings(figures, by="position_px")["sdedit"] == HALF
    with pytest.raises(KeyError):
        best_settings(figures, by="beauty")


@pytest.mark.parametrize(("at_most", "tenths"), [(9, 5), (3.2, 3), (3, 3), (0.5, 1)])
def test_the_best_setting_that_costs_no_more(at_most, tenths):
    """The stronger the better, and the dearer; where all are too dear the cheapest."""
    cells = {
        Cell("sdedit", each / 10, 0): {"both": [each], "error": [each]} for each in range(1, 6)
    }
    figures = intervals(mean_over_seeds(cells))
    found = best_at_cost(figures, "sdedit", by="both", cost="error", at_most=at_most)
    assert found == Setting("sdedit", tenths / 10)


def test_methods_are_compared_edit_by_edit(means):
    found = compare(means, OURS, HALF)
    assert found["both"].value == 0.5
    assert found["position_px"].value == (0 - 3) / 2
    worse = compare(means, MORE, MORE)["both"]
    assert (worse.low, worse.high) == (0, 0)


def test_cells_are_every_method_strength_and_seed():
    cells = plan_cells(("copy", "sdedit"), (0.3, 0.7), (0, 1))
    assert len(cells) == 1 + 4
    assert cells[0].name == "copy-0-0"
    assert cells[-1].name == "sdedit-0.7-1"
    with pytest.raises(EditingError, match=r"method must be one of copy, .*, got 'magic'"):
        plan_cells(("magic",), (0.5,), (0,))
