import numpy as np
import pytest
from fakes.index import unit_vectors
from hypothesis import given
from hypothesis import strategies as st

from transforms.scores import (
    as_bytes,
    as_vector,
    count_word,
    directional,
    margins,
    normalised,
    same_word,
    stored,
    word_agreement,
    word_order,
)


def agreement(caption, edit_prompt="a green cup on a table", old="red", new="green"):
    found = word_agreement(
        edit_prompt=edit_prompt, source_word=old, target_word=new, caption=caption
    )
    return found.new_word, found.old_word, found.rest


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a green cup on a table", (1, 0, 1)),
        ("A GREEN cup, on the table!", (1, 0, 1)),
        ("a red cup on a table", (0, 1, 3 / 4)),
        ("a green cup and a red cup", (1, 1, 1 / 6)),
        ("a green dog", (1, 0, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_word_agreement(caption, expected):
    assert agreement(caption) == pytest.approx(expected)


def test_a_word_that_the_edit_leaves_standing_elsewhere_is_not_held_against_the_target():
    prompt = "a green cup beside a red box"
    assert agreement("a green cup beside a red box", prompt)[1] == 0
    assert agreement("a red cup beside a red box", prompt)[:2] == (0, 1)


def test_the_new_word_must_be_there_as_often_as_in_the_prompt():
    prompt = "a green cup beside a green box"
    assert agreement("a green cup beside a blue box", prompt)[0] == 0
    assert agreement("a green cup beside a green box", prompt)[0] == 1


def test_compounds_and_plurals():
    prompt = "two stop signs on a street"
    assert agreement("a stop sign on a street", prompt, "traffic lights", "stop signs")[0] == 1
    assert agreement("a sign on a street", prompt, "traffic lights", "stop signs")[0] == 0
    assert agreement("a traffic light", prompt, "traffic lights", "stop signs")[1] == 1


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("bus", "buses", True),
        ("horse", "horses", True),
        ("box", "boxes", True),
        ("berry", "berries", True),
        ("knife", "knives", True),
        ("child", "children", True),
        ("glass", "glass", True),
        ("car", "cat", False),
        ("glass", "gla", False),
        ("gas", "ga", False),
    ],
)
def test_same_word(first, second, same):
    assert same_word(first, second) is same
    assert same_word(second, first) is same


def test_nothing_is_never_found():
    assert count_word(["a", "cup"], "") == 0
    assert count_word([], "cup") == 0


def test_word_order_tells_swapped_things_apart():
    assert word_order("a red cup and a blue box", "the red cup, and blue box") == 1
    assert word_order("a red cup and a blue box", "a blue cup and a red box") == pytest.approx(0.6)
    assert word_order("red cup", "green box") == 0
    assert word_order("", "") == 1


@given(st.lists(st.sampled_from("bcd"), max_size=6), st.lists(st.sampled_from("bcd"), max_size=6))
def test_word_order_is_symmetric_and_in_range(first, second):
    one, other = " ".join(first), " ".join(second)
    assert 0 <= word_order(one, other) <= 1
    assert word_order(one, other) == pytest.approx(word_order(other, one))
    assert (word_order(one, other) == 1) == (first == second)


def test_directional_is_the_cosine_of_the_two_changes():
    source, text = np.zeros(2, np.float32), np.zeros(2, np.float32)
    targets = np.array([[2, 0], [0, 1], [-1, 0], [1, 1], [0, 0]], np.float32)
    scores = directional(source, targets, text, np.array([1, 0], np.float32))
    assert scores[:4] == pytest.approx([1, 0, -1, np.sqrt(0.5)])
    assert scores[4] is None
    assert directional(source, targets[:1], text, text) == [None]


def test_margins():
    assert margins([0.9, 0.5, 0.5]) == [pytest.approx(0.4), 0, None]
    assert margins([]) == []


def test_vectors_survive_bytes():
    vectors = unit_vectors(2)
    assert (as_vector(as_bytes(vectors[1])) == vectors[1]).all()
    assert len(as_bytes(vectors[0].astype(np.float64))) == 4 * vectors.shape[1]


def test_normalised():
    assert np.linalg.norm(normalised(np.array([3, 4], np.float32))) == pytest.approx(1)
    assert normalised(np.zeros(3, np.float32)).tolist() == [0, 0, 0]


def test_a_stored_score_is_a_float32():
    assert stored(0.1) == float(np.float32(0.1)) != 0.1
