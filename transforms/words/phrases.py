"""A caption as noun phrases and what joins them, without what changes nothing in the picture.

Articles, possessives, forms of "to be" and the endings of verbs are left out, and words for one
thing are one: "There is a dog running through the grass" and "The dog runs in grass" read alike.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from transforms.words.lexicon import Lexicon
from transforms.words.spans import Token
from transforms.words.tagging import tag_caption
from transforms.words.visible import listed_sense
from transforms.words.vocabulary import DETERMINERS, FUNCTION_WORDS, QUANTIFIERS, words

_COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
MANY = 100
"""The number of what is said to be several or many: another than any that is counted."""
_MANY = words("several many various multiple numerous")
_VAGUE = words("few both some") | QUANTIFIERS
_DROPPED = DETERMINERS | words("is are was were be been being there very that which who")
_TOLD_APART = words("another each every no other")
_FORMS = {
    "ran": "run",
    "sat": "sit",
    "stood": "stand",
    "swam": "swim",
    "rode": "rid",
    "lying": "lie",
    "lies": "lie",
    "lay": "lie",
    "lays": "lie",
    "laying": "lie",
    "laid": "lie",
    "held": "hold",
    "wore": "wear",
    "jogs": "jog",
    "caught": "catch",
    "threw": "throw",
    "leaping": "leap",
    "leaps": "leap",
}
_PLACED = words("in on through across along at upon inside")
_BESIDE = words("near by beside besides alongside")
_WORN = words("in wearing wears wear")
_SCENERY, _CLOTHING = "scenery", "clothing"


@dataclass(frozen=True)
class NounPhrase:
    """A noun with its number and adjectives; or adjectives alone, where no noun follows them.

    `noun` is what names for one thing have in common, `lemma` the table's entry or the word, both
    empty without a noun. `number` is 1 in the singular, else what is said, 0 where nothing is.
    `adjectives` are entries of the table or words, in their order. `alone` says whether the noun
    is a thing by itself, no part of a compound. `places` are the tokens from the determiner to the
    noun, `noun_place` and `adjective_places` where each word stands, `number_place` where a number
    does, -1 where none.
    """

    places: tuple[int, int]
    adjectives: tuple[str, ...]
    adjective_places: tuple[int, ...]
    noun: str = ""
    lemma: str = ""
    noun_place: int = -1
    number: int = 0
    number_place: int = -1
    plural: bool = False
    alone: bool = True


Part = NounPhrase | str
"""A noun phrase, or the stem of another word."""


@dataclass(frozen=True)
class ReadCaption:
    """The tokens of a caption and its parts, in order."""

    tokens: tuple[Token, ...]
    parts: tuple[Part, ...]


def read_phrases(caption: str, lexicon: Lexicon) -> ReadCaption:
    """Reads a caption into its parts."""
    tokens = tag_caption(caption, lexicon)
    tokens = tuple(
        replace(token, tag="verb") if _is_verb(tokens, place, lexicon) else token
        for place, token in enumerate(tokens)
    )
    parts = list(_parts(tokens, lexicon))
    return ReadCaption(tokens, tuple(_name_places(parts, lexicon)))


def _parts(tokens: tuple[Token, ...], lexicon: Lexicon) -> Iterator[Part]:
    place = 0
    while place < len(tokens):
        stop, phrase = _phrase_at(tokens, place, lexicon)
        if phrase is not None:
            yield phrase
        elif stop == place:
            stop += 1
            word = tokens[place].word
            if word[0].isalnum() and word not in _DROPPED:
                yield _stem(word)
        place = stop


def _phrase_at(
    tokens: tuple[Token, ...], place: int, lexicon: Lexicon
) -> tuple[int, NounPhrase | None]:
    """The noun phrase that begins at `place` and where it ends; `place` itself where none does."""
    at, number, number_place, single = place, 0, -1, False
    adjectives: list[int] = []
    while at < len(tokens):
        token = tokens[at]
        if token.word in _TOLD_APART:
            break
        if token.tag == "determiner" and at == place:
            single = token.word in ("a", "an", "one")
        elif token.tag == "number" or token.word in _VAGUE:
            if number or adjectives:
                break
            number = _number(token.word)
            number_place = at if number else number_place
        elif token.tag in ("adjective", "material"):
            adjectives.append(at)
        elif not (adjectives and token.word in ("and", ",") and _is_adjective(tokens, at + 1)):
            break
        at += 1
    stop = at
    while stop < len(tokens) and tokens[stop].tag == "noun" and tokens[stop].word[0].isalpha():
        stop += 1
    if stop == at and not adjectives:
        return place, None
    words_at = tuple(_entry(tokens[one], lexicon) for one in adjectives)
    described = NounPhrase((place, stop), words_at, tuple(adjectives))
    if stop == at:
        return at, described
    head = tokens[stop - 1]
    lemma = " ".join([*(one.word for one in tokens[at : stop - 1]), head.lemma])
    return stop, replace(
        described,
        noun=_canonical(lemma, lexicon),
        lemma=lemma,
        noun_place=stop - 1,
        number=number if head.plural else 1,
        number_place=number_place,
        plural=head.plural and not single,
        alone=stop == at + 1 and not _is_measure(tokens, stop),
    )


def _number(word: str) -> int:
    """What a word counts, 0 where it does not say."""
    if word in _MANY:
        return MANY
    return int(word) if word.isdecimal() and len(word) < len(str(MANY)) else _COUNTS.get(word, 0)


def _is_verb(tokens: Sequence[Token], place: int, lexicon: Lexicon) -> bool:
    """Whether a "noun" that follows another is what that does: "a man in a shirt rides a bike"."""
    token, before = tokens[place], tokens[place - 1]
    if not place or before.tag != "noun" or before.plural or token.tag != "noun":
        return False
    if token.lemma in lexicon.listed_nouns:
        return False
    follower = tokens[place + 1] if place + 1 < len(tokens) else None
    if follower is not None and (follower.tag == "noun" or follower.word == "of"):
        return False
    # The table knows of a word's verb only where it has the noun.
    return token.plural and (token.lemma in lexicon.verbs or token.lemma not in lexicon.nouns)


def _is_measure(tokens: Sequence[Token], place: int) -> bool:
    return place < len(tokens) and tokens[place].word == "of"


def _is_adjective(tokens: Sequence[Token], place: int) -> bool:
    return place < len(tokens) and tokens[place].tag in ("adjective", "material")


def _entry(token: Token, lexicon: Lexicon) -> str:
    return token.lemma if token.lemma in lexicon.adjectives else token.word


def _canonical(lemma: str, lexicon: Lexicon) -> str:
    sense = listed_sense(lemma, lexicon)
    return sense.synset if sense is not None else lemma


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    """A word without the endings of verbs."""
    if word in FUNCTION_WORDS or len(word) < 4:
        return word
    known = _FORMS.get(word)
    if known is not None:
        return known
    for ending in ("ing", "ed", "es", "s"):
        root = word.removesuffix(ending)
        if root != word and len(root) > 2:
            break
    else:
        root = word
    if len(root) > 3 and root[-1] == root[-2] and root[-1] not in "ls":
        root = root[:-1]
    return root.removesuffix("e")


def _name_places(parts: Sequence[Part], lexicon: Lexicon) -> Iterator[Part]:
    """Names what says the same of where a thing is: "through" or "across" the grass."""
    for place, part in enumerate(parts):
        if isinstance(part, NounPhrase):
            yield part
            continue
        following = parts[place + 1] if place + 1 < len(parts) else ""
        if part == "next" and following == "to":
            continue
        if part == "to" and place and parts[place - 1] == "next":
            yield "near"
            continue
        kind = ""
        if isinstance(following, NounPhrase):
            sense = listed_sense(following.lemma, lexicon)
            kind = lexicon.wider.get(sense.family, "") if sense is not None else ""
        if part in _BESIDE:
            yield "near"
        elif kind == _SCENERY and part in _PLACED:
            yield "at"
        elif kind == _CLOTHING and (part in _WORN or part == "wear"):
            if not (place and parts[place - 1] in ("in", "wear")):
                yield "in"
        elif part == "dress" and following == "in":
            continue
        else:
            yield part
