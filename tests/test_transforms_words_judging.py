from itertools import pairwise

import numpy as np
import pytest
from fakes.still_life import plan_pairs
from PIL import Image

from pipelines.build.job import run_build
from pipelines.build.plain_loop import plain_build
from pipelines.running.execution import Execution
from stilllife.render import render
from stilllife.scene import draw_scene
from transforms.models.loading import load_captioner
from transforms.models.spec import ModelError
from transforms.presets import load_preset
from transforms.words.judging import (
    BY_CAPTIONER,
    JUDGES,
    LEAST_JUDGEMENT,
    NEIGHBOURS,
    NOTHING,
    SPREAD_SAMPLE,
    load_captioner_words,
    load_judge,
    load_nearest_captions,
    mean_of_highest,
)
from transforms.words.lexicon import load_lexicon
from transforms.words.proposals import RewriteOptions, Rewriter, load_rewriter

SWIM = [f"a dog swims in the {place}" for place in ("lake", "river", "sea", "pool", "pond")]
SLEEP = [f"a cat sleeps on the {place}" for place in ("sofa", "bed", "chair", "rug", "mat")]
POOL = [*SWIM, *SLEEP] * 2


class PairsOfWords:
    """Embeds a text by the pairs of neighbouring words in it: a dog swims, a cat sleeps."""

    dimension = 64

    def __init__(self):
        self.asked = []

    def encode_images(self, images):
        raise AssertionError("edits are judged by their words")

    def encode_texts(self, texts):
        self.asked += texts
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            words = text.split()
            for pair in pairwise(words):
                row[sum(map(ord, "".join(pair))) % self.dimension] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_what_the_pool_says_is_nearer_than_what_it_never_does():
    judge = load_nearest_captions(PairsOfWords(), POOL)
    apart, near = judge.judge("a dog swims in the lake", ["a cat swims in the lake", SWIM[1]])
    assert apart < near
    assert apart < 0


def test_the_caption_itself_says_nothing():
    judge = load_nearest_captions(PairsOfWords(), [*POOL, "A cow flies !"])
    same, other = judge.judge("a cow flies", ["a cow flies", "a cat sleeps on the sofa"])
    assert same == 0
    assert other > 0


def test_a_pool_too_small_or_of_one_caption_judges_nothing():
    assert load_nearest_captions(PairsOfWords(), POOL[:NEIGHBOURS]) is None
    assert load_nearest_captions(PairsOfWords(), ["a dog swims"] * 40) is None


def test_the_mean_of_the_highest_leaves_out_what_is_absent():
    scores = np.array([[0.5, -np.inf, 0.1, 0.3], [-np.inf] * 4], np.float32)
    assert mean_of_highest(scores, 2) == pytest.approx([0.4, 0.0])
    assert mean_of_highest(scores, 9) == pytest.approx([0.3, 0.0])


class OnlyWith:
    """Judges 0 for edits with a word, and -5 for all others."""

    def __init__(self, word):
        self.word = word

    def judge(self, caption, prompts):
        return [0.0 if self.word in prompt.split() else -5.0 for prompt in prompts]


def test_what_is_judged_too_far_is_not_proposed_and_another_is_drawn():
    caption, lexicon = "a small red car", load_lexicon()
    for key in "abcdefgh":
        judged = Rewriter(lexicon, RewriteOptions(), judge=OnlyWith("large")).propose(caption, key)
        assert [one.target_phrase for one in judged] == ["large car"]
    assert Rewriter(lexicon, RewriteOptions(), judge=OnlyWith("x")).propose(caption, "a") == []
    lenient = RewriteOptions(least_judgement=-6.0)
    assert Rewriter(lexicon, lenient, judge=OnlyWith("x")).propose(caption, "a") == Rewriter(
        lexicon, lenient
    ).propose(caption, "a")


def test_a_rewriter_with_the_judge_of_its_options():
    options = RewriteOptions(judge="encoder", least_judgement=0.5)
    rewriter = load_rewriter(options, iter(POOL), encoder=PairsOfWords())
    assert rewriter.judge is not None
    assert rewriter.pool.captions["dog"] == len(SWIM) * 2


def test_manifests_have_the_judge_and_the_tagger_only_where_they_were_chosen():
    plain = RewriteOptions().describe()
    assert not {"judge", "least_judgement", "tagger"} & set(plain)
    assert RewriteOptions(judge="encoder").describe()["least_judgement"] == -1.0
    assert RewriteOptions(tagger="spacy").describe()["tagger"] == "spacy"


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        ({"judge": "me"}, "judge must be one of none, encoder, captioner"),
        ({"least_judgement": float("nan")}, "least_judgement must be finite"),
        ({"tagger": "brill"}, "tagger must be textblob, spacy or spacy:PIPELINE"),
        ({"tagger": "spacy:"}, "tagger must be textblob, spacy or spacy:PIPELINE"),
    ],
)
def test_options_that_are_none(bad, rule):
    with pytest.raises(ValueError, match=rule):
        RewriteOptions(**bad)


