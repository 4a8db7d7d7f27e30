"""Requests: what may be asked for, and what of it is to change."""

import pytest
from fakes.editors import half_mask
from fakes.pictures import noise as picture
from hypothesis import given
from hypothesis import strategies as st

from editing.errors import EditError, EditingError
from editing.requests import Edit, EditOutput, Request, changed_words

SIZE = (32, 32)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: Request(image=picture(1), prompt="  "), "prompt must not be empty"),
        (
            lambda: Request(image=picture(1), prompt="a", edit_mask=half_mask((8, 8))),
            "edit_mask must have the picture's size 32 x 32, got 8 x 8",
        ),
        (lambda: Request(image=half_mask(SIZE), prompt="a"), "must be RGB, got L"),
        (
            lambda: Request(image=picture(1), prompt="a", pseudo_target_image=half_mask(SIZE)),
            "must be RGB, got L",
        ),
        (lambda: Request(image=picture(1), prompt="a").phrase(), "a mask needs edit_mask"),
        (
            lambda: Request(image=picture(1), prompt="a b", source_prompt="a b").phrase(),
            "a source_prompt that differs",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused(make, rule):
    with pytest.raises(EditError, match=rule) as caught:
        make()
    assert isinstance(caught.value, EditingError)
    assert "\n" not in str(caught.value)


def test_what_may_change_is_what_a_person_says_or_what_the_prompts_differ_in():
    asked = {"image": picture(1), "prompt": "a red pear", "source_prompt": "a red apple"}
    assert Request(**asked).phrase() == "apple"
    assert Request(**asked, mask_phrase="the left one").phrase() == "the left one"


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("a red apple", "a red pear", "apple"),
        ("a red apple on a table", "a green apple on a table", "red"),
        ("a red apple on a table", "a green pear on a table", "red apple"),
        ("a cat", "a cat with a hat", ""),
        ("a cat with a hat", "a cat", "with a hat"),
        ("a a a", "a a", "a"),
        ("same", "same", ""),
    ],
)
def test_the_words_that_a_prompt_exchanges(before, after, changed):
    assert changed_words(before, after) == changed


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_what_is_left_of_the_source_prompt_is_in_the_prompt(before, after):
    """Head and tail around the changed words begin and end the prompt, without overlap."""
    changed = changed_words(" ".join(before), " ".join(after)).split()
    common = len(before) - len(changed)
    assert common <= len(after)
    assert any(
        before[:head] == after[:head]
        and before[head : head + len(changed)] == changed
        and before[head + len(changed) :] == after[len(after) - (common - head) :]
        for head in range(common + 1)
    )


def test_the_best_result_is_the_first():
    one, two = Edit(picture(1), 0.9), Edit(picture(2), 0.1)
    assert EditOutput((one, two)).image is one.image
