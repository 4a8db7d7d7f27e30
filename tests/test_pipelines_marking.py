"""The exchanged word is found where it was exchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.marking import mark_difference, mark_word


@pytest.mark.parametrize(
    ("text", "word", "other", "expected"),
    [
        ("a red apple", "red", "a blue apple", ("a ", "red", " apple")),
        ("An Apple", "apple", "A pear", ("An ", "Apple", "")),
        ("a cat and a cat", "cat", "a cat and a dog", ("a cat and a ", "cat", "")),
        ("a cathedral", "cat", "", ("a cathedral", "", "")),
        ("a car in a carpark", "car", "a bus in a carpark", ("a ", "car", " in a carpark")),
        ("a traffic light", "traffic light", "a sign", ("a ", "traffic light", "")),
        ("C++ (draft)", "(draft)", "", ("C++ ", "(draft)", "")),
        ("nothing", "", "", ("nothing", "", "")),
    ],
)
def test_a_word_is_marked_where_the_texts_differ(text, word, other, expected):
    marked = mark_word(text, word, other=other)
    assert (marked.before, marked.marked, marked.after) == expected


@pytest.mark.parametrize(
    ("text", "other", "expected"),
    [
        ("an apple on it", "a pear on it", ("", "an apple", " on it")),
        ("a red cup", "a blue cup", ("a ", "red", " cup")),
        ("a cup", "a cup", ("a cup", "", "")),
        ("a a b", "a b", ("a ", "a", " b")),
        ("a b", "a a b", ("a b", "", "")),
    ],
)
def test_the_words_that_differ_are_marked(text, other, expected):
    marked = mark_difference(text, other)
    assert (marked.before, marked.marked, marked.after) == expected


texts = st.text(alphabet="ab <(.", max_size=12)


@given(texts, texts, texts)
def test_nothing_of_the_text_is_lost(text, word, other):
    for marked in (mark_word(text, word, other=other), mark_difference(text, other)):
        assert marked.before + marked.marked + marked.after == text
