import gzip

import pytest

from transforms.words.lexicon import (
    FORMAT_VERSION,
    LexiconError,
    NounSense,
    load_lexicon,
)


def lemmas(substitutes, relation=None):
    return {one.lemma for one in substitutes if relation in (None, one.relation)}


def noun(lexicon, lemma):
    return lexicon.nouns[lemma][0]


@pytest.mark.parametrize(
    ("lemma", "others"),
    [
        ("apple", {"pear", "melon"}),
        ("pear", {"apple", "melon"}),
        ("bottle", {"bowl", "bucket", "jar"}),
        ("bucket", {"bottle", "bowl", "jar"}),
        ("chair", {"sofa", "stool", "bench"}),
        ("car", {"truck"}),
        ("bus", {"train"}),
        ("train", {"bus"}),
    ],
)
def test_families_of_the_built_in_world(lexicon, lemma, others):
    found = lexicon.noun_substitutes(noun(lexicon, lemma))
    assert others <= lemmas(found, "co-hyponym")
    assert lemma not in lemmas(found)


def test_the_sense_that_captions_mean(lexicon):
    assert noun(lexicon, "cherry").synset == "cherry.n.03"
    assert noun(lexicon, "banana").synset == "banana.n.02"
    assert noun(lexicon, "orange").synset == "orange.n.01"
    assert lexicon.adjectives["orange"][0].group == "colour"


def test_dark_light_is_found_among_all_senses(lexicon):
    found = {
        one.lemma for s in lexicon.adjectives["light"] for one in lexicon.adjective_substitutes(s)
    }
    assert found == {"dark"}


@pytest.mark.parametrize(
    ("word", "opposite"), [("small", "large"), ("large", "small"), ("plain", "patterned")]
)
def test_antonyms(lexicon, word, opposite):
    found = [one for s in lexicon.adjectives[word] for one in lexicon.adjective_substitutes(s)]
    assert opposite in lemmas(found, "antonym")


def test_colours_replace_one_another(lexicon):
    found = lexicon.adjective_substitutes(lexicon.adjectives["red"][0])
    assert {"green", "blue", "yellow", "purple", "pink"} <= lemmas(found, "co-hyponym")
    assert "white" in lemmas(
        lexicon.adjective_substitutes(lexicon.adjectives["black"][0]), "antonym"
    )


def test_a_word_above_or_below_is_no_substitute(lexicon):
    found = lemmas(lexicon.noun_substitutes(noun(lexicon, "rocking_chair")))
    assert "chair" not in found
    assert "sofa" in found


def test_wider_kind_leaves_the_family(lexicon):
    found = lemmas(lexicon.noun_substitutes(noun(lexicon, "boat"), wide=True))
    assert {"car", "bus", "train"} <= found
    assert "ship" not in found


def test_unknown_words_have_no_family(lexicon):
    assert "zyzzogeton" not in lexicon.nouns
    assert lexicon.noun_substitutes(NounSense("thing", "no.n.01")) == []
    assert lexicon.ancestors("no.n.01") == {"no.n.01"}


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"plain text", "gzipped"),
        (gzip.compress(b"something else\n", mtime=0), f"pairloom-lexicon {FORMAT_VERSION}"),
        (gzip.compress(b"pairloom-lexicon\t1\tx\ty\nnoun\tapple\n", mtime=0), "wrong shape"),
        (gzip.compress(b"", mtime=0), "pairloom-lexicon"),
    ],
)
def test_a_bad_table_is_named(tmp_path, data, rule):
    place = tmp_path / "table.gz"
    place.write_bytes(data)
    with pytest.raises(LexiconError, match=rule) as error:
        load_lexicon(str(place))
    assert str(place) in str(error.value)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(LexiconError, match=r"none\.gz"):
        load_lexicon(str(tmp_path / "none.gz"))
