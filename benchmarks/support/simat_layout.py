"""Queries that keep what no word names: curves of right pictures against how far things moved."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from editing.editors.simat.query_set import Numbers
from editing.editors.simat.scoring import SimatTask
from indexes.search import Vectors
from support.intervals import bootstrap_mean
from support.simat_set import LifeSet
from transforms.pictures.structure import structure_similarities

DEPTH = 256
WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
"""w of (cosine + w structure) / (1 + w)."""
FIRST = (1, 2, 3, 5, 10, 20, 50, 100)
"""Of so many nearest the one most alike in structure."""
MARGINS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
"""Of those whose cosine is at most so far below the best the one most alike in structure."""

Scores = npt.NDArray[np.float64]
Choose = Callable[[Scores, Scores, float], int]


def by_weight(cosines: Scores, alike: Scores, weight: float) -> int:
    """The highest of both together."""
    return int(np.argmax(cosines + weight * alike))


def by_first(cosines: Scores, alike: Scores, first: float) -> int:
    """The most alike of the first so many; `cosines` fall."""
    return int(np.argmax(alike[: int(first)]))


def by_margin(cosines: Scores, alike: Scores, margin: float) -> int:
    """The most alike of those near the best; `cosines` fall."""
    return int(np.argmax(np.where(cosines >= cosines[0] - margin, alike, -1.0)))


RULES: Mapping[str, tuple[Choose, Sequence[float]]] = {
    "cosine + w structure": (by_weight, WEIGHTS),
    "structure of the first n": (by_first, FIRST),
    "structure within a margin": (by_margin, MARGINS),
}


def layout_curves(
    found: LifeSet, task: SimatTask, vectors: Vectors, places: Numbers
) -> dict[str, dict[str, Any]]:
    """Of every rule and each of its values the share of right pictures, and pixels.

    `vectors` are the queries' at `places`. `px` is the mean distance of all things from where they
    lay, whatever is found, `right_px` that of right pictures alone.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = task.search(unit, places, DEPTH)
    cosines = np.einsum("nd,nkd->nk", unit, task.embeddings.images[rows]).astype(np.float64)
    sources = [found.queries.queries[place].picture for place in places]
    alike = np.stack(
        [
            structure_similarities(found.structures[source].tobytes(), found.structures[some])
            for source, some in zip(sources, rows, strict=True)
        ]
    )
    curves: dict[str, dict[str, Any]] = {}
    for name, (choose, values) in RULES.items():
        points = {}
        for value in values:
            taken = [choose(one, other, value) for one, other in zip(cosines, alike, strict=True)]
            chosen = rows[np.arange(len(rows)), taken]
            points[f"{value:g}"] = read_point(found, task, places, chosen)
        curves[name] = points
    return curves


def read_point(found: LifeSet, task: SimatTask, places: Numbers, chosen: Numbers) -> dict[str, Any]:
    """What one way to choose comes to: `right`, `px` and `right_px`, with intervals."""
    right = task.right(chosen[:, None], places)[:, 0]
    distances = found.positions(places, chosen)
    kept = distances[right].tolist()
    return {
        "right": float(right.mean()),
        "right_interval": bootstrap_mean(right.astype(float).tolist()),
        "px": float(distances.mean()),
        "px_interval": bootstrap_mean(distances.tolist()),
        "right_px": float(np.mean(kept)) if kept else None,
    }


def layout_bounds(found: LifeSet, task: SimatTask, places: Numbers) -> dict[str, float]:
    """The nearest right picture there is, and one drawn at random, in pixels."""
    nearest, usual = [], []
    for place in places:
        query = found.queries.queries[place]
        rows = np.flatnonzero(found.queries.shows == query.target_caption)
        apart = found.positions(np.repeat(place, len(rows)), rows)
        nearest.append(apart.min())
        usual.append(apart.mean())
    return {"nearest_px": float(np.mean(nearest)), "random_px": float(np.mean(usual))}


def least_px(points: Mapping[str, Mapping[str, Any]], *, right: float) -> str | None:
    """The value of a rule with the least distance among those with at least so many right."""
    good = {value: each for value, each in points.items() if each["right"] >= right}
    return min(good, key=lambda value: good[value]["px"]) if good else None
