import apache_beam as beam
import numpy as np
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from fakes.records import bare_source
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.rewrite_sentences import measure
from transforms.record import Batch
from transforms.rewrite import Rewrite, RewriteOptions, Rewriter, rewrite_batch
from transforms.words.lexicon import load_lexicon
from transforms.words.pool_words import PoolWords, count_pool
from transforms.words.senses import PictureSenseScorer, choose_sense, picture_log_scores

LEXICON = load_lexicon()
COLOURS = ("red", "green", "blue", "yellow", "purple", "pink")
FAMILIES = (
    ("apple", "pear", "melon", "grape"),
    ("bottle", "bowl", "bucket", "jar"),
    ("chair", "sofa", "stool", "bench"),
    ("car", "truck", "bus", "train", "boat"),
)
WORLD_TEXT = "a small large on to the left right of plain patterned background"
NOUNS = tuple(noun for family in FAMILIES for noun in family)
WORLD = dict.fromkeys((*NOUNS, *COLOURS, *WORLD_TEXT.split()), 10)


def picture(key, caption):
    return bare_source(key=key, caption=caption)


def targets(caption, **kwargs):
    return {one.target_phrase for one in Rewriter(LEXICON, **kwargs).possible(caption)}


def prompts(caption, **kwargs):
    return {one.edit_prompt for one in Rewriter(LEXICON, **kwargs).possible(caption)}


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_word_of_the_built_in_world_can_be_edited(family, colour):
    for noun in family:
        caption = f"a small {colour} {noun} on the left of a plain background"
        found = Rewriter(LEXICON, pool=PoolWords(WORLD)).possible(caption)
        nouns = {one.target_word for one in found if one.part_of_speech == "noun"}
        assert nouns
        assert nouns <= set(family)
        phrases = {one.target_phrase for one in found}
        assert f"large {noun}" in phrases
        assert "patterned background" in phrases
        assert any(f"{other} {noun}" in phrases for other in COLOURS if other != colour)
        assert all(" left of a " in one.edit_prompt for one in found)


def test_two_objects():
    caption = "a small red apple to the left of a large blue car on a patterned background"
    found = prompts(caption, pool=PoolWords(WORLD))
    assert "a small red apple to the left of a large blue truck on a patterned background" in found
    assert "a small red apple to the left of a large blue car on a plain background" in found


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("two buses on a road", "two trains on a road"),
        ("an apple on a plate", "a pear on a plate"),
        ("a pear on a plate", "an apple on a plate"),
        ("A pear on a plate", "An apple on a plate"),
        ("Apples on a plate", "Pears on a plate"),
        ("a red car", "an orange car"),
        ("two women", "two men"),
        ("a cup of coffee", "a cup of tea"),
        ("several sheep in a field", "several goats in a field"),
        ("the car is red", "the car is blue"),
        ("a dark blue shirt", "a light blue shirt"),
    ],
)
def test_number_article_and_capitals(caption, expected):
    assert expected in prompts(caption)


def test_phrases_of_adjectives_and_nouns():
    found = {one.target_phrase: one for one in Rewriter(LEXICON).possible("a small red car")}
    assert found["large car"].source_phrase == "small car"
    assert found["truck"].source_phrase == "car"
    assert found["large car"].relation == "antonym"
    assert found["large car"].source_word == "small"
    assert found["truck"].source_synset == "car.n.01"
    assert found["truck"].target_synset == "truck.n.01"


def test_the_noun_says_what_old_means():
    assert "young man" in targets("an old man")
    assert "new car" in targets("an old car")
    assert "new man" not in targets("an old man")
    assert not {"old boy", "large boy"} & targets("a small young boy")


def test_colours_stay_natural():
    assert "blue dog" not in targets("a brown dog")
    assert "black dog" in targets("a brown dog")
    assert targets("a black man") == {"woman", "boy", "girl", "child"}


def test_no_word_twice():
    assert "pear" not in targets("an apple and a pear")
    assert "pear" not in targets("an apple and two pears")


def test_pronouns_keep_their_sex():
    assert targets("a man with his hands up") == {"boy", "child"}
    assert targets("a man with raised hands") == {"woman", "boy", "girl", "child"}


@pytest.mark.parametrize(
    "caption",
    [
        "someone in the background on the left",
        "a beautiful view",
        "London Bridge",
        "Apple iPhone 13",
        "xyzzy qwrtp",
        "",
        "12345",
    ],
)
def test_nothing_to_change(caption):
    assert Rewriter(LEXICON).propose(caption, "key") == []


def test_substitutes_occur_in_the_corpus():
    caption = "a red apple on a table"
    assert targets(caption, pool=PoolWords({"pear": 1, "green": 1})) == {"pear", "green apple"}
    assert targets(caption, pool=PoolWords({})) == set()
    numbers = {"three apples", "four apples"}
    assert targets("two apples", pool=PoolWords({"pear": 1})) == set()
    assert targets("two apples", pool=PoolWords({"pears": 1, "three": 1})) == {
        "pears",
        "three apples",
    }
    assert numbers < targets("two apples")


def test_an_unlisted_word_is_exchanged_and_never_put_in():
    assert "cat" in targets("a dachshund on a rug")
    assert "dachshund" not in targets("a cat on a rug", pool=PoolWords({"dachshund": 9, "dog": 9}))


