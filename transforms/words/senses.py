"""Chooses the sense of a noun: by frequency, by the words around it, and by the picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from transforms.protocols import Encoder, Vectors
from transforms.words.lexicon import Lexicon, NounSense
from transforms.words.vocabulary import FUNCTION_WORDS, LAYOUT

# Counted as if seen this much oftener than any other sense: a listed word is listed in the sense
# captions use it in, whatever the newspapers mean by it.
LISTED_BONUS = 10.0
SMOOTHING = 0.5
OVERLAP_WEIGHT = 3.2
PICTURE_TEMPERATURE = 0.02
_SHORTEST_WORD = 4


class SenseScorer(Protocol):
    """Says how well each description of a sense agrees with one picture."""

    def score(self, glosses: Sequence[str]) -> Sequence[float]:
        """One log-probability for each gloss, in order."""
        ...


def picture_log_scores(picture: Vectors, glosses: Vectors) -> list[float]:
    """Log-probabilities of glosses given a picture: log-softmax of cosine / temperature.

    Args:
        picture: L2-normalised embedding, shape (d,).
        glosses: L2-normalised embeddings of the glosses, shape (n, d).
    """
    logits = glosses.astype(np.float64) @ picture.astype(np.float64) / PICTURE_TEMPERATURE
    top = logits.max()
    return [float(value) for value in logits - top - np.log(np.exp(logits - top).sum())]


@dataclass(frozen=True)
class PictureSenseScorer:
    """Scores glosses against one picture's embedding in the space of `encoder`."""

    picture: Vectors
    encoder: Encoder

    def score(self, glosses: Sequence[str]) -> list[float]:
        """Log-probabilities of `glosses`, see `picture_log_scores`."""
        return picture_log_scores(self.picture, self.encoder.encode_texts(glosses))


def describe_sense(sense: NounSense, lexicon: Lexicon) -> str:
    """The sense in words, for a text encoder: its lemma, what it is a kind of, its gloss."""
    row = lexicon.synsets.get(sense.synset)
    above = [name.split(".")[0].replace("_", " ") for name in row.hypernyms] if row else []
    parts = [sense.lemma.replace("_", " "), *above[:1], row.gloss if row else ""]
    return ", ".join(part for part in parts if part)


def sense_scores(
    senses: Sequence[NounSense],
    lexicon: Lexicon,
    context: frozenset[str],
    scorer: SenseScorer | None = None,
) -> list[float]:
    """A log-score for each sense, not normalised.

    The log of the smoothed frequency, plus a constant for each word of `context` that the
    sense's description shares, plus the picture's log-probability where there is a `scorer`.

    Args:
        senses: senses of one lemma, at least one.
        lexicon: the table they come from.
        context: the caption's other words, in lower case.
        scorer: the picture's opinion.
    """
    glosses = [describe_sense(sense, lexicon) for sense in senses]
    most = max(sense.count for sense in senses)
    counts = [
        SMOOTHING + (most + LISTED_BONUS if sense.role != "known" else sense.count)
        for sense in senses
    ]
    scores = [math.log(count / sum(counts)) for count in counts]
    telling = {stem(word) for word in context if _is_telling(word, lexicon)}
    listed = {lexicon.lexname(sense.synset) for sense in senses if sense.role != "known"}
    for place, sense in enumerate(senses):
        row = lexicon.synsets.get(sense.synset)
        if sense.role == "known" and lexicon.lexname(sense.synset) in listed:
            continue  # so like the listed one that a shared word tells nothing
        words = {stem(word) for word in row.gloss.lower().split()} if row else set()
        scores[place] += OVERLAP_WEIGHT * len(words & telling)
    if scorer is not None and len(senses) > 1:
        scores = [a + b for a, b in zip(scores, scorer.score(glosses), strict=True)]
    return scores


def _is_telling(word: str, lexicon: Lexicon) -> bool:
    """Whether a word says what a caption is about; "with", "side" and "small" say little."""
    common = word in FUNCTION_WORDS or word in LAYOUT or word in lexicon.adjectives
    return len(word) >= _SHORTEST_WORD and not common


def choose_sense(
    senses: Sequence[NounSense],
    lexicon: Lexicon,
    context: frozenset[str],
    scorer: SenseScorer | None = None,
) -> NounSense:
    """The sense with the best score; the earlier one of equals."""
    scores = sense_scores(senses, lexicon, context, scorer)
    return senses[max(range(len(senses)), key=lambda place: (scores[place], -place))]


def stem(word: str) -> str:
    """A crude stem: what is left of a word without marks and common endings."""
    word = word.strip(".,;:'\"()")
    for ending in ("ing", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_WORD - 1:
            return word[: -len(ending)]
    return word
