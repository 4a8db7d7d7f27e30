from collections import Counter
from contextlib import ExitStack
from itertools import product

import pytest

from pipelines.lexicon.wordnet import WordNetError, open_wordnet
from stilllife.words import BACKGROUNDS, COLOURS, FAMILIES, NOUNS, SIZES, family_of, is_held_out
from transforms.words.lexicon import load_lexicon

COMBINATIONS = list(product(NOUNS, COLOURS, SIZES))


@pytest.fixture(scope="module")
def wordnet():
    with ExitStack() as stack:
        for place in ("/usr/share/wordnet", "nltk"):
            try:
                yield stack.enter_context(open_wordnet(place))
            except WordNetError:
                continue
            return
        pytest.skip("WordNet is not installed here")


def test_there_is_enough_to_see():
    assert len(NOUNS) == len(set(NOUNS)) >= 12
    assert len(FAMILIES) >= 4
    assert len(COLOURS) == 6
    assert (len(SIZES), len(BACKGROUNDS)) == (2, 2)
    assert all(len(nouns) >= 2 for nouns in FAMILIES.values())


def test_a_family_is_that_of_first_senses_in_the_table():
    lexicon = load_lexicon()
    for family, nouns in FAMILIES.items():
        for noun in nouns:
            first = lexicon.nouns[noun][0]
            assert family in lexicon.synsets[first.synset].hypernyms, noun
            found = {one.lemma for one in lexicon.noun_substitutes(first)}
            assert set(nouns) - {noun} <= found


def test_and_in_wordnet_itself(wordnet):
    for family, nouns in FAMILIES.items():
        for noun in nouns:
            first = wordnet.synsets(noun, "n")[0]
            assert family in [synset.name() for synset in first.hypernyms()], noun


def test_colours_are_hyponyms_of_chromatic_colour(wordnet):
    for colour in COLOURS:
        first = wordnet.synsets(colour, "n")[0]
        assert "chromatic_color.n.01" in [synset.name() for synset in first.hypernyms()], colour


def test_sizes_and_backgrounds_are_antonyms(wordnet):
    for one, other in (SIZES, BACKGROUNDS):
        antonyms = {
            antonym.name()
            for synset in wordnet.synsets(one)
            for lemma in synset.lemmas()
            if lemma.name() == one
            for antonym in lemma.antonyms()
        }
        assert other in antonyms


def test_family_of():
    assert family_of("pear") == "edible_fruit.n.01"
    with pytest.raises(KeyError, match="'dog' is not a noun of the still life"):
        family_of("dog")


def test_at_least_a_tenth_of_the_combinations_is_held_out():
    held_out = [each for each in COMBINATIONS if is_held_out(*each)]
    assert 0.10 <= len(held_out) / len(COMBINATIONS) <= 0.25


def test_the_held_out_ones_are_spread_evenly_and_their_parts_are_seen():
    held_out = {each for each in COMBINATIONS if is_held_out(*each)}
    for place, values in enumerate((NOUNS, COLOURS, SIZES)):
        counts = Counter(each[place] for each in held_out)
        assert set(counts) == set(values)
        assert max(counts.values()) - min(counts.values()) <= 2
    for noun, colour, size in held_out:
        (other,) = set(SIZES) - {size}
        assert (noun, colour, other) not in held_out
