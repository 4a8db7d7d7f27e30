"""Whether the words of an edit stand in its texts, as Rewrite and Mine put them there."""

import re
from collections.abc import Mapping
from typing import Any

from indexes.captions import caption_words

_MOST_PLACES = 200
"""No caption has a word so often that these are not enough, and a hostile one takes no time."""
_ARTICLE_BEFORE = re.compile(r"(?is)(.*)(?<!\w)(an?)(\W+)")


def edit_problem(row: Mapping[str, Any]) -> str | None:
    """What the words of an edit (a row with the columns of `QUERY_FIELDS`) say against its texts.

    None where `edit_prompt` is `caption` with `source_word` exchanged for `target_word`, an article
    before them adjusted, and both phrases are made of words of their texts.
    """
    caption, prompt = row["caption"], row["edit_prompt"]
    old, new = row["source_word"], row["target_word"]
    if old.casefold() == new.casefold():
        return "source_word and target_word must differ"
    if row["method"] == "mine":
        exchanged = _differ_in_one_word(caption, prompt, old, new)
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


def _differ_in_one_word(caption: str, prompt: str, old: str, new: str) -> bool:
    """Whether two captions of a collection are the same words but one, and the article before."""
    before, after = caption_words(caption), caption_words(prompt)
    if len(before) != len(after):
        return False
    other = [
        place for place, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]
    ]
    if not other or (before[other[-1]], after[other[-1]]) != (old.lower(), new.lower()):
        return False
    articles = {(before[place], after[place]) for place in other[:-1]}
    return other[:-1] in ([], [other[-1] - 1]) and articles <= {("a", "an"), ("an", "a")}
