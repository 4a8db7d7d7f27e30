import pytest

from transforms.words.lexicon import load_lexicon
from transforms.words.phrases import NounPhrase, read_phrases

# TextBlob leaves its word list's file for the garbage collector to close.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

LEXICON = load_lexicon()


def said(caption):
    return [
        (part.lemma, part.plural, part.adjectives) if isinstance(part, NounPhrase) else part
        for part in read_phrases(caption, LEXICON).parts
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("A dog runs through the grass .", "There is a dog running in grass."),
        ("a man in a red shirt", "The man wearing a red shirt"),
        ("a man dressed in a coat", "a man wears his coat"),
        ("a dog next to the lake", "A dog is near a lake"),
        ("two dogs jumped over a log", "two dogs are jumping over the log"),
        ("a girl lying on the beach", "the girl lays on a beach"),
    ],
)
def test_captions_that_say_the_same(first, second):
    assert said(first) == said(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a dog runs through the grass", "a dog sits in the grass"),
        ("a dog jumps over a log", "a dog jumps on a log"),
        ("a dog on a car", "a dog in a car"),
        ("a dog and a cat", "a dog and another cat"),
        ("a dog with a ball", "a dog with balls"),
    ],
)
def test_captions_that_do_not(first, second):
    assert said(first) != said(second)


def test_a_phrase_has_its_number_and_adjectives():
    first, run, second = read_phrases("Two small brown dogs run on a dirt road", LEXICON).parts[:3]
    del run
    assert (first.lemma, first.number, first.plural) == ("dog", 2, True)
    assert first.adjectives == ("small", "brown")
    assert second == "at"


def test_a_verb_behind_a_noun_is_none_of_its_phrase():
    phrases = said("a man in a red shirt rides a bike")
    assert ("shirt", False, ("red",)) in phrases
    assert ("bike", False, ()) in phrases


def test_words_for_one_thing_are_one():
    (bike,), (bicycle,) = (read_phrases(one, LEXICON).parts for one in ("a bike", "a bicycle"))
    assert bike.noun == bicycle.noun
