"""Number and article: which nouns can stand where a noun stands, and in which form."""

from transforms.words.inflection import plural
from transforms.words.lexicon import NounSense, Substitute
from transforms.words.spans import Span, determiner_of
from transforms.words.vocabulary import NUMBERS, SINGULAR_DETERMINERS

COUNTED = frozenset({"count", "both"})
UNCOUNTED = frozenset({"mass", "both"})
PLURAL_ONLY = frozenset({"plural"})


def needed_in(span: Span, sense: NounSense) -> frozenset[str]:
    """`needed_countability` of a noun where it stands; inside a compound any will do."""
    if span.modifies:
        return COUNTED | UNCOUNTED
    if span.own.lemma == "people":
        return COUNTED
    determiner = determiner_of(span.tokens, span.first)
    return needed_countability(sense, determiner, is_plural=span.own.plural)


def needed_countability(sense: NounSense, determiner: str, *, is_plural: bool) -> frozenset[str]:
    """Which countabilities can stand where a noun stands; empty where that cannot be told.

    Args:
        sense: the noun that stands there.
        determiner: the article, number or possessive before it, in lower case, or nothing.
        is_plural: whether it stands in the plural.
    """
    if sense.countability == "plural":
        return PLURAL_ONLY
    if is_plural or determiner in SINGULAR_DETERMINERS | NUMBERS:
        return COUNTED
    if sense.countability == "unknown":
        return COUNTED if determiner and determiner != "some" else frozenset()
    if determiner == "":
        return UNCOUNTED if sense.countability in UNCOUNTED else COUNTED
    return UNCOUNTED if sense.countability == "mass" or determiner == "some" else COUNTED


def inflected(substitute: Substitute, need: frozenset[str], *, is_plural: bool) -> str:
    """The substitute in the number wanted, empty where it has none."""
    kind = substitute.countability
    if kind not in need:
        return ""
    word = substitute.lemma.replace("_", " ")
    return plural(word) if is_plural and kind != "plural" else word
