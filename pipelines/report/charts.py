"""The page's drawings, as SVG that takes its colours from the page's style sheet."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from pipelines.report.distributions import MINIMUM, Curve, Distribution, Threshold

WIDTH = 320
HEIGHT = 136
LEFT, RIGHT, TOP, BOTTOM = 8, 8, 18, 20
PLOT_WIDTH = WIDTH - LEFT - RIGHT
PLOT_HEIGHT = HEIGHT - TOP - BOTTOM
MIDDLE = LEFT + PLOT_WIDTH / 2

Numbers = npt.NDArray[np.int64] | npt.NDArray[np.float64]


def draw_svg(body: Sequence[Markup | str], label: str, *, height: int = HEIGHT) -> Markup:
    """An SVG picture with `body`, which a screen reader reads as `label`."""
    head = Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">')
    return head.format(WIDTH, height, label) + Markup("").join(body) + Markup("</svg>")


def text(x: float, y: float, words: str, *, anchor: str = "start", style: str = "") -> Markup:
    """A line of text at (x, y)."""
    element = Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}" class="{}">{}</text>')
    return element.format(x, y, anchor, style, words)


def rectangle(x: float, y: float, width: float, height: float, style: str) -> Markup:
    """A filled rectangle; `style` is its class."""
    element = Markup('<rect x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}" class="{}"/>')
    return element.format(x, y, width, height, style)


def vertical(x: float, style: str) -> Markup:
    """A line from the top to the bottom of the plot at `x`."""
    element = Markup('<line x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}" class="{3}"/>')
    return element.format(x, TOP - 4, TOP + PLOT_HEIGHT, style)


def horizontal(y: float, style: str) -> Markup:
    """A line across the plot at `y`."""
    element = Markup('<line x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}" class="{}"/>')
    return element.format(LEFT, LEFT + PLOT_WIDTH, y, y, style)


def short(value: float) -> str:
    """A number on an axis, with no more digits than it needs."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:.0f}"


def place(value: float, low: float, high: float) -> float:
    """Where `value` stands on the x axis."""
    return LEFT + PLOT_WIDTH * (value - low) / (high - low)


def axis_labels(low: float, high: float, *, whole: bool = False) -> list[Markup]:
    """Values under the axis: both ends and the middle; first and last of whole-numbered bins."""
    y = HEIGHT - 6
    if whole:
        half = PLOT_WIDTH / (high - low) / 2
        return [
            text(LEFT + half, y, short(low + 0.5), anchor="middle", style="tick"),
            text(LEFT + PLOT_WIDTH - half, y, short(high - 0.5), anchor="middle", style="tick"),
        ]
    return [
        text(LEFT, y, short(low), style="tick"),
        text(MIDDLE, y, short((low + high) / 2), anchor="middle", style="tick"),
        text(LEFT + PLOT_WIDTH, y, short(high), anchor="end", style="tick"),
    ]


def bars(
    shares: Numbers, *, base: float, scale: float, style: str, left: float = LEFT
) -> list[Markup]:
    """A row of bars from `base`, `scale` units high for 1 (downwards where it is negative)."""
    step = PLOT_WIDTH / len(shares)
    gap = min(1.0, step / 6)
    return [
        rectangle(
            left + i * step + gap / 2,
            base - max(scale * share, 0),
            step - gap,
            abs(scale * share),
            style,
        )
        for i, share in enumerate(shares.tolist())
        if share > 0
    ]


def draw_distribution(each: Distribution) -> Markup:
    """Accepted pairs as bars upwards, rejected edits downwards, each as shares of their own sum."""
    low, high = each.axis.low, each.axis.high
    above, below = (to_shares(each.shown(c)) for c in (each.accepted, each.rejected))
    tallest = max(above.max(), below.max(), 1e-9)
    reach = above.max() + below.max() or tallest
    scale = PLOT_HEIGHT / max(reach, tallest)
    base = TOP + scale * above.max()
    body: list[Markup | str] = [
        *bars(above, base=base, scale=scale, style="kept"),
        *bars(below, base=base, scale=-scale, style="lost"),
        horizontal(base, "axis"),
        *axis_labels(low, high, whole=each.axis.whole),
    ]
    for rule in each.thresholds:
        # Between two bars: on a bar, the line would not say on which side that number is.
        beside = (-0.5 if rule.side == MINIMUM else 0.5) if each.axis.whole else 0.0
        body += mark_threshold(rule, place(rule.value + beside, low, high))
    label = (
        f"{each.name}: {each.accepted.sum()} pairs above the line, "
        f"{each.rejected.sum()} rejected edits below it, from {short(low)} to {short(high)}"
    )
    return draw_svg(body, label)


