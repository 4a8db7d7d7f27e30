"""Draws the curves of SIMAT's benchmark with Pillow: score over lambda, right against moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

PAPER, INK, GRID = (251, 250, 247), (32, 36, 42), (222, 219, 211)
COLOURS = ((29, 105, 180), (214, 40, 40), (34, 139, 84), (148, 96, 190), (205, 133, 30), INK)
SIDE, MARGIN, LEGEND, FONT = 300, 56, 170, 13
WIDTH, HEIGHT = SIDE + 2 * MARGIN + LEGEND, SIDE + 2 * MARGIN

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One diagram: lines by name over the same axes."""

    title: str
    across: str
    up: str
    lines: Mapping[str, Sequence[Point]]


def draw_charts(figures: Mapping[str, Any], path: str) -> None:
    """Writes all diagrams of a result as one PNG file."""
    charts = [*_score_charts(figures), *_head_charts(figures), *_layout_charts(figures)]
    sheet = Image.new("RGB", (2 * WIDTH, -(-len(charts) // 2) * HEIGHT), PAPER)
    for number, chart in enumerate(charts):
        sheet.paste(_draw(chart), ((number % 2) * WIDTH, (number // 2) * HEIGHT))
    sheet.save(Path(path), format="PNG", optimize=True)


def _curve(points: Mapping[str, float]) -> list[Point]:
    return [(float(scale), score) for scale, score in points.items()]


def _score_charts(figures: Mapping[str, Any]) -> list[Chart]:
    return [
        Chart(
            title=f"deltas, {name}",
            across="lambda",
            up="SIMAT score @1",
            lines={of: _curve(points) for of, points in curves.items()},
        )
        for name, curves in figures["curves"].items()
    ]


def _head_charts(figures: Mapping[str, Any]) -> list[Chart]:
    return [
        Chart(
            title=f"heads, {encoder}",
            across="lambda",
            up="word deltas @1, one thing",
            lines={
                (name if name.startswith("no") else f"temperature {name}"): _curve(
                    sets["one thing"]["curve"]
                )
                for name, sets in by_temperature.items()
            },
        )
        for encoder, by_temperature in figures["heads"].items()
    ]


def _layout_charts(figures: Mapping[str, Any]) -> list[Chart]:
    return [
        Chart(
            title=f"layout, {name}, {query}",
            across="distance from where it was, px",
            up="right",
            lines={
                rule: [(point["px"], point["right"]) for point in points.values()]
                for rule, points in rules.items()
            },
        )
        for name, layout in figures["layout"].items()
        for query, rules in layout["queries"].items()
        if query != "words, lambda 0.75"
    ]


def _draw(chart: Chart) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(FONT)
    points = [point for line in chart.lines.values() for point in line]
    low, high = min(x for x, _ in points), max(x for x, _ in points)
    floor = min(0.9, *(int(10 * y) / 10 for _, y in points))

    def place(point: Point) -> Point:
        x = MARGIN + SIDE * (point[0] - low) / (high - low or 1)
        return x, MARGIN + SIDE * (1 - (point[1] - floor) / (1 - floor))

    for step in range(5):
        value = floor + (1 - floor) * step / 4
        y = place((low, value))[1]
        draw.line([(MARGIN, y), (MARGIN + SIDE, y)], fill=GRID)
        draw.text((MARGIN - 6, y), f"{value:.2f}", fill=INK, font=font, anchor="rm")
        x = MARGIN + SIDE * step / 4
        tick = low + (high - low) * step / 4
        draw.text((x, MARGIN + SIDE + 6), f"{tick:.3g}", fill=INK, font=font, anchor="ma")
    draw.text((MARGIN, 12), chart.title, fill=INK, font=font)
    draw.text((MARGIN, 30), chart.up, fill=INK, font=font)
    draw.text((MARGIN + SIDE, HEIGHT - 22), chart.across, fill=INK, font=font, anchor="ra")
    for number, (name, line) in enumerate(chart.lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        placed = [place(point) for point in line]
        draw.line(placed, fill=colour, width=2)
        for x, y in placed:
            draw.ellipse([x - 2, y - 2, x + 2, y + 2], fill=colour)
        draw.text((MARGIN + SIDE + 14, MARGIN + 18 * number), name, fill=colour, font=font)
    return image
