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
