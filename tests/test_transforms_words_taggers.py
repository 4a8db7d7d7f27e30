import sys

import pytest

from transforms.words.proposals import RewriteOptions, load_rewriter
from transforms.words.taggers import TaggerError, load_spacy, load_tagger, penn_tags
from transforms.words.tagging import tag_caption


def test_the_default_comes_with_its_wheel():
    assert load_tagger() is penn_tags
    assert load_tagger()(["a", "red", "car"]) == ["DT", "JJ", "NN"]


def test_another_tagger_decides_what_is_a_noun(lexicon):
    def all_verbs(words):
        return ["VB"] * len(words)

    assert {one.text: one.tag for one in tag_caption("a dog", lexicon)} == {
        "a": "determiner",
        "dog": "noun",
    }
    read = tag_caption("the dog of a man", lexicon, all_verbs)
    assert [one.tag for one in read if one.text in ("a", "the")] == ["determiner"] * 2
    assert tag_caption("dogs drums dogs", lexicon, all_verbs)[1].tag == "verb"


def test_spacy_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(TaggerError, match=r"pip install 'pairloom\[tagger\]'"):
        load_tagger("spacy")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """The folder of a spaCy pipeline that tags by a list of words."""
    spacy = pytest.importorskip("spacy", reason="spaCy is the extra tagger")
    made = spacy.blank("en")
    ruler = made.add_pipe("attribute_ruler")
    ruler.add([[{"IS_ALPHA": True}]], {"TAG": "NN"})
    ruler.add([[{"LOWER": {"IN": ["a", "the"]}}]], {"TAG": "DT"})
    ruler.add([[{"LOWER": "red"}]], {"TAG": "JJ"})
    folder = tmp_path_factory.mktemp("spacy") / "pipeline"
    made.to_disk(folder)
    return folder


def test_a_spacy_pipeline_tags_words_as_they_are_given(pipeline):
    tags = load_spacy(str(pipeline))
    assert tags(["a", "red", "fire-truck"]) == ["DT", "JJ", tags(["fire-truck"])[0]]
    rewriter = load_rewriter(RewriteOptions(tagger=f"spacy:{pipeline}"))
    assert {one.target_phrase for one in rewriter.possible("a red car")} >= {"truck", "blue car"}


def test_a_spacy_pipeline_that_is_not_there_or_does_not_tag(tmp_path):
    spacy = pytest.importorskip("spacy", reason="spaCy is the extra tagger")
    with pytest.raises(TaggerError, match="cannot load the pipeline 'nothing_of_this_name'"):
        load_tagger("spacy:nothing_of_this_name")
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(TaggerError, match="gives no tags"):
        load_spacy(str(tmp_path / "blank"))
