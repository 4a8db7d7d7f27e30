"""Which tokens of a prompt stand for a phrase: a choice that hangs on the text encoder.

A text encoder that reads from left to right, such as CLIP's, keeps what it has read in the token
that ends the prompt, and in those that pad it. A small one keeps much of the LAST thing there and
little in that thing's own words (docs/zestguide.md has numbers).
"""

import re
from collections.abc import Sequence
from typing import Any, Literal, get_args

from editing.errors import EditError, SettingError
from editing.settings import shorten

TokenChoice = Literal["phrase", "phrase-and-end", "end"]
"""`phrase`: a phrase's own tokens. With `phrase-and-end` the last of several phrases has the end
token and the first pads beside its own, with `end` in place of its own.
"""

TOKEN_CHOICES: tuple[str, ...] = get_args(TokenChoice)

Span = tuple[int, int]
"""Places of characters, from the first to before the last."""


def find_phrases(prompt: str, phrases: Sequence[str]) -> list[Span]:
    """Where each phrase stands in the prompt: whole words, whatever their case and blanks.

    A phrase stands where it is first found outside of longer ones: beside `green apple` the phrase
    `apple` is the other apple.

    Raises:
        EditError: one does not stand there.
    """
    spans: dict[int, Span] = {}
    for place in sorted(range(len(phrases)), key=lambda each: -len(phrases[each])):
        found = [match.span() for match in _pattern(phrases[place]).finditer(prompt)]
        free = [span for span in found if not any(_overlap(span, each) for each in spans.values())]
        if not free:
            where, stands = "in the prompt", "is not in"
            if found:
                where, stands = "outside of other segments' phrases", "in"
            raise EditError(
                f"a segment's phrase must stand {where}: {shorten(phrases[place])} {stands} "
                f"{shorten(prompt, 200)}"
            )
        spans[place] = free[0]
    return [spans[place] for place in range(len(phrases))]


def choose_tokens(
    tokenizer: Any, prompt: str, phrases: Sequence[str], *, choice: str, pads: int
) -> list[tuple[int, ...]]:
    """The tokens of the padded prompt that stand for each phrase, as `choice` says; see there.

    `pads` is how many padding tokens go with the end token, as far as there are so many.

    Raises:
        EditError: a phrase does not stand in the prompt.
        SettingError: an unknown choice.
    """
    if choice not in TOKEN_CHOICES:
        raise SettingError(f"tokens must be one of {', '.join(TOKEN_CHOICES)}, got {choice!r}")
    spans = find_phrases(prompt, phrases)
    read = tokenizer(prompt, return_offsets_mapping=True, verbose=False)
    offsets = [tuple(each) for each in read["offset_mapping"]]
    chosen = [
        tuple(n for n, each in enumerate(offsets) if each[0] < each[1] and _overlap(each, span))
        for span in spans
    ]
    for phrase, tokens in zip(phrases, chosen, strict=True):
        if not tokens:
            raise EditError(f"the text encoder reads nothing in the phrase {shorten(phrase)}")
    if choice == "phrase" or len(spans) < 2:
        return chosen
    last = max(range(len(spans)), key=lambda each: spans[each])
    end = len(offsets) - 1
    after = tuple(range(end, min(end + 1 + pads, tokenizer.model_max_length)))
    chosen[last] = after if choice == "end" else (*chosen[last], *after)
    return chosen


def _pattern(phrase: str) -> re.Pattern[str]:
    words = r"\s+".join(map(re.escape, phrase.split()))
    return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)


def _overlap(one: Sequence[int], other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]
