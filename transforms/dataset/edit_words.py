"""Whether the words of an edit stand in its texts, as Rewrite and Mine put them there."""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Any

from indexes.captions import caption_words

_MOST_PLACES = 200
"""No caption has a word so often that these are not enough, and a hostile one takes no time."""
_LITTLE_WORDS = frozenset(
    {"a", "an", "the", "this", "that", "there", "is", "are", "was", "were", "be", "being"}
    | {"his", "her", "its", "their", "through", "across", "in", "on", "at", "into", "along"}
)
_ENDING = re.compile(r"(?<=...)(?:ing|ed|es|s)$")
_ARTICLE_BEFORE = re.compile(r"(?is)(.*)(?<!\w)(an?)(\W+)")


def edit_problem(row: Mapping[str, Any]) -> str | None:
    """What the words of an edit (a row with the columns of `QUERY_FIELDS`) say against its texts.

    None where `edit_prompt` is `caption` with `source_word` exchanged for `target_word`, an article
    before them adjusted, and both phrases are made of words of their texts. Where the prompt is a
    mined caption, the other words must agree by half, articles and endings aside: near-equal
    captions say the rest in other words. An `edit_instruction` names what comes in.
    """
    caption, prompt = row["caption"], row["edit_prompt"]
    old, new = row["source_word"], row["target_word"]
    if old.casefold() == new.casefold():
        return "source_word and target_word must differ"
    instruction = row.get("edit_instruction")
    if instruction is not None and " ".join(new.split()).casefold() not in instruction.casefold():
        return "edit_instruction must have target_word"
    if row["method"] == "mine":
        exchanged = _differ_in_one_place(caption, prompt, old, new)
    else:
        exchanged = _is_exchanged(caption, prompt, old, new)
    if not exchanged:
        return "edit_prompt must be caption with source_word exchanged for target_word"
    for name, word, whole in (
        ("source_phrase", "source_word", "caption"),
        ("target_phrase", "target_word", "edit_prompt"),
    ):
        phrase, text = row[name].casefold(), row[whole].casefold()
        if row[word].casefold() not in phrase:
            return f"{name} must have {word}"
        if not all(each in text for each in phrase.split()):
            return f"{name} must be made of words of {whole}"
    return None


def _is_exchanged(caption: str, prompt: str, old: str, new: str) -> bool:
    """Whether one `old` of the caption is `new` in the prompt and nothing else but its article."""
    place = caption.find(old)
    for _ in range(_MOST_PLACES):
        if place < 0:
            break
        after = new + caption[place + len(old) :]
        if prompt.endswith(after):
            before = prompt[: len(prompt) - len(after)]
            if before == caption[:place] or _same_but_article(caption[:place], before):
                return True
        place = caption.find(old, place + 1)
    return False


def _same_but_article(first: str, second: str) -> bool:
    parts, others = _ARTICLE_BEFORE.fullmatch(first), _ARTICLE_BEFORE.fullmatch(second)
    return (
        parts is not None
        and others is not None
        and (parts.group(1), parts.group(3)) == (others.group(1), others.group(3))
    )


def _differ_in_one_place(caption: str, prompt: str, old: str, new: str) -> bool:
    """Whether two captions of a collection have these words and say much the same besides."""
    rests = []
    for text, phrase in ((caption, old), (prompt, new)):
        rest = _without(caption_words(text), caption_words(phrase))
        if rest is None:
            return False
        rests.append(Counter(map(_stem, _content(rest))))
    return 2 * (rests[0] & rests[1]).total() >= (rests[0] | rests[1]).total()


def _without(words: list[str], phrase: list[str]) -> list[str] | None:
    """The words but for the first occurrence of a phrase; None where they do not have it."""
    starts = (place for place, word in enumerate(words) if word == phrase[0]) if phrase else ()
    for start in islice(starts, _MOST_PLACES):
        if words[start : start + len(phrase)] == phrase:
            return words[:start] + words[start + len(phrase) :]
    return None


def _content(words: list[str]) -> list[str]:
    return [word for word in words if word not in _LITTLE_WORDS]


def _stem(word: str) -> str:
    """A word without the endings of verbs and of the plural."""
    root = _ENDING.sub("", word)
    if root[-1:] == root[-2:-1]:  # running
        root = root[:-1]
    return root.removesuffix("e")
