import random
from dataclasses import dataclass, replace

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from fakes.index import build_index, draw, embedded, picture
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes.captions import all_captions, caption_words
from transforms.mine import Mine, mined_queries, plain_phrase
from transforms.record import Batch
from transforms.retrieve import RetrieveOptions, retrieve_batch
from transforms.words.caption_pairs import MineOptions, PoolEntry, SourceEntry, mine
from transforms.words.caption_reading import Change, OneWord


@dataclass(frozen=True)
class Relation:
    relation: str
    part_of_speech: str
    source_synset: str
    target_synset: str


FAMILIES = (("red", "green", "blue"), ("left", "right"), ("apple", "pear"))


def related(first, second):
    for family in FAMILIES:
        if first in family and second in family and first != second:
            part_of_speech = "noun" if "apple" in family else "adjective"
            return Relation("co-hyponym", part_of_speech, f"{first}.n.01", f"{second}.n.01")
    return None


WORDS = OneWord(related)
ALL = MineOptions(edits=100, cap=100)


def source(key, caption, *others):
    return SourceEntry("s0/0", key, caption, others)


def test_a_caption_meets_its_neighbours_on_the_blank():
    texts = {text: word for _, text, (word, _) in WORDS.slots(["A red apple."])}
    assert texts == {"_ red apple": "a", "a _ apple": "red", "a red _": "apple"}


def test_an_article_follows_its_noun():
    pool = [PoolEntry(0, "p", "a pear on a plate")]
    found = mine([source("s", "an apple on a plate")], pool, WORDS, MineOptions())
    (edit,) = found["s"].edits
    assert (edit.edit_prompt, edit.source, edit.target) == ("a pear on a plate", (1, 2), (1, 2))


@pytest.mark.parametrize(
    "caption",
    [
        "a red apple",
        "a red dog",
        "a green pear",
        "a red pear tree",
        "pear a red",
        "",
    ],
)
def test_what_does_not_differ_in_one_related_word_is_not_mined(caption):
    pool = [PoolEntry(0, "p", caption)]
    assert mine([source("s", "a red apple")], pool, WORDS, MineOptions()) == {}


def test_a_picture_is_never_its_own_target():
    pool = [PoolEntry(0, "s", "a green apple")]
    assert mine([source("s", "a red apple")], pool, WORDS, MineOptions()) == {}


captions = st.lists(
    st.sampled_from(["red", "green", "blue", "left", "right", "apple", "pear", "dog"]),
    min_size=1,
    max_size=4,
).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(sources=st.lists(captions, max_size=8), pool=st.lists(captions, max_size=25))
def test_mining_is_comparing_every_pair(sources, pool):
    asking = [source(f"s{number}", caption) for number, caption in enumerate(sources)]
    entries = [PoolEntry(row, f"p{row}", caption) for row, caption in enumerate(pool)]
    expected = set()
    for one in asking:
        for other in entries:
            first, second = caption_words(one.caption), caption_words(other.caption)
            if len(first) == len(second):
                differing = [n for n in range(len(first)) if first[n] != second[n]]
                if len(differing) == 1 and related(first[differing[0]], second[differing[0]]):
                    expected.add((one.key, differing[0], other.key))
    found = {
        (key, edit.source[0], entry.key)
        for key, edits in mine(asking, entries, WORDS, ALL).items()
        for edit in edits.edits
        for entry in edit.entries
    }
    assert found == expected


def test_the_draw_depends_on_seed_and_keys_and_not_on_order():
    asking = [source(f"s{number}", "a red apple") for number in range(5)]
    pool = [PoolEntry(row, f"p{row}", "a green apple") for row in range(100)]
    options = MineOptions(cap=4)
    found = mine(asking, pool, WORDS, options)
    shuffled = random.Random(1).sample(pool, len(pool))
    assert mine(asking[::-1], shuffled, WORDS, options) == found
    drawn = {tuple(edit.entries) for edits in found.values() for edit in edits.edits}
    assert all(len(entries) == 4 for entries in drawn)
    assert len(drawn) > 1
    assert mine(asking, pool, WORDS, MineOptions(cap=4, seed=1)) != found


