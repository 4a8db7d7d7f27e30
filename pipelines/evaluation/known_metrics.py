"""The metrics that an evaluation may have, in the order they are shown in."""

from collections.abc import Iterable

from editing.evaluation.frechet import FID
from editing.evaluation.metrics import Metric
from editing.evaluation.overlap import LAYOUT_IOU, PAIR_MASK_IOU
from editing.evaluation.statistics import BACKGROUND_ERROR, CLIP_METRICS, KEPT_METRICS, LPIPS
from pipelines.still_life.edit_truth import MASK_IOU, RIGHT, TRUE_BACKGROUND_ERROR, TRUTH_METRICS

_CLIP_SCORES = [metric for metric in CLIP_METRICS if metric.name != "cosine"]
_SIMILARITIES = [metric for metric in KEPT_METRICS if metric is not BACKGROUND_ERROR]

SHOWN: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *TRUTH_METRICS[:3],
        *_CLIP_SCORES,
        FID,
        LPIPS,
        BACKGROUND_ERROR,
        LAYOUT_IOU,
        MASK_IOU,
        PAIR_MASK_IOU,
        *TRUTH_METRICS[3:],
        *_SIMILARITIES,
    )
}
"""By name."""

GAINS = (RIGHT, SHOWN["clip_score"])
"""What an editor's best point is chosen by: the first that was measured everywhere."""

COSTS = (TRUE_BACKGROUND_ERROR, BACKGROUND_ERROR)
"""What editors are held to when they are compared at equal error outside the edit, likewise."""


def first_measured(wanted: Iterable[Metric], measured: Iterable[Iterable[str]]) -> Metric:
    """The first of the `wanted` metrics that all of `measured` have, else the last."""
    found = [set(names) for names in measured]
    *others, last = wanted
    for metric in others:
        if all(metric.name in names for names in found):
            return metric
    return last
