"""What SIMAT's benchmark is held against."""

from collections.abc import Mapping
from typing import Any

from support.reporting import Target, at_least, at_most
from support.simat_names import LIKE_THE_WEB_S, ONE, TWO, UNADAPTED

KEEPING = "0.1"
"""The weight of structure that costs hardly a right picture."""


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """What issue and documents ask for."""
    bounds = {
        (ONE, "words, best lambda"): at_least(0.95),
        (TWO, "words, best lambda"): at_least(0.80),
        (ONE, "own caption, lambda 1"): at_least(0.99, kind="aim"),
        (TWO, "own caption, lambda 1"): at_least(0.98),
    }
    targets = [
        Target(
            name=f"{name}: {row}, @1",
            value=figures["rows"][name][row]["at_1"],
            bound=bound,
            interval=figures["rows"][name][row]["at_1_interval"],
        )
        for (name, row), bound in bounds.items()
    ]
    return [*targets, *_head_targets(figures), *_layout_targets(figures)]


def _head_targets(figures: Mapping[str, Any]) -> list[Target]:
    """The thesis's finding, over the encoder that is most like its CLIP; shown to inform."""
    found = figures["heads"].get(LIKE_THE_WEB_S, {})
    return [
        Target(
            name=f"one thing, noisy narrow encoder: words, lambda 1, heads {name}",
            value=found[name][ONE]["lambda_1"],
            interval=found[name][ONE]["lambda_1_interval"],
        )
        for name in (UNADAPTED, "0.01", "0.1")
        if name in found
    ]


def _layout_targets(figures: Mapping[str, Any]) -> list[Target]:
    rules = figures["layout"][ONE]["queries"]["text"]
    points = rules["cosine + w structure"]
    kept = points[KEEPING]
    return [
        Target(
            name="one thing: distance of what text finds, px",
            value=points["0"]["px"],
            interval=points["0"]["px_interval"],
        ),
        Target(
            name=f"one thing: distance with w = {KEEPING}, px",
            value=kept["px"],
            bound=at_most(0.75 * points["0"]["px"], kind="guard"),
            interval=kept["px_interval"],
        ),
        Target(
            name=f"one thing: right with w = {KEEPING}",
            value=kept["right"],
            bound=at_least(0.97, kind="guard"),
            interval=kept["right_interval"],
        ),
    ]
