"""Drawings for the page of an evaluation."""

import itertools
import re
from xml.etree import ElementTree

import pytest

from editing.evaluation.figures import DialPoint
from editing.evaluation.intervals import Interval
from pipelines.evaluation.curves import (
    HEIGHT,
    LEFT,
    MOST_FEET,
    RIGHT,
    WIDTH,
    draw_curves,
    draw_trade,
    round_steps,
)

COLOURS = {"dialled": "#111111", "level": "#222222"}


def figures(values, *, level=True):
    found = {
        DialPoint("dialled", value): {
            "gain": Interval(value, value - 0.1, value + 0.1),
            "cost": Interval(value / 2, 0, 1),
        }
        for value in values
    }
    if level:
        found[DialPoint("level", None)] = {
            "gain": Interval(0.5, 0.4, 0.6),
            "cost": Interval(0, 0, 0),
        }
    return found


def curves(values, **options):
    some = figures(values, **options)
    drawing = draw_curves(some, "gain", COLOURS, label="a < b")
    return ElementTree.fromstring(drawing)


def of_colour(drawing, tag, colour):
    return [each for each in drawing.iter(tag) if colour in (each.get("fill"), each.get("stroke"))]


def dots(drawing, colour):
    return [(float(e.get("cx")), float(e.get("cy"))) for e in of_colour(drawing, "circle", colour)]


class TestCurves:
    @pytest.mark.parametrize(
        "values", [(0.0, 0.5, 1.0), (-1.0, 0.0, 3.0), (0.3, 0.9), (0.7,), (0.0,)]
    )
    def test_every_turn_of_the_dial_is_a_dot_in_the_frame(self, values):
        found = dots(curves(values), COLOURS["dialled"])
        assert len(found) == len(values)
        assert [x for x, _ in found] == sorted({x for x, _ in found})
        assert [y for _, y in found] == sorted({y for _, y in found}, reverse=True)
        assert all(LEFT <= x <= WIDTH - RIGHT and 0 <= y <= HEIGHT for x, y in found)

    def test_one_without_a_dial_is_a_dashed_line_from_side_to_side(self):
        drawing = curves((0.0, 0.5))
        assert dots(drawing, COLOURS["level"]) == []
        (line,) = of_colour(drawing, "line", COLOURS["level"])
        assert line.get("stroke-dasharray")
        assert (float(line.get("x1")), float(line.get("x2"))) == (LEFT, WIDTH - RIGHT)
        assert line.get("y1") == line.get("y2")

    def test_a_dial_at_0_alone_is_no_level(self):
        drawing = curves((0.0,))
        assert of_colour(drawing, "line", COLOURS["dialled"]) == []

    def test_an_editor_without_the_metric_is_left_out(self):
        some = figures((0.2, 0.4))
        del some[DialPoint("level", None)]["gain"]
        drawing = draw_curves(some, "gain", COLOURS, label="")
        assert of_colour(ElementTree.fromstring(drawing), "line", COLOURS["level"]) == []

    def test_the_label_is_text(self):
        assert curves((0.1, 0.2)).get("aria-label") == "a < b"

    def test_figures_below_do_not_run_into_each_other(self):
        texts = curves([n / 40 for n in range(40)]).iter("text")
        below = [float(e.get("x")) for e in texts if float(e.get("y")) == HEIGHT - 6]
        assert 2 <= len(below) <= MOST_FEET
        assert all(b - a > 20 for a, b in itertools.pairwise(below))


class TestTrade:
    def test_a_dot_a_point_left_where_it_costs_little_high_where_it_brings_much(self):
        drawing = draw_trade(figures((0.2, 0.6)), "cost", "gain", COLOURS, label="")
        (x, y), (more_x, more_y) = dots(ElementTree.fromstring(drawing), COLOURS["dialled"])
        assert x < more_x
        assert y > more_y
        assert len(dots(ElementTree.fromstring(drawing), COLOURS["level"])) == 1

    def test_points_without_both_are_left_out(self):
        some = figures((0.2, 0.6))
        del some[DialPoint("dialled", 0.6)]["cost"]
        drawing = draw_trade(some, "cost", "gain", COLOURS, label="")
        assert len(dots(ElementTree.fromstring(drawing), COLOURS["dialled"])) == 1

    def test_all_at_one_cost(self):
        some = {p: found | {"cost": Interval(1, 1, 1)} for p, found in figures((0.2, 0.6)).items()}
        drawing = draw_trade(some, "cost", "gain", COLOURS, label="")
        assert "nan" not in drawing
        assert len(dots(ElementTree.fromstring(drawing), COLOURS["dialled"])) == 2


class TestRoundSteps:
    @pytest.mark.parametrize(
        ("low", "high", "steps"),
        [
            (0, 1, [0, 0.5, 1]),
            (0.3, 0.9, [0.4, 0.6, 0.8]),
            (54.5, 87.4, [60, 70, 80]),
            (-0.1, 0.1, [-0.1, 0, 0.1]),
            (0, 489, [0, 200, 400]),
            (3, 3, [3]),
        ],
    )
    def test_known_ones(self, low, high, steps):
        assert round_steps(low, high) == pytest.approx(steps)

    @pytest.mark.parametrize("low", [-3.7, 0, 0.001, 12, 980])
    @pytest.mark.parametrize("width", [0.0003, 0.01, 0.7, 1, 2, 9.99, 1234])
    def test_few_of_short_figures_within(self, low, width):
        steps = round_steps(low, low + width)
        assert 2 <= len(steps) <= 5
        room = 0.0011 * (steps[1] - steps[0])
        assert all(low - room <= step <= low + width + room for step in steps)
        assert len({f"{step:.4g}" for step in steps}) == len(steps) or width / (abs(low) + 1) < 1e-3
        assert not any(re.search("e-1[0-9]", f"{step:.4g}") for step in steps)
