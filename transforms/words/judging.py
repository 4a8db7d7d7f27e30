"""What networks say of edits: an encoder by the pool's captions, a captioner by its own words.

An edit that could be true of a picture like these reads like something the pool says; one that
could not lies apart from all of its captions. How near a text is to the pool is the mean cosine of
its embedding with those of its nearest captions. A captioner has learned what is said of pictures:
it is asked how likely it would have written a text of a picture in which there is nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from indexes.captions import same_caption_key
from transforms.models.chunks import chunks
from transforms.models.spec import ModelError
from transforms.protocols import Captioner, Encoder, TextLikelihood, Vectors

NO_JUDGE = "none"
BY_ENCODER = "encoder"
BY_CAPTIONER = "captioner"
JUDGES = (NO_JUDGE, BY_ENCODER, BY_CAPTIONER)
"""What may judge edits after the rules."""

NEIGHBOURS = 8
"""So many of the pool's captions say how near a text is."""

MOST_JUDGES = 8192
"""Of larger pools so many captions, evenly drawn, are embedded."""

SPREAD_SAMPLE = 512
"""Over so many captions of the pool it is counted how unequally near captions are."""

TEXTS_AT_ONCE = 64
"""Texts that are embedded together."""

LEAST_JUDGEMENT = -1.0
"""An edit that is judged worse than its caption, by so much of `spread`, is left out."""

NOTHING = Image.new("RGB", (64, 64), (128, 128, 128))
"""The picture of which a captioner is asked: grey, so that its words alone count."""


class EditJudge(Protocol):
    """Says how plausible edits of a caption are."""

    def judge(self, caption: str, prompts: Sequence[str]) -> Sequence[float]:
        """One number for each edited caption, above 0 where it is likelier than the caption."""
        ...


@dataclass(frozen=True)
class NearestCaptions:
    """Judges edits by their nearest captions in a pool.

    Args:
        encoder: embeds texts.
        places: each caption of the pool, by `same_caption_key`, with the rows of `embeddings` that
            are it.
        embeddings: L2-normalised, shape (n, dimension).
        spread: the standard deviation of the nearness of the pool's captions to the others.
    """

    encoder: Encoder
    places: dict[str, tuple[int, ...]]
    embeddings: Vectors
    spread: float

    def judge(self, caption: str, prompts: Sequence[str]) -> list[float]:
        """How much nearer the pool each edit is than `caption` was, in units of `spread`.

        The caption itself, where the pool has it, says nothing of either.
        """
        texts = self.encoder.encode_texts([caption, *prompts])
        scores = texts @ self.embeddings.T
        scores[:, list(self.places.get(same_caption_key(caption), ()))] = -np.inf
        before, *after = mean_of_highest(scores)
        return [(float(one) - float(before)) / self.spread for one in after]


def mean_of_highest(scores: Vectors, count: int = NEIGHBOURS) -> Vectors:
    """The mean of the `count` highest of each row; -inf counts as absent; 0 where all are."""
    count = min(count, scores.shape[1])
    highest = np.partition(scores, scores.shape[1] - count, axis=1)[:, -count:]
    there = np.isfinite(highest)
    total = np.where(there, highest, 0.0).sum(axis=1)
    means: Vectors = (total / np.maximum(1, there.sum(axis=1))).astype(np.float32)
    return means


def load_nearest_captions(encoder: Encoder, captions: Iterable[str]) -> NearestCaptions | None:
    """The judge by the pool of `captions`; None where it is too small or too uniform to tell.

    Of more than `MOST_JUDGES` captions every second, third ... is taken.
    """
    kept = list(captions)
    kept = kept[:: max(1, -(-len(kept) // MOST_JUDGES))]
    if len(kept) <= NEIGHBOURS:
        return None
    embeddings = np.concatenate(
        [encoder.encode_texts(some) for some in chunks(kept, TEXTS_AT_ONCE)]
    ).astype(np.float32)
    places: dict[str, tuple[int, ...]] = {}
    keys = [same_caption_key(caption) for caption in kept]
    for row, key in enumerate(keys):
        places[key] = (*places.get(key, ()), row)
    step = max(1, len(kept) // SPREAD_SAMPLE)
    sampled = range(0, len(kept), step)
    scores = embeddings[list(sampled)] @ embeddings.T
    for at, row in enumerate(sampled):
        scores[at, list(places[keys[row]])] = -np.inf
    spread = float(mean_of_highest(scores).std())
    return NearestCaptions(encoder, places, embeddings, spread) if spread > 0 else None


@dataclass(frozen=True)
class CaptionerWords:
    """Judges edits by how likely a captioner would have written them of nothing.

    Args:
        captioner: gives log-likelihoods of texts.
        spread: the standard deviation of those of the pool's captions, in nats.
    """

    captioner: TextLikelihood
    spread: float

    def judge(self, caption: str, prompts: Sequence[str]) -> list[float]:
        """How much likelier each edit is than `caption`, in units of `spread`."""
        before, *after = log_likelihoods(self.captioner, [caption, *prompts])
        return [(float(one) - float(before)) / self.spread for one in after]


def log_likelihoods(captioner: TextLikelihood, texts: Sequence[str]) -> Vectors:
    """Of each text, of a picture in which there is nothing."""
    return captioner.log_likelihoods([NOTHING] * len(texts), texts)


def load_captioner_words(
    captioner: TextLikelihood, captions: Iterable[str]
) -> CaptionerWords | None:
    """The judge by a captioner; None where the pool is too small or too uniform for a measure.

    Of more than `SPREAD_SAMPLE` captions every second, third ... is asked.
    """
    kept = list(captions)
    kept = kept[:: max(1, -(-len(kept) // SPREAD_SAMPLE))]
    if len(kept) < 2:
        return None
    likely = [log_likelihoods(captioner, some) for some in chunks(kept, TEXTS_AT_ONCE)]
    spread = float(np.concatenate(likely).std())
    return CaptionerWords(captioner, spread) if spread > 0 else None


def load_judge(
    judge: str,
    captions: Sequence[str],
    *,
    encoder: Encoder | None = None,
    captioner: Captioner | None = None,
) -> EditJudge | None:
    """The judge of that name by the pool of `captions`; None where these tell nothing.

    Raises:
        ValueError: the network that is to judge is not there.
        ModelError: the captioner cannot say how likely texts are.
    """
    if judge == BY_ENCODER and encoder is not None:
        return load_nearest_captions(encoder, captions)
    if judge == BY_CAPTIONER and captioner is not None:
        if not isinstance(captioner, TextLikelihood):
            name = type(captioner).__name__
            raise ModelError(f"captioner {name} cannot judge: it gives no likelihoods of texts")
        return load_captioner_words(captioner, captions)
    raise ValueError(f"judge {judge} is not there to ask")
