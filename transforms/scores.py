"""What is measured on a (query, candidate) pair: pure functions of vectors, maps and words."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from indexes.captions import caption_words
from indexes.search import score_pairs
from transforms.protocols import Vectors

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
    source_image: Vectors, target_images: Vectors, source_text: Vectors, target_text: Vectors
) -> list[float | None]:
    """Cosine of the change of picture and the change of words (Gal et al. 2022, eq. 2).

    `target_images` is (m, d), the rest (d,). None where pictures or words do not differ.
    """
    words = target_text.astype(np.float64) - source_text
    changes = target_images.astype(np.float64) - source_image
    word_length = np.sqrt((words * words).sum())
    lengths = np.sqrt((changes * changes).sum(axis=1))
    products = (changes * words).sum(axis=1)
    return [
        stored(product / (length * word_length))
        if min(length, word_length) > _SAME_DIRECTION
        else None
        for product, length in zip(products, lengths, strict=True)
    ]


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


@lru_cache(maxsize=65_536)
def word_agreement(
    *, edit_prompt: str, source_word: str, target_word: str, caption: str
) -> WordAgreement:
    """Compares a candidate's own `caption` with the `edit_prompt` it should fit.

    `new_word`: it holds the target word as often as the edit prompt does. `old_word`: it holds the
    source word oftener than the edit prompt, in which other things may rightly bear it. `rest`:
    multiset Jaccard index of the other words, articles aside (they follow the word they precede).
    """
    news, olds, others = _prompt_words(edit_prompt, source_word, target_word)
    found = _caption_words(caption)
    new = count_word(found, target_word) >= max(1, news)
    old = count_word(found, source_word) > olds
    rest = _jaccard(others, _without(found, target_word))
    return WordAgreement(new_word=float(new), old_word=float(old), rest=stored(rest))


@lru_cache(maxsize=4_096)
def _prompt_words(
    edit_prompt: str, source_word: str, target_word: str
) -> tuple[int, int, tuple[str, ...]]:
    """How often the edit prompt has the two words, and its other words: for all candidates."""
    words = _caption_words(edit_prompt)
    others = tuple(_without(words, target_word))
    return count_word(words, target_word), count_word(words, source_word), others


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


def _jaccard(first: Sequence[str], second: Sequence[str]) -> float:
    one, other = Counter(first), Counter(second)
    either = (one | other).total()
    return (one & other).total() / either if either else 1.0


def _common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    lengths = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for place, other in enumerate(second, start=1):
            longest = diagonal + 1 if word == other else max(lengths[place], lengths[place - 1])
            diagonal, lengths[place] = lengths[place], longest
    return lengths[-1]
