"""What is measured on a (query, candidate) pair: pure functions of vectors, maps and words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from indexes.captions import caption_words
from indexes.search import score_pairs
from transforms.protocols import Vectors
from transforms.record import Scores

ARTICLES = frozenset({"a", "an", "the"})
_IRREGULAR_PLURALS = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "feet": "foot",
    "teeth": "tooth",
    "geese": "goose",
    "mice": "mouse",
    "oxen": "ox",
    "loaves": "loaf",
}
_SAME_DIRECTION = 1e-6
"""Two embeddings closer than this differ by rounding alone and have no direction between them."""


@dataclass(frozen=True)
class WordAgreement:
    """How a candidate's caption agrees with an edit, word by word; see `transforms.record.Scores`.

    `new_word` and `old_word` are 1.0 or 0.0, `rest` is in [0, 1].
    """

    new_word: float
    old_word: float
    rest: float


def as_vector(embedding: bytes) -> Vectors:
    """An embedding of a record as float32 (d,)."""
    return np.frombuffer(embedding, dtype="<f4")


def as_bytes(vector: Vectors) -> bytes:
    """A vector as records keep it: little-endian float32."""
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def normalised(vector: Vectors) -> Vectors:
    """`vector` (d,) at unit length, float32; a zero vector stays zero."""
    wide = vector.astype(np.float64)
    length = np.sqrt((wide * wide).sum())
    return (wide / length if length > 0 else wide).astype(np.float32)


def stored(value: float) -> float:
    """`value` as a data set keeps it: a float32, so that a score read back is the same number."""
    return float(np.float32(value))


def directional(
    source_image: Vectors,
    target_images: npt.NDArray[np.floating],
    source_text: Vectors,
    target_text: Vectors,
) -> list[float | None]:
    """Cosine of the change of picture and the change of words (Gal et al. 2022, eq. 2).

    `target_images` is (m, d), the rest (d,). None where pictures or words do not differ.
    """
    words = target_text.astype(np.float64) - source_text
    changes = target_images.astype(np.float64) - source_image
    word_length = np.sqrt((words * words).sum())
    lengths = np.sqrt((changes * changes).sum(axis=1))
    products = (changes * words).sum(axis=1)
    differ = np.minimum(lengths, word_length) > _SAME_DIRECTION
    cosines = np.divide(products, lengths * word_length, out=np.zeros_like(products), where=differ)
    values = cosines.astype(np.float32).tolist()
    return [value if known else None for value, known in zip(values, differ, strict=True)]


def cosines(vector: Vectors, others: Vectors) -> list[float]:
    """Inner products of unit vectors: `vector` (d,) with each of `others` (m, d)."""
    return [float(score) for score in score_pairs(vector, others)]


def margins(scores: Sequence[float]) -> list[float | None]:
    """Distance of each of the falling `scores` to the next; None for the last."""
    following: npt.NDArray[np.float32] = -np.diff(np.asarray(scores, dtype=np.float32))
    return [*(float(gap) for gap in following), None] if len(scores) else []


def same_word(first: str, second: str) -> bool:
    """Whether two lower-case words are the same but for singular and plural."""
    return not _forms(first).isdisjoint(_forms(second))


def count_word(words: Sequence[str], term: str) -> int:
    """How often `term`, one word or several in a row, stands in `words`, in either number."""
    wanted = _caption_words(term)
    if not wanted:
        return 0
    if len(wanted) == 1:
        forms = _forms(wanted[0])
        return sum([not forms.isdisjoint(_forms(word)) for word in words])
    return sum(
        all(map(same_word, words[start : start + len(wanted)], wanted))
        for start in range(len(words) - len(wanted) + 1)
    )


def word_agreement(
    *, edit_prompt: str, source_word: str, target_word: str, caption: str
) -> WordAgreement:
    """Compares a candidate's own `caption` with the `edit_prompt` it should fit.

    `new_word`: it holds the target word as often as the edit prompt does. `old_word`: it holds the
    source word oftener than the edit prompt, in which other things may rightly bear it. `rest`:
    multiset Jaccard index of the other words, articles aside (they follow the word they precede).
    """
    return EditWords.of(edit_prompt, source_word, target_word).agreement(caption)


@dataclass(frozen=True, eq=False)
class EditWords:
    """The words of an edit, ready to be compared with the captions of many candidates.

    `news` and `olds` are how often the edit prompt has the target word and the source word,
    `others` how often each of its other words, articles aside. See `word_agreement`.
    """

    source_word: str
    target_word: str
    news: int
    olds: int
    others: dict[str, int]
    _known: dict[str, WordAgreement] = field(default_factory=dict, repr=False)

    @staticmethod
    @lru_cache(maxsize=1_024)
    def of(edit_prompt: str, source_word: str, target_word: str) -> "EditWords":
        """Those of an edit; the same object for the same words, where it was lately asked for."""
        words = _caption_words(edit_prompt)
        return EditWords(
            source_word=source_word,
            target_word=target_word,
            news=count_word(words, target_word),
            olds=count_word(words, source_word),
            others=Counter(_without(words, target_word)),
        )

    def agreement(self, caption: str) -> WordAgreement:
        """How a candidate's caption agrees with the edit."""
        found = self._known.get(caption)
        if found is None:
            found = self._known[caption] = self._compare(caption)
        return found

    def _compare(self, caption: str) -> WordAgreement:
        text = _read_caption(caption)
        new = old = 0
        rest: Sequence[str] = text.content
        # Most captions lack most words, and the forms of all their words at once say so.
        if not text.forms.isdisjoint(_first_forms(self.target_word)):
            new = count_word(text.words, self.target_word)
            rest = _without(text.words, self.target_word)
        if not text.forms.isdisjoint(_first_forms(self.source_word)):
            old = count_word(text.words, self.source_word)
        return WordAgreement(
            new_word=float(new >= max(1, self.news)),
            old_word=float(old > self.olds),
            rest=stored(_jaccard(self.others, rest)),
        )