def test_a_common_text_is_compared_with_so_many_captions_whatever_their_order(monkeypatch):
    monkeypatch.setattr("transforms.words.caption_pairs.MOST_CAPTIONS", 3)
    reading = OneWord(lambda first, second: Relation("antonym", "noun", first, second))
    pool = [PoolEntry(row, f"p{row}", f"a number{row % 40}") for row in range(200)]
    found = mine([source("s", "a word")], pool, reading, ALL)["s"]
    assert found.total == 3
    assert {len(edit.entries) for edit in found.edits} == {5}
    shuffled = random.Random(1).sample(pool, len(pool))
    assert mine([source("s", "a word")], shuffled, reading, ALL)["s"] == found


def test_all_captions_of_both_pictures_are_joined():
    pool = [PoolEntry(0, "p", "a dog", ("a green apple", "a green pear"))]
    asking = [source("s", "a cat", "a red apple", "a blue pear")]
    found = mine(asking, pool, WORDS, ALL)["s"]
    assert {(edit.caption, edit.edit_prompt) for edit in found.edits} == {
        ("a red apple", "a green apple"),
        ("a blue pear", "a green pear"),
    }
    assert found.total == 2


def test_the_query_speaks_of_the_caption_that_was_mined():
    pool = [PoolEntry(0, "p", "a dog", ("a green apple",))]
    one = picture("s", b"x", "a cat")
    found = mine([source("s", "a cat", "a red apple")], pool, WORDS, ALL)
    (record,) = mined_queries(batch_of(one), found.items(), ALL).records
    assert (record.caption, record.edit_prompt) == ("a red apple", "a green apple")
    assert record.source.caption == "a cat"
    assert [each.caption for each in record.candidates] == ["a green apple"]


def test_what_is_rarely_wanted_comes_later_by_half():
    @dataclass(frozen=True)
    class Rarely(OneWord):
        def change(self, first, second):
            change = super().change(first, second)
            return change and Change(*change[:3], rarely=second[0] == "pear")

    pool = [PoolEntry(0, "p", "a pear"), PoolEntry(1, "q", "a plum")]
    reading = Rarely(lambda first, second: Relation("antonym", "noun", first, second))
    asking = [source(f"s{number}", "a lime") for number in range(3000)]
    first = [each.edits[0].edit_prompt for each in mine(asking, pool, reading, ALL).values()]
    assert 0.30 < first.count("a pear") / len(first) < 0.37


def batch_of(*pictures, number=0):
    return Batch("s0", number, pictures)


def run_plainly(batches, index, options, reading=WORDS):
    """The stage as a loop, with everything in memory."""
    pool = [
        PoolEntry(row, key, first, tuple(others))
        for row, (key, (first, *others)) in enumerate(
            zip(index.keys(), index.all_captions(), strict=True)
        )
    ]
    results = []
    for batch in batches:
        asking = [
            source(one.key, *all_captions(one.caption, one.alt_text))
            for one in batch.records
            if one.caption
        ]
        found = mine(asking, pool, reading, options)
        light = [replace(one, image=None) for one in batch.records]
        results.append(
            mined_queries(Batch(batch.shard, batch.number, tuple(light)), found.items(), options)
        )
    return results


def test_the_join_equals_the_loop(tmp_path, pool):
    index = build_index(tmp_path, [pool[:7], pool[7:]])
    stranger = picture("stranger", draw("red", 9, 9), "a dog")
    silent = picture("silent", draw("red", 9, 9))
    batches = [
        batch_of(*pool[:5], stranger),
        batch_of(*pool[5:], silent, number=1),
        batch_of(number=2),
    ]
    options = MineOptions(edits=2, cap=1)
    expected = run_plainly(batches, index, options)
    assert sum(len(batch.records) for batch in expected) == 24
    with beam.Pipeline("FnApiRunner") as pipeline:
        mined = pipeline | beam.Create(batches) | Mine(index, related, options)
        assert_that(mined, equal_to(expected))


