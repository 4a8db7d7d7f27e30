"""The layout that a pair asks for."""

import numpy as np
import pytest
from PIL import Image

from editing.errors import EditError
from editing.evaluation.edit_layout import edit_layout, words_in

CAPTION = "a small red chair on the left of a plain background"
PROMPT = "a large red chair on the left of a plain background"


def mask(marked=True):
    return Image.fromarray(np.full((16, 16), 255 * marked, np.uint8))


@pytest.mark.parametrize(
    ("phrase", "found"),
    [
        ("red chair", "red chair"),
        ("large chair", "large red chair"),
        ("Large  chair", "large red chair"),
        ("chair red", None),
        ("large background", None),
        ("air", None),
        ("", None),
    ],
)
def test_a_phrase_s_words_with_few_between(phrase, found):
    assert words_in(PROMPT, phrase) == found


@pytest.mark.parametrize(
    ("phrase", "words"), [("large chair", "large red chair"), ("huge chair", "large")]
)
def test_its_segment(phrase, words):
    layout = edit_layout(mask(), PROMPT, phrase=phrase, source_prompt=CAPTION)
    assert layout.phrases == (words,)
    assert layout.segments[0].marks().all()


def test_nothing_exchanged_or_nothing_marked():
    with pytest.raises(EditError, match="a segment must have a phrase"):
        edit_layout(mask(), PROMPT, phrase="pear", source_prompt=PROMPT)
    with pytest.raises(EditError, match="is empty"):
        edit_layout(mask(marked=False), PROMPT, phrase="red chair", source_prompt=CAPTION)