@dataclass(frozen=True)
class _Caption:
    """The words of a caption, those that are no articles, and all forms of all of them."""

    words: tuple[str, ...]
    content: tuple[str, ...]
    forms: frozenset[str]


@lru_cache(maxsize=65_536)
def _read_caption(text: str) -> _Caption:
    words = _caption_words(text)
    return _Caption(words, tuple(_content(words)), frozenset().union(*map(_forms, words)))


@lru_cache(maxsize=4_096)
def _first_forms(term: str) -> frozenset[str]:
    """All forms of the first word of `term`."""
    words = _caption_words(term)
    return _forms(words[0]) if words else frozenset()


MOST_QUALITY = 2.75
"""The greatest value of `rank_score`."""


def rank_score(scores: Scores, order: float) -> float:
    """How good a pseudo-target is by its scores and its `word_order`, for ranking, at most 2.75.

    structure + word order + target confidence / 2 + directional / 4, what is not measured counting
    0. Structure keeps in place what words do not place; among candidates with the same words it
    decides. Word order counts as much, so that a caption that names another scene does not win by
    its layout; a doubtful caption loses to a sure one; the CLIP direction settles what is left.
    """
    return (
        (scores.structure or 0.0)
        + order
        + (scores.target_confidence or 0.0) / 2
        + (scores.directional or 0.0) / 4
    )


@lru_cache(maxsize=65_536)
def word_order(first: str, second: str) -> float:
    """Share of words that two captions have in the same order, in [0, 1].

    Twice the longest common subsequence over the number of words of both, articles aside. 1 means
    the same words in the same order; `a red cup and a blue box` and `a blue cup and a red box`
    have the same words, but not so.
    """
    words = _content(_caption_words(first)), _content(_caption_words(second))
    total = len(words[0]) + len(words[1])
    return 2 * _common_subsequence(*words) / total if total else 1.0


@lru_cache(maxsize=65_536)
def _caption_words(text: str) -> tuple[str, ...]:
    return tuple(caption_words(text))


@lru_cache(maxsize=65_536)
def _forms(word: str) -> frozenset[str]:
    """`word` and all that it could be the plural of; not all need be words."""
    forms = {word, _IRREGULAR_PLURALS.get(word, word)}
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        forms.add(word[:-1])
        if word.endswith("es"):
            forms.add(word[:-2])
        if word.endswith("ies"):
            forms.add(word[:-3] + "y")
        if word.endswith("ves"):
            forms |= {word[:-3] + "f", word[:-3] + "fe"}
    return frozenset(forms)


def _content(words: Sequence[str]) -> list[str]:
    return [word for word in words if word not in ARTICLES]


def _without(words: Sequence[str], term: str) -> list[str]:
    """The words but for articles and the first occurrence of `term`."""
    wanted = _caption_words(term)
    length = len(wanted)
    for start in range(len(words) - length + 1):
        if length and all(map(same_word, words[start : start + length], wanted)):
            return _content([*words[:start], *words[start + length :]])
    return _content(words)


def _jaccard(first: Mapping[str, int], second: Sequence[str]) -> float:
    """Multiset Jaccard index of counted words and listed ones; 1 of nothing and nothing."""
    left = dict(first)
    both = 0
    for word in second:
        if left.get(word, 0):
            left[word] -= 1
            both += 1
    either = sum(first.values()) + len(second) - both
    return both / either if either else 1.0


def _common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    lengths = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for place, other in enumerate(second, start=1):
            longest = diagonal + 1 if word == other else max(lengths[place], lengths[place - 1])
            diagonal, lengths[place] = lengths[place], longest
    return lengths[-1]
