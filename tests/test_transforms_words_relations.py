import pickle

import pytest

from transforms.words.caption_pairs import MineOptions, PoolEntry, SourceEntry, mine
from transforms.words.caption_reading import OneWord
from transforms.words.relations import LexiconRelations, TaggedPhrase

# TextBlob leaves its word list's file for the garbage collector to close.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

RELATED = LexiconRelations()


@pytest.mark.parametrize(
    ("first", "second", "relation", "part_of_speech"),
    [
        ("apple", "pear", "co-hyponym", "noun"),
        ("cars", "trucks", "co-hyponym", "noun"),
        ("red", "green", "co-hyponym", "adjective"),
        ("small", "large", "antonym", "adjective"),
        ("plain", "patterned", "antonym", "adjective"),
    ],
)
def test_words_that_may_take_each_others_place(first, second, relation, part_of_speech):
    found = RELATED(first, second)
    assert (found.relation, found.part_of_speech) == (relation, part_of_speech)
    assert found.source_synset != found.target_synset
    assert found.source_synset
    assert RELATED(second, first).relation == relation


@pytest.mark.parametrize(
    ("first", "second"),
    [("apple", "car"), ("car", "trucks"), ("red", "small"), ("dog", "puppy"), ("xyzzy", "apple")],
)
def test_words_that_may_not(first, second):
    assert RELATED(first, second) is None


def test_a_word_is_not_related_to_itself():
    assert RELATED("apple", "apple") is None
    assert RELATED("red", "red") is None


def test_relations_travel_as_a_path():
    assert len(pickle.dumps(RELATED)) < 500
    assert pickle.loads(pickle.dumps(RELATED)) == RELATED


@pytest.mark.parametrize(
    ("caption", "position", "part_of_speech", "phrase"),
    [
        ("a small red apple on a plate", 1, "adjective", "small apple"),
        ("a small red apple on a plate", 3, "noun", "apple"),
        ("the car is red", 3, "adjective", "red car"),
        ("a large dog running on grass", 1, "adjective", "large dog"),
        ("red", 0, "adjective", "red"),
    ],
)
def test_the_phrase_is_that_of_rewrite(caption, position, part_of_speech, phrase):
    assert TaggedPhrase()(caption.split(), position, part_of_speech) == phrase


def test_mining_by_the_lexicon():
    source = SourceEntry("b", "s", "a small red apple on a table")
    captions = (
        "a small red pear on a table",
        "a small red car on a table",
        "a small green apple on a table",
        "a large red apple on a table",
    )
    pool = [PoolEntry(row, f"p{row}", caption) for row, caption in enumerate(captions)]
    edits = mine([source], pool, OneWord(RELATED), MineOptions(edits=9))["s"].edits
    assert {edit.edit_prompt for edit in edits} == {captions[0], *captions[2:]}
