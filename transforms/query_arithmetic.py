"""Where in the encoder's space the result of an edit is looked for: sums of embeddings.

All that retrieves by pictures and words shares these: the stage Retrieve and editors that find
their results in an index. A picture changed by words is chapter 3 of Couairon's thesis, "Few-shot
and zero-shot image editing", eq. 3.2: E_img(I) + lambda (E_txt(w_2) - E_txt(w_1)).
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from transforms.protocols import Vectors
from transforms.scores import normalised

QueryKind = Literal["mean", "text", "delta", "blend"]

QUERY_KINDS: tuple[QueryKind, ...] = ("mean", "text", "delta", "blend")
DEFAULT_WEIGHTS: dict[QueryKind, float] = {"delta": 1.0, "blend": 0.3}
"""The w of the queries that have one, where nobody gives another."""


def query_vector(
    kind: QueryKind,
    *,
    image: Vectors,
    source_text: Vectors,
    target_text: Vectors,
    weight: float | None = None,
) -> Vectors:
    """The unit vector (d,), float32, of a query of this kind, `weight` its w.

    Of the embeddings (d,) i of the picture, s of what it shows in words and t of what the result
    shows, each brought to unit length: `mean` i + t (their average; iEdit), `text` t, `delta`
    i + w (t - s), `blend` t + w i. None stands for `DEFAULT_WEIGHTS`.
    """
    w = DEFAULT_WEIGHTS.get(kind, 0) if weight is None else weight
    target = normalised(target_text)
    if kind == "mean":
        return normalised(normalised(image) + target)
    if kind == "text":
        return target
    if kind == "delta":
        return add_delta(image, target - normalised(source_text), weight=w)
    return normalised(target + w * normalised(image))


def add_delta(image: Vectors, delta: Vectors, *, weight: float) -> Vectors:
    """The unit vector (d,) of i + w delta, i the embedding `image` at unit length (eq. 3.2)."""
    return normalised(move(normalised(image), delta, weight=weight))


def move(images: Vectors, deltas: Vectors, *, weight: float) -> Vectors:
    """Unit vectors (n, d), or one (d,), and w times their deltas; of whatever length.

    What is nearest to them does not depend on it.
    """
    moved: Vectors = images + weight * deltas
    return moved


def mean_delta(source_texts: Vectors, target_texts: Vectors) -> Vectors:
    """The mean of t - s over pairs of texts, unit embeddings (n, d) each; float32 (d,).

    Of one pair of words it is the delta of words, of sentences that hold them the average delta of
    sentences (section 3.4.4).
    """
    apart = target_texts.astype(np.float64) - source_texts
    mean: Vectors = apart.mean(axis=0).astype(np.float32)
    return mean


def sum_deltas(deltas: Sequence[Vectors], *, dimension: int) -> Vectors:
    """The sum of several changes at once, float32 (d,); zero of none."""
    total: Vectors = np.sum([np.zeros(dimension, np.float32), *deltas], axis=0, dtype=np.float32)
    return total
