"""Captions as the index compares them: by their words, whatever the case and the punctuation."""

import re

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def spelled_words(text: str) -> list[str]:
    """The words of `text` in order, as they are spelled; `traffic-light` and `dog's` are one."""
    return _WORD.findall(text)


def caption_words(text: str) -> list[str]:
    """The words of `text` in order, lower-cased."""
    return [word.lower() for word in spelled_words(text)]


def same_caption_key(text: str) -> str:
    """What two captions have in common exactly if they have the same words in the same order."""
    return " ".join(caption_words(text))


def all_captions(caption: str, alt_text: str | None) -> tuple[str, ...]:
    r"""Everything that is said of a picture, its caption first, each in other words.

    A source that has several captions of a picture gives them as the lines of `alt_text`, of which
    the first is the caption where captions are the source's. Where the caption is a model's the
    source's words are left out.

    >>> all_captions("a dog runs", "A dog runs.\nTwo dogs run.\na dog runs")
    ('a dog runs', 'Two dogs run.')
    >>> all_captions("a cat", "A dog runs.\nTwo dogs run.")
    ('a cat',)
    """
    own = same_caption_key(caption)
    first, *others = (alt_text or "").split("\n")
    if not others or same_caption_key(first) != own:
        return (caption,)
    told = {own: caption}
    for other in others:
        if key := same_caption_key(other):
            told.setdefault(key, other)
    return tuple(told.values())