def mark_threshold(rule: Threshold, x: float) -> list[Markup]:
    """The line of a threshold at `x`, with its value beside it."""
    sign = "≥" if rule.side == MINIMUM else "≤"
    left_half = x < MIDDLE
    words = text(
        x + (4 if left_half else -4),
        TOP - 4,
        f"{sign} {short(rule.value)}",
        anchor="start" if left_half else "end",
        style="rule-label",
    )
    return [vertical(x, "rule"), words]


def to_shares(counts: Numbers) -> npt.NDArray[np.float64]:
    """Counts as shares of their sum; zeros where there is nothing."""
    total = counts.sum()
    return counts / total if total else np.zeros(len(counts))


def draw_curve(curve: Curve) -> Markup:
    """Pairs kept as a threshold moves, as a filled line; with the returning edits, a dashed one."""
    low, high = float(curve.values[0]), float(curve.values[-1])
    top = max(int(curve.with_returning.max()), 1)
    body: list[Markup | str] = [
        Markup('<polygon points="{}" class="area"/>').format(
            f"{LEFT},{TOP + PLOT_HEIGHT} {points(curve, curve.kept, top)} "
            f"{LEFT + PLOT_WIDTH},{TOP + PLOT_HEIGHT}"
        ),
        polyline(points(curve, curve.kept, top), "curve"),
    ]
    if (curve.with_returning != curve.kept).any():
        body.append(polyline(points(curve, curve.with_returning, top), "returning"))
    body += [horizontal(TOP + PLOT_HEIGHT, "axis"), horizontal(TOP, "grid")]
    body += axis_labels(low, high)
    x = place(curve.threshold.value, low, high)
    body += mark_threshold(curve.threshold, x)
    # The height of the plot is written where the threshold's value is not.
    if x < MIDDLE:
        body.append(text(LEFT + PLOT_WIDTH, TOP - 4, f"{top:,}", anchor="end", style="tick"))
    else:
        body.append(text(LEFT, TOP - 4, f"{top:,}", style="tick"))
    label = (
        f"pairs kept as the threshold of {curve.threshold.score} moves from {short(low)} to "
        f"{short(high)}: from {curve.kept[0]} to {curve.kept[-1]}"
    )
    return draw_svg(body, label)


def draw_requirement(curve: Curve) -> Markup:
    """A requirement that is made or not: the present pairs, and what would come back without it."""
    pairs = int(curve.kept.max())
    whole = max(pairs + curve.keeps_out, 1)
    label = f"{pairs} pairs with the requirement, {curve.keeps_out} more without it"
    return draw_bar([(pairs / whole, "kept"), (curve.keeps_out / whole, "cut")], label)


def points(curve: Curve, counts: Numbers, top: int) -> str:
    """The corners of a line through `counts`, scaled so that `top` is the plot's height."""
    low, high = float(curve.values[0]), float(curve.values[-1])
    return " ".join(
        f"{place(x, low, high):.1f},{TOP + PLOT_HEIGHT * (1 - y / top):.1f}"
        for x, y in zip(curve.values.tolist(), counts.tolist(), strict=True)
    )


def polyline(corners: str, style: str) -> Markup:
    """An open line."""
    return Markup('<polyline points="{}" class="{}"/>').format(corners, style)


def draw_histogram(counts: Numbers, low: float, high: float, label: str, style: str) -> Markup:
    """Plain bars of `counts` over equal bins from `low` to `high`."""
    scale = PLOT_HEIGHT / max(float(counts.max()), 1.0)
    base = TOP + PLOT_HEIGHT
    body: list[Markup | str] = [
        *bars(counts, base=base, scale=scale, style=style),
        horizontal(base, "axis"),
        *axis_labels(low, high),
    ]
    return draw_svg(body, label)


def draw_bar(parts: Sequence[tuple[float, str]], label: str) -> Markup:
    """One flat bar of consecutive `parts`, each a share of the whole width and a class."""
    body: list[Markup] = []
    x = 0.0
    for share, style in parts:
        body.append(rectangle(x, 0, 100 * share, 10, style))
        x += 100 * share
    head = Markup(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" '
        'aria-label="{}">'
    ).format(label)
    return head + Markup("").join(body) + Markup("</svg>")
