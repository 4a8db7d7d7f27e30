"""Where in a caption the exchanged word stands, so that a page can mark it."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class MarkedText:
    """A text cut in three: what comes before the marked word, the word, and what comes after.

    `marked` is empty where the word was not found; the three joined are always the whole text.
    """

    before: str
    marked: str
    after: str


def mark_word(text: str, word: str, *, other: str = "") -> MarkedText:
    """Cut `text` at `word`, whole words only, case aside.

    Where the word stands more than once, it is the first time at or after the first difference
    between `text` and `other`, the same text with another word there; else the first time.
    """
    found = list(re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE))
    if not word or not found:
        return MarkedText(text, "", "")
    change = common_start(text, other) if other else 0
    match = next((m for m in found if m.end() > change), found[0])
    return MarkedText(text[: match.start()], match.group(), text[match.end() :])


def common_start(first: str, second: str) -> int:
    """How many characters both texts share from the start."""
    pairs = zip(first, second, strict=False)
    unequal = (index for index, (a, b) in enumerate(pairs) if a != b)
    return next(unequal, min(len(first), len(second)))


def mark_difference(text: str, other: str) -> MarkedText:
    """Cut `text` at the run of words in which it differs from `other`; unmarked if in none."""
    words, others = text.split(" "), other.split(" ")
    shorter = min(len(words), len(others))
    start = 0
    while start < shorter and words[start] == others[start]:
        start += 1
    end = 0
    while end < shorter - start and words[-1 - end] == others[-1 - end]:
        end += 1
    stop = len(words) - end
    if start >= stop:
        return MarkedText(text, "", "")
    before = " ".join(words[:start]) + (" " if start else "")
    after = (" " if end else "") + " ".join(words[stop:])
    return MarkedText(before, " ".join(words[start:stop]), after)
