"""How each noun is drawn: parts in a unit box (x right, y down, both in [0, 1]), back to front."""

import math
from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True)
class Polygon:
    """A filled polygon. `tone` scales the object's colour; None takes the fixed `paint` (RGB)."""

    outline: tuple[Point, ...]
    tone: float | None = 1.0
    paint: tuple[int, int, int] = (0, 0, 0)


DARK = (40, 40, 44)
GLASS = (205, 220, 228)
WOOD = (96, 70, 48)


def _ellipse(x: float, y: float, rx: float, ry: float) -> tuple[Point, ...]:
    steps = 28
    turn = [2 * math.pi * k / steps for k in range(steps)]
    return tuple((x + rx * math.cos(a), y + ry * math.sin(a)) for a in turn)


def _box(x0: float, y0: float, x1: float, y1: float) -> tuple[Point, ...]:
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def _wheel(x: float, radius_x: float, radius_y: float) -> tuple[Polygon, Polygon]:
    y = 1 - radius_y
    return (
        Polygon(_ellipse(x, y, radius_x, radius_y), None, DARK),
        Polygon(_ellipse(x, y, radius_x * 0.4, radius_y * 0.4), None, (170, 170, 170)),
    )


def _profile(rows: tuple[tuple[float, float], ...]) -> tuple[Point, ...]:
    """A shape that is symmetric about x = 0.5, from (y, half width) rows, top to bottom."""
    right = [(0.5 + half, y) for y, half in rows]
    left = [(0.5 - half, y) for y, half in reversed(rows)]
    return tuple(right + left)


