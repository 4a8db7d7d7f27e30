import math

import pytest

from transforms.words.pool_words import (
    PRIOR,
    PoolWords,
    companies,
    count_pool,
    join_entries,
    key,
    noun_forms,
)


def joined(caption, lexicon):
    return join_entries(caption.split(), noun_forms(lexicon))


def test_nouns_and_their_plurals_are_one(lexicon):
    found = joined("two dogs and a teddy bear", lexicon)
    assert ("dogs", "dog") in found
    assert ("teddy bear", "teddy_bear") in found
    assert ("and", "") in found


@pytest.mark.parametrize("word", ["run", "runs", "running"])
def test_the_forms_of_a_verb_are_one(word):
    assert key(word) == "run"


def test_what_stands_by_a_noun(lexicon):
    caption = joined("a man sitting on a small red bench with a frisbee", lexicon)
    place = next(at for at, one in enumerate(caption) if one[1] == "bench")
    found = companies(caption, place, lexicon)
    assert ("<", "on") in found
    assert ("<", "on", "sit") in found
    assert (">", "with", "frisbee") in found
    assert ("=", "small") in found
    assert ("=", "red") in found
    assert ("~", "man") in found
    assert ("~", "bench") not in found


def test_counts_of_a_pool(lexicon):
    pool = count_pool(["a dog runs", "two dogs run", "a red cat sleeps"], lexicon)
    assert pool.captions["dog"] == 1
    assert pool.captions["a"] == 2
    assert pool.mentions["dog"] == 2
    assert pool.company["dog", (">", "", "run")] == 2
    assert pool.company["red", ("=", "cat")] == 1
    assert pool.breadth[">", "", "run"] == 1


def test_the_ratio_is_the_mean_of_a_rate_under_its_prior():
    run = (">", "", "run")
    pool = PoolWords({}, {"dog": 90, "cat": 10}, {("dog", run): 30})
    family = ("cat", "dog")
    assert pool.log_ratio("cat", run, family) == pytest.approx(math.log(PRIOR / (3 + PRIOR)))
    assert pool.log_ratio("dog", run, family) == pytest.approx(
        math.log((30 + PRIOR) / (27 + PRIOR))
    )
    assert pool.log_ratio("cat", ("<", "on"), family) == 0.0
