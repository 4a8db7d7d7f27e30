import pytest

from transforms.words.pool_words import count_pool
from transforms.words.proposals import Rewriter
from transforms.words.spans import find_spans
from transforms.words.tagging import tag_caption


def tags(caption, lexicon):
    return {token.text: token.tag for token in tag_caption(caption, lexicon)}


def spans(caption, lexicon):
    found = find_spans(tag_caption(caption, lexicon), lexicon)
    return [(one.part_of_speech, one.own.text, one.noun.text) for one in found]


def test_a_caption_of_the_built_in_world(lexicon):
    caption = "a small red apple on the left of a plain background"
    assert spans(caption, lexicon) == [
        ("adjective", "small", "apple"),
        ("adjective", "red", "apple"),
        ("noun", "apple", "apple"),
        ("adjective", "plain", "background"),
    ]


@pytest.mark.parametrize(
    ("caption", "compound"),
    [
        ("a traffic light on a pole", "traffic light"),
        ("two fire trucks in a garage", "fire trucks"),
        ("a red teddy bear on a bed", "teddy bear"),
        ("a stop sign", "stop sign"),
    ],
)
def test_compounds_are_one_noun(lexicon, caption, compound):
    assert tags(caption, lexicon)[compound] == "noun"


def test_an_adjective_and_a_noun_are_no_compound(lexicon):
    assert tags("a small boat", lexicon)["boat"] == "noun"
    assert tags("a black cat", lexicon)["cat"] == "noun"


def test_a_noun_in_an_unlisted_compound_goes_where_the_pool_has_the_compound(lexicon):
    caption = "a pizza box on a table"
    boxes = ["a box on a table", "a basket on a table", "a pizza basket", "a cake box"] * 4
    assert {one.source_word for one in Rewriter(lexicon).possible(caption)} == set()
    possible = Rewriter(lexicon, pool=count_pool([caption, *boxes], lexicon)).possible(caption)
    found = {(one.source_phrase, one.target_phrase) for one in possible}
    assert ("box", "basket") in found
    assert not {target for _, target in found} & {"crate", "pie box"}


def test_a_noun_that_measures_or_owns_is_left_alone(lexicon):
    assert ("noun", "water", "surface") not in spans("the water 's surface", lexicon)
    assert ("noun", "bowl", "bowl") not in spans("a bowl of soup", lexicon)


def test_names_numbers_and_participles_are_no_spans(lexicon):
    found = tags("Two buses parked near London Bridge", lexicon)
    assert found["London"] == found["Bridge"] == "proper"
    assert found["Two"] == "number"
    assert found["parked"] == "verb"
    assert spans("Two buses parked near London Bridge", lexicon) == [
        ("adjective", "Two", "buses"),
        ("noun", "buses", "buses"),
    ]


@pytest.mark.parametrize(
    ("caption", "word", "tag"),
    [
        ("an orange on a plate", "orange", "noun"),
        ("an orange cat", "orange", "adjective"),
        ("a dog barks at a squirrel", "barks", "verb"),
        ("a woman rose from her chair", "rose", "verb"),
        ("a rose in a bottle", "rose", "noun"),
        ("planes fly over the town", "fly", "verb"),
        ("giraffes eating leaves", "leaves", "noun"),
        ("a glass door", "glass", "adjective"),
    ],
)
def test_two_faced_words(lexicon, caption, word, tag):
    assert tags(caption, lexicon)[word] == tag


@pytest.mark.parametrize(
    ("caption", "lemma", "plural"),
    [
        ("a bus", "bus", False),
        ("two sheep", "sheep", True),
        ("a sheep", "sheep", False),
        ("men on horses", "man", True),
        ("a man wearing glasses", "glasses", True),
        ("two empty glasses", "glass", True),
    ],
)
def test_number(lexicon, caption, lemma, plural):
    found = {token.lemma: token.plural for token in tag_caption(caption, lexicon)}
    assert found[lemma] is plural


def test_a_predicate_describes_its_subject(lexicon):
    assert ("adjective", "red", "car") in spans("the car is red", lexicon)


@pytest.mark.parametrize("caption", ["", " ", "...", "/", "42", "ÄÖÜ ß", "a\tb\nc", "\U0001f600"])
def test_any_text_can_be_tagged(lexicon, caption):
    assert isinstance(tag_caption(caption, lexicon), tuple)


def test_what_people_do_is_no_part_of_their_name(lexicon):
    found = {token.text: token.tag for token in tag_caption("a woman shopping", lexicon)}
    assert found["shopping"] == "verb"
    assert found["woman"] == "noun"
