"""The layout that a pair of a data set asks for, for editors that need one."""

import re

from PIL import Image

from editing.layouts import Layout, Segment
from editing.requests import changed_spans

MOST_BETWEEN = 3
"""So many words of a prompt may stand between two of a phrase, as `red` in `large red chair`."""


def edit_layout(mask: Image.Image, prompt: str, *, phrase: str, source_prompt: str) -> Layout:
    """One segment: `mask`, where the source shows what is exchanged, and its new words.

    These are `phrase` as it stands in `prompt`, with what stands between its words; where it does
    not, the words that `prompt` has and `source_prompt` has not.

    Raises:
        EditError: there are no such words, or the mask marks nothing.
    """
    words = words_in(prompt, phrase)
    if words is None:
        words = next((each.after for each in changed_spans(source_prompt, prompt)), "")
    return Layout((Segment(words, mask),))


def words_in(prompt: str, phrase: str) -> str | None:
    """The words of `phrase` as they stand in `prompt`, with few between them; None if nowhere."""
    between = rf"(?:\s+\w+){{0,{MOST_BETWEEN}}}?\s+"
    pattern = between.join(map(re.escape, phrase.split()))
    found = re.search(rf"(?<!\w){pattern}(?!\w)", prompt, re.IGNORECASE) if pattern else None
    return found.group() if found else None
