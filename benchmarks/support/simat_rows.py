"""What SIMAT's benchmark measures of one set: queries, baselines, curves over lambda, heads."""

from collections.abc import Mapping
from typing import Any

from editing.editors.simat.query_set import Numbers
from editing.editors.simat.scoring import (
    DeltaOf,
    SimatScore,
    SimatTask,
    best_lambda,
    curve,
)

THROUGH_TEXT = "image to text to image"
TEXT = "text to image"
DELTAS: Mapping[str, DeltaOf] = {
    "words": "words",
    "sentences": "sentences",
    "own caption": "captions",
}


def read_score(score: SimatScore, *, scale: float | None) -> dict[str, Any]:
    """The score at 1 and 5, the interval of the first, and what lambda it is at."""
    return {
        "lambda": scale,
        "at_1": score.at(1),
        "at_1_interval": score.interval(1),
        "at_5": score.at(5),
        "share_1": score.share(1),
    }


def score_queries(task: SimatTask, *, chosen: Numbers, tested: Numbers) -> dict[str, Any]:
    """Every kind of query at lambda 1 and at the lambda that is best for other queries.

    `chosen` are the queries that lambda is chosen on, `tested` those that are measured.
    """
    rows: dict[str, Any] = {}
    for name, of in DELTAS.items():
        rows |= _score_curve(name, task, chosen, tested, of=of)
    rows |= _score_curve(THROUGH_TEXT, task, chosen, tested, of="words", through_text=True)
    rows[TEXT] = read_score(task.score(task.targets(tested), tested), scale=None)
    return rows


def _score_curve(
    name: str,
    task: SimatTask,
    chosen: Numbers,
    tested: Numbers,
    *,
    of: DeltaOf,
    through_text: bool = False,
) -> dict[str, Any]:
    best = best_lambda(curve(task, chosen, of=of, through_text=through_text))
    at = {
        scale: curve(task, tested, of=of, lambdas=(scale,), through_text=through_text)[scale]
        for scale in dict.fromkeys((1.0, best))
    }
    return {
        f"{name}, lambda 1": read_score(at[1.0], scale=1.0),
        f"{name}, best lambda": read_score(at[best], scale=best),
    }


def score_curves(task: SimatTask, tested: Numbers) -> dict[str, dict[str, float]]:
    """The score at 1 over lambda, for each kind of delta."""
    return {name: read_curve(curve(task, tested, of=of)) for name, of in DELTAS.items()}


def read_curve(scores: Mapping[float, SimatScore]) -> dict[str, float]:
    """The score at 1 by lambda."""
    return {f"{scale:g}": score.at(1) for scale, score in scores.items()}


def score_words(task: SimatTask, *, chosen: Numbers, tested: Numbers) -> dict[str, Any]:
    """Word deltas at lambda 1 and at the best lambda, and text to image: what heads change."""
    scores, scale = curve(task, tested), best_lambda(curve(task, chosen))
    return {
        "lambda_1": scores[1.0].at(1),
        "lambda_1_interval": scores[1.0].interval(1),
        "best": scores[scale].at(1),
        "best_interval": scores[scale].interval(1),
        "lambda": scale,
        "own_caption": curve(task, tested, of="captions", lambdas=(1.0,))[1.0].at(1),
        "text": task.score(task.targets(tested), tested, at=(1,)).at(1),
        "curve": read_curve(scores),
    }