def test_the_join_takes_all_captions_of_sources_and_pool(tmp_path, pool):
    told = [replace(one, alt_text=f"{one.caption}\nnothing else\nit is {one.key}") for one in pool]
    index = build_index(tmp_path, [told])
    reading = OneWord(lambda first, second: Relation("antonym", "noun", first, second))
    options = MineOptions(edits=20, cap=2)
    batches = [batch_of(*told[:4]), batch_of(*told[4:], number=1)]
    expected = run_plainly(batches, index, options, reading)
    prompts = {query.edit_prompt for batch in expected for query in batch.records}
    assert len(prompts) > len(pool)
    assert f"it is {pool[0].key}" in prompts
    with beam.Pipeline("FnApiRunner") as pipeline:
        mined = pipeline | beam.Create(batches) | Mine(index, reading, options)
        assert_that(mined, equal_to(expected))


def test_mined_queries_carry_what_rewrite_would_give(tmp_path, pool):
    index = build_index(tmp_path, [pool])
    options = MineOptions(edits=10)
    silent, stranger = picture("silent", b"x"), picture("stranger", b"y", "a dog")
    (result,) = run_plainly([batch_of(pool[0], silent, stranger)], index, options)
    assert [(reject.key, reject.reason) for reject in result.rejects] == [
        ("silent", "no_caption"),
        ("stranger", "no_caption_pair"),
    ]
    assert [record.number for record in result.records] == [0, 1, 2]
    assert {record.edit_prompt for record in result.records} == {
        "a green disc on the left",
        "a blue disc on the left",
        "a red disc on the right",
    }
    green = next(record for record in result.records if record.target_word == "green")
    assert (green.method, green.alternatives) == ("mine", 2)
    assert (green.source_word, green.source_phrase) == ("red", "red disc")
    assert (green.target_phrase, green.relation) == ("green disc", "co-hyponym")
    assert (green.source_synset, green.target_synset) == ("red.n.01", "green.n.01")
    assert {candidate.key for candidate in green.candidates} == {"green-18-18", "green-18-46"}


def test_mined_queries_go_on_like_searched_ones(tmp_path, pool):
    index = build_index(tmp_path, [pool])
    (mined,) = run_plainly([batch_of(pool[0])], index, MineOptions())
    asked = embedded(replace(mined.records[0], source=pool[0]))
    (record,) = retrieve_batch(batch_of(asked), index, RetrieveOptions()).records
    assert record.candidates[0].scores.new_word == 1
    assert record.candidates[0].scores.rest == 1


def test_the_words_keep_their_spelling():
    pool = [PoolEntry(0, "p", "Pear, on a plate")]
    one = picture("s", b"x", "Apple on a plate")
    found = mine([source("s", one.caption)], pool, WORDS, MineOptions())
    (record,) = mined_queries(batch_of(one), found.items(), MineOptions()).records
    assert (record.source_word, record.target_word) == ("Apple", "Pear")
    assert record.edit_prompt == "Pear, on a plate"


@pytest.mark.parametrize(
    ("words", "position", "part_of_speech", "phrase"),
    [
        ("small red apple on a plate", 0, "adjective", "small apple"),
        ("the door is red", 3, "adjective", "red"),
        ("a red apple", 2, "noun", "apple"),
    ],
)
def test_plain_phrase(words, position, part_of_speech, phrase):
    assert plain_phrase(words.split(), position, part_of_speech) == phrase


@pytest.mark.parametrize("name", ["edits", "cap"])
def test_wrong_options_are_refused_by_name(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        MineOptions(**{name: 0})
