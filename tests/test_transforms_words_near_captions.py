import pickle

import pytest

from transforms.words.caption_pairs import MineOptions, PoolEntry, SourceEntry, mine
from transforms.words.near_captions import NearCaptions

# TextBlob leaves its word list's file for the garbage collector to close.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

NEAR = NearCaptions()
ALL = MineOptions(edits=50, cap=50)


def mined(first, second, *, near=NEAR):
    """What is mined of two pictures, each a caption or several of them."""
    first, second = ([one] if isinstance(one, str) else one for one in (first, second))
    source = SourceEntry("b", "s", first[0], tuple(first[1:]))
    pool = [PoolEntry(0, "p", second[0], tuple(second[1:]))]
    found = mine([source], pool, near, ALL)
    return [
        (
            " ".join(edit.caption.split()[slice(*edit.source)]),
            " ".join(edit.edit_prompt.split()[slice(*edit.target)]),
        )
        for edit in (found["s"].edits if found else ())
    ]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("A dog runs through grass", "The dog is running in the snow", ("grass", "snow")),
        ("A skier jumps", "a snowboarder is jumping", ("skier", "snowboarder")),
        ("Two dogs run on a beach", "three dogs running on the beach", ("Two", "three")),
        ("A dog runs on a beach", "Two dogs run on the beach", ("A dog", "Two dogs")),
        ("a brown dog in water", "A black dog is in the water", ("brown", "black")),
        ("the man rides a horse", "A man riding a bicycle", None),
        ("a dog in a red car", "a dog in a truck", ("car", "truck")),
        ("a brown dog on a bed", "a brown dog on the couch", ("bed", "couch")),
        ("a man on a hill", "a woman on a hill", ("man", "woman")),
        ("a swimming pool with a dog", "a lake with a dog", ("swimming pool", "lake")),
    ],
)
def test_one_phrase_apart(first, second, words):
    assert mined(first, second) == ([words] if words else [])
    backwards = [(new, old) for old, new in mined(second, first)]
    assert backwards == ([words] if words else [])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a dog in the grass", "a dog in the field"),  # may be one place
        ("a child on a swing", "a boy on a swing"),
        ("people on a hill", "men on a hill"),
        ("a puppy runs", "a dog runs"),
        ("a bike on a street", "a bicycle on a street"),
        ("a man in a coat", "a man in a jacket"),
        ("a brown dog runs", "a tan dog runs"),
        ("a brown dog in grass", "a black dog in snow"),  # two things differ
        ("two dogs in grass", "three dogs in snow"),
        ("a small brown dog", "a large black dog"),
        ("a dog chases a cat", "a cat chases a dog"),
        ("a dog runs", "a dog sits"),
        ("a brown dog", "a dog"),
        ("a dog in a box of toys", "a dog in a basket of toys"),  # the box measures
        ("a dog", "a dog"),
        ("", "a dog"),
    ],
)
def test_what_shows_the_same_or_more_than_one_change_is_not_mined(first, second):
    assert mined(first, second) == []


def test_what_one_caption_leaves_out_is_no_difference():
    assert mined("a brown dog in grass", "a dog in snow") == [("grass", "snow")]


@pytest.mark.parametrize(
    ("also", "words"),
    [
        ("a happy animal", [("grass", "snow")]),
        ("a dog plays in snow and grass", []),
        ("a dog in the snow", []),
    ],
)
def test_what_else_is_told_of_the_source_counts(also, words):
    source = ["a dog runs in grass", also]
    assert mined(source, "a dog runs in snow") == words
    assert mined("a dog runs in snow", source) == [(new, old) for old, new in words]


def test_other_captions_tell_number_and_colour():
    assert mined(["two dogs run", "three dogs play"], "three dogs run") == []
    assert mined(["a brown dog runs", "a black dog"], "a black dog runs") == []
    assert mined(["a brown dog runs", "a dog plays"], "a black dog runs") == [("brown", "black")]


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("person", "a man on a hill", "a woman on a hill"),
        ("scenery", "a dog in grass", "a dog in snow"),
        ("colour", "a brown dog", "a black dog"),
        ("number", "two dogs", "three dogs"),
    ],
)
def test_kinds_that_are_left_out(kind, first, second):
    assert len(mined(first, second)) == 1
    assert mined(first, second, near=NearCaptions(without=(kind,))) == []


def test_it_travels_as_a_path():
    assert len(pickle.dumps(NEAR)) < 500
    assert pickle.loads(pickle.dumps(NEAR)) == NEAR
