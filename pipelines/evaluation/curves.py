"""Drawings for the page of an evaluation, as SVG."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from editing.evaluation.figures import DialPoint
from editing.evaluation.intervals import Interval

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, INSET = 340, 180, 38, 8, 8, 20, 6
MOST_FEET = 9
Figures = Mapping[DialPoint, Mapping[str, Interval]]
Point = tuple[float, Interval]


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` laid along pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value; the middle where there is one value only."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + (self.end - self.start) * share


def draw_curves(
    figures: Figures,
    name: str,
    colours: Mapping[str, str],
    *,
    label: str,
) -> Markup:
    """A metric over a dial, a line an editor of `colours`; one without a dial is a dashed level.

    At least one of them has the metric.
    """
    known = {
        point: found[name]
        for point, found in figures.items()
        if name in found and point.editor in colours
    }
    values = sorted({p.value for p in known if p.value is not None}) or [0.0, 1.0]
    x = Axis(values[0], values[-1], LEFT + INSET, WIDTH - RIGHT - INSET)
    y, body = _upward(list(known.values()))
    body += _feet(x, values)
    for editor, colour in colours.items():
        own = [(p.value, each) for p, each in sorted(known.items()) if p.editor == editor]
        body += [_level(y(each.value), colour) for value, each in own if value is None]
        points = [(value, each) for value, each in own if value is not None]
        if points:
            body += [_band(points, colour, x, y), _line(points, colour, x, y)]
            body += _dots(points, colour, x, y)
    return _frame(body, label)


def draw_trade(
    figures: Figures, cost: str, gain: str, colours: Mapping[str, str], *, label: str
) -> Markup:
    """One metric over another: a point a dial's value, a line an editor, best at the top left.

    At least one point has both.
    """
    known = {p: found for p, found in figures.items() if cost in found and gain in found}
    costs = [found[cost].value for found in known.values()]
    x = Axis(min(costs), max(costs), LEFT + INSET, WIDTH - RIGHT - INSET)
    y, body = _upward([found[gain] for found in known.values()])
    body += _feet(x, round_steps(x.low, x.high))
    for editor, colour in colours.items():
        points = [
            (found[cost].value, found[gain])
            for point, found in sorted(known.items())
            if point.editor == editor
        ]
        body += [_line(points, colour, x, y), *_dots(points, colour, x, y)]
    return _frame(body, label)


def round_steps(low: float, high: float) -> list[float]:
    """Two to five round values from `low` to `high`, both included where they are round.

    They are multiples of 1, 2 or 5 times a power of ten; `low` alone where both are one.
    """
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / 2))
    # 0.999 and 1.001 because (0.3 - 0.1) / 0.1 is a hair below 2.
    step = next(s * power for s in (5, 2, 1) if (high - low) / (s * power) >= 1.999)
    first, last = math.ceil(low / step - 0.001), math.floor(high / step + 0.001)
    return [number * step for number in range(first, last + 1)]


def _upward(shown: Sequence[Interval]) -> tuple[Axis, list[Markup]]:
    """The vertical axis for intervals, and its figures on thin lines."""
    low, high = min(each.low for each in shown), max(each.high for each in shown)
    room = (high - low or abs(high) or 1.0) * 0.06
    y = Axis(low - room, high + room, HEIGHT - BOTTOM, TOP)
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>')
    text = Markup('<text x="{}" y="{:.1f}" text-anchor="end">{:.4g}</text>')
    ticks = []
    for value in round_steps(low, high):
        ticks.append(line.format(LEFT, WIDTH - RIGHT, y(value), y(value)))
        ticks.append(text.format(LEFT - 5, y(value) + 3, value))
    return y, ticks


def _feet(x: Axis, values: Sequence[float]) -> list[Markup]:
    """Figures below the drawing; of many values some, so that they do not run into each other."""
    every = math.ceil(len(values) / MOST_FEET)
    return [
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{:.4g}</text>').format(
            x(value), HEIGHT - 6, value
        )
        for value in values[::every]
    ]


def _dots(points: Sequence[Point], colour: str, x: Axis, y: Axis) -> list[Markup]:
    dot = Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>')
    return [dot.format(x(where), y(each.value), colour) for where, each in points]


def _level(height: float, colour: str) -> Markup:
    level = Markup(
        '<line x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}" stroke="{}" stroke-dasharray="4 3"/>'
    )
    return level.format(LEFT, WIDTH - RIGHT, height, height, colour)


def _band(points: Sequence[Point], colour: str, x: Axis, y: Axis) -> Markup:
    edge = [(x(where), y(each.high)) for where, each in points]
    edge += [(x(where), y(each.low)) for where, each in reversed(points)]
    return Markup('<polygon points="{}" fill="{}" opacity="0.15"/>').format(_path(edge), colour)


def _line(points: Sequence[Point], colour: str, x: Axis, y: Axis) -> Markup:
    line = [(x(where), y(each.value)) for where, each in points]
    return Markup('<polyline points="{}" fill="none" stroke="{}" stroke-width="2"/>').format(
        _path(line), colour
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _frame(body: Sequence[Markup], label: str) -> Markup:
    head = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">')
    return head.format(WIDTH, HEIGHT, label) + Markup("").join(body) + Markup("</svg>")