SHAPES: dict[str, tuple[Polygon, ...]] = {
    "apple": (
        Polygon(_box(0.47, 0.0, 0.55, 0.25), None, WOOD),
        Polygon(_ellipse(0.31, 0.58, 0.31, 0.42)),
        Polygon(_ellipse(0.69, 0.58, 0.31, 0.42)),
        Polygon(_ellipse(0.72, 0.1, 0.16, 0.07), None, (60, 110, 50)),
        Polygon(_ellipse(0.27, 0.42, 0.09, 0.1), 1.3),
    ),
    "pear": (
        Polygon(_box(0.46, 0.0, 0.54, 0.16), None, WOOD),
        Polygon(
            _profile(
                (
                    (0.1, 0.08),
                    (0.16, 0.17),
                    (0.3, 0.2),
                    (0.42, 0.25),
                    (0.54, 0.38),
                    (0.68, 0.49),
                    (0.82, 0.47),
                    (0.94, 0.3),
                    (1.0, 0.1),
                )
            )
        ),
        Polygon(_ellipse(0.32, 0.68, 0.09, 0.1), 1.3),
    ),
    "melon": (
        Polygon(_ellipse(0.5, 0.5, 0.5, 0.5)),
        Polygon(_ellipse(0.5, 0.5, 0.37, 0.5), 0.62),
        Polygon(_ellipse(0.5, 0.5, 0.27, 0.5)),
        Polygon(_ellipse(0.5, 0.5, 0.13, 0.5), 0.62),
        Polygon(_ellipse(0.5, 0.5, 0.05, 0.5)),
    ),
    "bottle": (
        Polygon(_box(0.34, 0.0, 0.66, 0.09), None, DARK),
        Polygon(
            _profile(
                (
                    (0.09, 0.13),
                    (0.3, 0.14),
                    (0.42, 0.42),
                    (0.5, 0.5),
                    (0.97, 0.5),
                    (1.0, 0.42),
                )
            )
        ),
        Polygon(_box(0.0, 0.58, 1.0, 0.8), None, (235, 232, 222)),
    ),
    "bowl": (
        Polygon(_profile(((0.14, 0.5), (0.4, 0.46), (0.65, 0.36), (0.88, 0.22), (1.0, 0.22)))),
        Polygon(_ellipse(0.5, 0.16, 0.5, 0.16), 0.55),
    ),
    "bucket": (
        Polygon(_ellipse(0.5, 0.3, 0.46, 0.3), None, DARK),
        Polygon(_ellipse(0.5, 0.3, 0.38, 0.23), None, (150, 150, 150)),
        Polygon(_profile(((0.3, 0.5), (1.0, 0.34)))),
        Polygon(_ellipse(0.5, 0.32, 0.5, 0.1), 0.6),
        Polygon(_profile(((0.58, 0.45), (0.66, 0.43))), 0.7),
    ),
    "chair": (
        Polygon(_box(0.0, 0.0, 0.24, 1.0)),
        Polygon(_box(0.0, 0.05, 0.24, 0.42), 0.75),
        Polygon(_box(0.0, 0.43, 1.0, 0.68)),
        Polygon(_box(0.76, 0.62, 1.0, 1.0), 0.8),
        Polygon(_box(0.02, 0.66, 0.24, 1.0), 0.8),
    ),
    "sofa": (
        Polygon(_box(0.1, 0.0, 0.9, 0.6), 0.85),
        Polygon(_box(0.0, 0.3, 0.2, 0.9)),
        Polygon(_box(0.8, 0.3, 1.0, 0.9)),
        Polygon(_box(0.16, 0.52, 0.84, 0.9), 1.15),
        Polygon(_box(0.49, 0.05, 0.51, 0.85), 0.55),
        Polygon(_box(0.06, 0.9, 0.16, 1.0), None, DARK),
        Polygon(_box(0.84, 0.9, 0.94, 1.0), None, DARK),
    ),
    "stool": (
        Polygon(((0.18, 0.15), (0.4, 0.15), (0.22, 1.0), (0.0, 1.0)), 0.8),
        Polygon(((0.6, 0.15), (0.82, 0.15), (1.0, 1.0), (0.78, 1.0)), 0.8),
        Polygon(_box(0.14, 0.56, 0.86, 0.7), 0.7),
        Polygon(_ellipse(0.5, 0.16, 0.48, 0.16), 1.1),
    ),
    "car": (
        Polygon(((0.2, 0.42), (0.34, 0.0), (0.7, 0.0), (0.84, 0.42))),
        Polygon(((0.28, 0.4), (0.38, 0.09), (0.5, 0.09), (0.5, 0.4)), None, GLASS),
        Polygon(((0.55, 0.4), (0.55, 0.09), (0.67, 0.09), (0.76, 0.4)), None, GLASS),
        Polygon(((0.0, 0.44), (0.06, 0.38), (0.94, 0.38), (1.0, 0.5), (1.0, 0.82), (0.0, 0.82))),
        *_wheel(0.23, 0.14, 0.21),
        *_wheel(0.77, 0.14, 0.21),
    ),
    "truck": (
        Polygon(_box(0.36, 0.0, 1.0, 0.76)),
        Polygon(_box(0.4, 0.06, 0.96, 0.66), 0.8),
        Polygon(((0.0, 0.4), (0.1, 0.18), (0.33, 0.18), (0.33, 0.8), (0.0, 0.8)), 1.1),
        Polygon(((0.06, 0.42), (0.13, 0.25), (0.27, 0.25), (0.27, 0.45)), None, GLASS),
        Polygon(_box(0.0, 0.74, 1.0, 0.82), None, (90, 90, 92)),
        *_wheel(0.17, 0.12, 0.17),
        *_wheel(0.62, 0.12, 0.17),
        *_wheel(0.87, 0.12, 0.17),
    ),
    "bus": (
        Polygon(_box(0.0, 0.02, 1.0, 0.84)),
        Polygon(_box(0.05, 0.14, 0.24, 0.46), None, GLASS),
        Polygon(_box(0.29, 0.14, 0.48, 0.46), None, GLASS),
        Polygon(_box(0.53, 0.14, 0.72, 0.46), None, GLASS),
        Polygon(_box(0.78, 0.14, 0.96, 0.8), None, (225, 232, 236)),
        Polygon(_box(0.0, 0.56, 0.76, 0.64), 0.65),
        *_wheel(0.2, 0.12, 0.17),
        *_wheel(0.68, 0.12, 0.17),
    ),
    "train": (
        Polygon(_box(0.1, 0.0, 0.24, 0.4), 0.75),
        Polygon(_box(0.06, 0.0, 0.28, 0.09), 0.55),
        Polygon(_box(0.0, 0.3, 0.66, 0.74)),
        Polygon(_box(0.36, 0.18, 0.48, 0.32), 0.75),
        Polygon(_box(0.62, 0.04, 1.0, 0.76), 0.9),
        Polygon(_box(0.58, 0.0, 1.0, 0.1), 0.6),
        Polygon(_box(0.71, 0.18, 0.91, 0.42), None, GLASS),
        *_wheel(0.12, 0.1, 0.16),
        *_wheel(0.36, 0.1, 0.16),
        *_wheel(0.78, 0.15, 0.2),
    ),
}