def test_several_edits_are_distinct_and_ordered():
    caption = "a small red apple on a plain background"
    three = Rewriter(LEXICON, RewriteOptions(edits=3)).propose(caption, "k")
    one = Rewriter(LEXICON).propose(caption, "k")
    assert len({edit.edit_prompt for edit in three}) == 3
    assert len({edit.source_phrase for edit in three}) == 3
    assert three[:1] == one
    every = Rewriter(LEXICON, RewriteOptions(edits=1000)).propose(caption, "k")
    assert {e.edit_prompt for e in every} == prompts(caption)
    assert every[0].alternatives == len(every) - 1


def test_choice_is_a_function_of_seed_and_key():
    caption = "a small red apple on a plain background"
    draws = [Rewriter(LEXICON).propose(caption, str(key))[0] for key in range(200)]
    assert draws == [Rewriter(LEXICON).propose(caption, str(key))[0] for key in range(200)]
    other = Rewriter(LEXICON, RewriteOptions(seed=1))
    assert draws != [other.propose(caption, str(key))[0] for key in range(200)]
    sizes = sum(one.source_phrase == "small apple" for one in draws)
    assert 30 < sizes < 90


def test_options_limit_relations_and_parts_of_speech():
    only = RewriteOptions(relations=("antonym",), parts_of_speech=("adjective",))
    found = Rewriter(LEXICON, only).possible("a small red apple")
    assert {one.target_word for one in found} == {"large"}


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        ({"edits": 0}, "edits must be at least 1, got 0"),
        ({"relations": ("meronym",)}, "relations must be"),
        ({"parts_of_speech": ()}, "parts_of_speech must be"),
    ],
)
def test_bad_options(bad, rule):
    with pytest.raises(ValueError, match=rule):
        RewriteOptions(**bad)


class Agreeing:
    """A text encoder that knows two directions: machines, and everything else."""

    dimension = 2

    def encode_texts(self, texts):
        rows = [[1.0, 0.0] if "lifts" in text else [0.0, 1.0] for text in texts]
        return np.array(rows, dtype=np.float32)

    def encode_images(self, images):
        raise NotImplementedError


def test_the_picture_chooses_the_sense():
    senses = LEXICON.nouns["crane"]
    machine = PictureSenseScorer(np.array([1.0, 0.0], dtype=np.float32), Agreeing())
    bird = PictureSenseScorer(np.array([0.0, 1.0], dtype=np.float32), Agreeing())
    assert choose_sense(senses, LEXICON, frozenset()).family == "water birds"
    assert choose_sense(senses, LEXICON, frozenset(), machine).synset == "crane.n.04"
    assert choose_sense(senses, LEXICON, frozenset(), bird).family == "water birds"
    assert Rewriter(LEXICON).propose("a crane", "k", machine) == []
    assert Rewriter(LEXICON).propose("a crane", "k", bird) != []


def test_picture_log_scores_are_log_probabilities():
    scores = picture_log_scores(
        np.array([1.0, 0.0], dtype=np.float32),
        np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], dtype=np.float32),
    )
    assert np.exp(scores).sum() == pytest.approx(1.0)
    assert scores[0] > scores[2] > scores[1]


def test_rewrite_batch_keeps_order_and_rejects():
    records = (
        picture("a", "a red car"),
        picture("b", "a beautiful view"),
        picture("c", None),
        picture("d", "two buses"),
    )
    out = rewrite_batch(Batch("s", 3, records), Rewriter(LEXICON, RewriteOptions(edits=2)))
    assert (out.shard, out.number) == ("s", 3)
    assert [one.key for one in out.records] == ["a-0", "a-1", "d-0", "d-1"]
    assert [(one.key, one.stage, one.reason) for one in out.rejects] == [
        ("b", "rewrite", "nothing_to_change"),
        ("c", "rewrite", "no_caption"),
    ]
    assert out.records[0].source is records[0]


def world_captions():
    return ["a small red apple", "a large green pear", "a small blue pear", "a large red apple"]


def test_the_stage_equals_the_loop():
    batches = [
        Batch("s", number, (picture(f"{number}-{i}", caption),))
        for number in range(3)
        for i, caption in enumerate(["a small red apple", "a beautiful view"])
    ]
    options = RewriteOptions(seed=5, edits=2)
    pool = count_pool(world_captions(), LEXICON)
    expected = [rewrite_batch(one, Rewriter(LEXICON, options, pool)) for one in batches]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        out = pipeline | beam.Create(batches) | Rewrite(options, load_captions=world_captions)
        assert_that(out, equal_to(expected))


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(sorted(LEXICON.nouns)), max_size=6).map(" ".join)
)
def test_any_caption_gives_edits_that_differ_or_none(caption):
    for one in Rewriter(LEXICON, RewriteOptions(edits=3)).propose(caption, "k"):
        assert one.edit_prompt != caption
        assert one.target_word in one.edit_prompt
        assert one.source_word in caption


def test_every_edit_of_the_sentences_has_been_judged_and_most_are_good():
    figures = measure(0)
    assert figures["unjudged"] == []
    assert figures["sentences"] >= 300
    assert figures["grammatical"] >= 0.95 * figures["edits"]
    assert figures["both"] >= 0.90 * figures["edits"]
