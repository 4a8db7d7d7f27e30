from itertools import pairwise

import numpy as np
import pytest
from fakes.still_life import plan_pairs

from pipelines.build.job import run_build
from pipelines.build.plain_loop import plain_build
from pipelines.running.execution import Execution
from transforms.words.judging import NEIGHBOURS, load_nearest_captions, mean_of_highest
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
    with pytest.raises(ValueError, match="captions of a pool and a text encoder"):
        load_rewriter(options, POOL)


def test_manifests_have_the_judge_and_the_tagger_only_where_they_were_chosen():
    plain = RewriteOptions().describe()
    assert not {"judge", "least_judgement", "tagger"} & set(plain)
    assert RewriteOptions(judge="encoder").describe()["least_judgement"] == -1.0
    assert RewriteOptions(tagger="spacy").describe()["tagger"] == "spacy"


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        ({"judge": "me"}, "judge must be one of none, encoder"),
        ({"least_judgement": float("nan")}, "least_judgement must be finite"),
        ({"tagger": "brill"}, "tagger must be textblob, spacy or spacy:PIPELINE"),
        ({"tagger": "spacy:"}, "tagger must be textblob, spacy or spacy:PIPELINE"),
    ],
)
def test_options_that_are_none(bad, rule):
    with pytest.raises(ValueError, match=rule):
        RewriteOptions(**bad)


def test_the_graph_and_the_plain_loop_ask_the_judge(tiny_preset, told_index, tmp_path):
    options = RewriteOptions(edits=4, judge="encoder", least_judgement=0.0)
    plan = plan_pairs(tiny_preset, told_index[0], tmp_path / "graph", rewrite=options)
    looped = plan_pairs(tiny_preset, told_index[0], tmp_path / "loop", rewrite=options)
    unjudged = plan_pairs(tiny_preset, told_index[0], tmp_path / "unjudged")
    assert plan.configuration["options"]["rewrite"]["judge"] == "encoder"
    assert "judge" not in unjudged.configuration["options"]["rewrite"]
    summary = run_build(plan, Execution())
    receipts = plain_build(looped)
    assert summary.counts.queries == sum(one.counts.queries for one in receipts)
    assert 0 < summary.counts.queries < run_build(unjudged, Execution()).counts.queries