@pytest.mark.parametrize("judge", ["encoder", "captioner"])
def test_the_graph_and_the_plain_loop_ask_the_judge(tiny_preset, told_index, tmp_path, judge):
    options = RewriteOptions(edits=4, judge=judge, least_judgement=0.0)
    plan = plan_pairs(tiny_preset, told_index[0], tmp_path / "graph", rewrite=options)
    looped = plan_pairs(tiny_preset, told_index[0], tmp_path / "loop", rewrite=options)
    unjudged = plan_pairs(tiny_preset, told_index[0], tmp_path / "unjudged")
    assert plan.configuration["options"]["rewrite"]["judge"] == judge
    assert "judge" not in unjudged.configuration["options"]["rewrite"]
    summary = run_build(plan, Execution())
    receipts = plain_build(looped)
    assert summary.counts.queries == sum(one.counts.queries for one in receipts)
    assert 0 < summary.counts.queries < run_build(unjudged, Execution()).counts.queries


class ShortWords:
    """A captioner that finds a text the less likely the more letters it has."""

    def __init__(self):
        self.asked = []

    def caption(self, images):
        raise AssertionError("edits are judged by their words")

    def log_likelihoods(self, images, texts):
        assert len(images) == len(texts)
        self.asked += texts
        return np.array([-len(text) for text in texts], np.float32)


def test_a_captioner_judges_by_what_it_would_write():
    judge = load_captioner_words(ShortWords(), ["a cat", "a dog", "a small cat"])
    shorter, longer = judge.judge("a small dog", ["a red dog", "a very small dog"])
    spread = np.std([5, 5, 11])
    assert (shorter, longer) == pytest.approx((2 / spread, -5 / spread))


def test_of_a_large_pool_a_part_gives_the_measure():
    captioner = ShortWords()
    load_captioner_words(captioner, ["a" * (number % 7) for number in range(2000)])
    assert SPREAD_SAMPLE / 2 <= len(captioner.asked) <= SPREAD_SAMPLE


def test_captions_that_are_all_as_likely_give_no_measure():
    assert load_captioner_words(ShortWords(), ["a cat"]) is None
    assert load_captioner_words(ShortWords(), ["a cat", "a dog"]) is None


def test_a_captioner_that_gives_no_likelihoods_cannot_judge():
    with pytest.raises(ModelError, match="captioner int cannot judge"):
        load_judge(BY_CAPTIONER, POOL, captioner=1)


@pytest.mark.parametrize("judge", JUDGES[1:])
def test_a_judge_must_be_there_and_have_a_pool(judge):
    options = RewriteOptions(judge=judge)
    with pytest.raises(ValueError, match=f"judge {judge} is not there to ask"):
        load_rewriter(options, POOL)
    with pytest.raises(ValueError, match=f"judge {judge} needs the captions of a pool"):
        load_rewriter(options)


@pytest.fixture(scope="module")
def captioner():
    return load_captioner(load_preset("stilllife").captioner)


class TestTheStillLifesCaptioner:
    def test_what_it_writes_of_a_picture_is_likelier_than_other_words(self, captioner):
        scenes = [draw_scene(5, number) for number in range(4)]
        images = [Image.fromarray(render(scene).pixels) for scene in scenes]
        own = [one.text for one in captioner.caption(images)]
        others = [*own[1:], own[0]]
        right, wrong = (captioner.log_likelihoods(images, texts) for texts in (own, others))
        assert (right > wrong + 5).all()
        assert (right <= 0).all()

    def test_a_text_counts_the_same_whatever_stands_beside_it(self, captioner):
        images, texts = [NOTHING] * 3, ["a small cat", "a large red chair on a table", "a"]
        together = captioner.log_likelihoods(images, texts)
        apart = [captioner.log_likelihoods([NOTHING], [text])[0] for text in texts]
        assert together.tolist() == apart
        assert captioner.log_likelihoods([], []).shape == (0,)
        with pytest.raises(ValueError, match="one text per picture: 1 and 3"):
            captioner.log_likelihoods([NOTHING], texts)

    def test_nonsense_is_left_out_of_what_is_proposed(self, captioner):
        captions = [draw_scene(0, number).caption() for number in range(60)]
        judge = load_captioner_words(captioner, captions)
        good, bad = judge.judge(
            "a large red chair on the left of a plain background",
            [
                "a small red chair on the left of a plain background",
                "a large plain chair on the left of a red chair",
            ],
        )
        assert good > LEAST_JUDGEMENT
        assert bad < good
