"""Finds the nouns and adjectives of a caption that may be exchanged.

A tagger (`taggers`: TextBlob's, whose data come with its wheel, or spaCy's) gives a first reading.
They were made for newspapers and the web; captions are short noun phrases, so the word table and
rules then say which words form one noun, which are verbs after all, and which must be left alone.
"""

import re
from dataclasses import replace

from transforms.words.inflection import lemma_of, plural, singular_forms
from transforms.words.lexicon import Lexicon
from transforms.words.spans import Token, determiner_of
from transforms.words.taggers import Tagger, penn_tags
from transforms.words.vocabulary import (
    COPULAS,
    DETERMINERS,
    FUNCTION_WORDS,
    LAYOUT,
    MATERIALS,
    NUMBERS,
    SINGULAR_DETERMINERS,
)

LONGEST_COMPOUND = 4
_TOKEN = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*['’]?|\d+(?:[.,:]\d+)*|[^\w\s]|_")


def tag_caption(caption: str, lexicon: Lexicon, tagger: Tagger = penn_tags) -> tuple[Token, ...]:
    """The tokens of `caption`, compounds joined, each with its tag and table entry."""
    tokens = [Token(m.group(), m.start(), m.end()) for m in _TOKEN.finditer(caption)]
    if not caption.isupper():  # capitals throughout tell no names
        tokens = _mark_proper(tokens)
    tokens = _join_compounds(tokens, caption, lexicon)
    words = [token.word.replace(" ", "-") for token in tokens]
    tags = tagger(words) if words else []
    tokens = [_first_reading(token, tag, lexicon) for token, tag in zip(tokens, tags, strict=True)]
    for rule in (_read_nouns, _read_adjectives, _read_verbs, _read_number):
        tokens = [rule(tokens, place, lexicon) for place in range(len(tokens))]
    return tuple(tokens)


def _mark_proper(tokens: list[Token]) -> list[Token]:
    """Marks names: capitals inside the caption, and a first word that another name follows."""
    marked = []
    for place, token in enumerate(tokens):
        capital = token.text[:1].isupper() and token.word not in ("t-shirt", "i")
        opens = place == 0 or tokens[place - 1].text in (".", "!", "?", ":", '"')
        if opens and capital and not (len(token.text) > 1 and token.text.isupper()):
            following = tokens[place + 1].text if place + 1 < len(tokens) else ""
            capital = following[:1].isupper() and token.word not in DETERMINERS | NUMBERS
        marked.append(replace(token, tag="proper") if capital else token)
    return marked


def _join_compounds(tokens: list[Token], caption: str, lexicon: Lexicon) -> list[Token]:
    joined: list[Token] = []
    place = 0
    while place < len(tokens):
        length, token = _compound_at(tokens, place, caption, lexicon)
        joined.append(token)
        place += length
    return joined


def _compound_at(
    tokens: list[Token], place: int, caption: str, lexicon: Lexicon
) -> tuple[int, Token]:
    """The longest compound that begins at `place`, and its length in tokens."""
    for length in range(min(LONGEST_COMPOUND, len(tokens) - place), 1, -1):
        run = tokens[place : place + length]
        if any(one.tag == "proper" or not one.text[0].isalpha() for one in run):
            continue
        if any(one.word in FUNCTION_WORDS | DETERMINERS | NUMBERS for one in run):
            continue
        if run[0].word in LAYOUT or _is_participle(tokens, place):
            continue
        phrase = " ".join(one.word for one in run)
        found = lemma_of(phrase, lexicon.nouns, lexicon.listed_nouns) or lemma_of(
            phrase, lexicon.compounds
        )
        if found is None or not _is_fixed(found[0], run[0].word, lexicon):
            continue
        # In "a bus stops" the bus stops.
        if found[1] and place > 0 and tokens[place - 1].word in SINGULAR_DETERMINERS:
            continue
        text = caption[run[0].start : run[-1].end]
        token = Token(text, run[0].start, run[-1].end, "noun", found[0], found[1])
        return length, token
    return 1, tokens[place]


def _is_participle(tokens: list[Token], place: int) -> bool:
    """Whether an -ing word tells what the noun before it does: "zebras drinking water"."""
    if not tokens[place].word.endswith("ing") or place == 0:
        return False
    before = tokens[place - 1].word
    return before[:1].isalpha() and before not in FUNCTION_WORDS | DETERMINERS | NUMBERS


def _is_fixed(entry: str, first: str, lexicon: Lexicon) -> bool:
    """Whether `entry` is one thing: "a small boat" is just a boat that is small.

    An expression that begins with an adjective counts where a person listed it.
    """
    return first not in lexicon.adjectives or entry in (
        lexicon.listed_nouns | lexicon.listed_compounds
    )


def _first_reading(token: Token, penn: str, lexicon: Lexicon) -> Token:
    word = token.word
    if token.tag == "proper" or token.lemma:
        return token
    if token.text[0].isdigit() or word in NUMBERS or penn == "CD":
        return replace(token, tag="number", lemma=word)
    if word in DETERMINERS or word in SINGULAR_DETERMINERS:
        return replace(token, tag="determiner", lemma=word)
    if (
        not token.text[0].isalpha()
        or word in FUNCTION_WORDS
        or word.endswith(("'s", "’s", "'", "’"))
    ):
        return replace(token, lemma=word)
    if word in LAYOUT or word.removesuffix("s") in LAYOUT:
        layout_noun = word not in ("left", "right", "upper", "lower", "inside", "outside")
        return replace(token, tag="noun" if layout_noun else "other", lemma=word)
    if penn.startswith("JJ") or word in lexicon.adjectives:
        return replace(token, tag="adjective", lemma=word)
    if penn.startswith("N"):
        return _as_noun(token, lexicon)
    if penn.startswith("V"):
        return replace(token, tag="verb", lemma=word)
    # The tagger guesses wildly at words outside its newspaper; the table knows things.
    if word in lexicon.nouns and not penn.startswith(("RB", "IN", "PR", "MD", "W")):
        return _as_noun(token, lexicon)
    return replace(token, lemma=word)


def _as_noun(token: Token, lexicon: Lexicon) -> Token:
    found = lemma_of(token.word, lexicon.nouns, lexicon.listed_nouns)
    if found is None:
        return replace(token, tag="noun", lemma=token.word, plural=token.word.endswith("s"))
    lemma, is_plural = found
    if any(sense.countability == "plural" for sense in lexicon.nouns[lemma]):
        is_plural = True
    return replace(token, tag="noun", lemma=lemma, plural=is_plural)


def _opens_noun(tokens: list[Token], place: int) -> bool:
    """Whether a noun phrase goes on at `place`."""
    return place < len(tokens) and tokens[place].tag in ("noun", "adjective", "material")


def _read_adjectives(tokens: list[Token], place: int, lexicon: Lexicon) -> Token:
    """An adjective that no noun follows is a noun where it can be: "an orange", "the square"."""
    token = tokens[place]
    if token.tag == "noun" and _opens_noun(tokens, place + 1):
        if token.word in MATERIALS:
            return replace(token, tag="material")
        # The tagger takes every word it does not know for a noun: "an unmade bed".
        if token.lemma not in lexicon.nouns and token.word not in LAYOUT and not token.plural:
            return replace(token, tag="adjective")
    if token.tag != "adjective":
        return token
    before = tokens[place - 1] if place else None
    goes_on = _opens_noun(tokens, place + 1) or (
        place + 2 < len(tokens)
        and tokens[place + 1].word in ("and", ",", "or")
        and tokens[place + 2].tag == "adjective"
        and _opens_noun(tokens, place + 3)
    )
    predicate = before is not None and before.word in COPULAS | {"very", "and"}
    if goes_on or predicate or token.word not in lexicon.nouns:
        return token
    return _as_noun(token, lexicon)


def _read_nouns(tokens: list[Token], place: int, lexicon: Lexicon) -> Token:
    """A "verb" that ends a noun phrase, or is what is "eaten" in "eating leaves", is a noun."""
    token = tokens[place]
    if token.tag != "verb" or place == 0 or _opens_noun(tokens, place + 1):
        return token
    before = tokens[place - 1]
    closes = before.tag in ("determiner", "adjective", "number") or before.word in MATERIALS
    object_of = before.tag == "verb" and before.word.endswith("ing") and token.word.endswith("s")
    if not (closes or object_of) or lemma_of(token.word, lexicon.nouns) is None:
        return token
    return _as_noun(token, lexicon)


def _read_verbs(tokens: list[Token], place: int, lexicon: Lexicon) -> Token:
    """A "noun" that agrees with a noun before it is a verb: "a dog runs", "two men fish"."""
    token = tokens[place]
    if token.tag != "noun" or place == 0 or " " in token.text:
        return token
    before = tokens[place - 1]
    if before.word == "to" and place >= 2 and tokens[place - 2].word not in ("next", "close"):
        bare = not token.plural and token.word in lexicon.verbs
        ends = place + 1 < len(tokens) and not _opens_noun(tokens, place + 1)
        return replace(token, tag="verb") if bare and ends else token
    if before.tag != "noun":
        return token
    does = token.word.endswith("ing") and token.lemma not in lexicon.listed_nouns
    if does and _is_animate(before, lexicon):  # "a woman shopping", "people skiing"
        return replace(token, tag="verb", plural=False)
    agrees = token.plural and not before.plural and token.lemma in lexicon.verbs
    agrees = agrees or (before.plural and not token.plural and token.word in lexicon.verbs)
    return replace(token, tag="verb") if agrees and not _opens_noun(tokens, place + 1) else token


def _is_animate(token: Token, lexicon: Lexicon) -> bool:
    """Whether a noun names a person or an animal in the sense it most often has."""
    senses = lexicon.nouns.get(token.lemma, ())
    found = lexicon.ancestors(senses[0].synset) if senses else frozenset()
    return bool(found & {"person.n.01", "people.n.01", "animal.n.01"})


def _read_number(tokens: list[Token], place: int, lexicon: Lexicon) -> Token:
    """What the form leaves open, the word before tells: "two sheep", "two glasses"."""
    token = tokens[place]
    if token.tag != "noun" or token.lemma not in lexicon.nouns or " " in token.text:
        return token
    before = determiner_of(tuple(tokens), place)
    several = before in NUMBERS or (before.isdigit() and before != "1")
    if plural(token.word) == token.word and token.word == token.lemma:
        return replace(token, plural=several or before in ("", "some"))
    ambiguous = any(one.countability == "plural" for one in lexicon.nouns[token.lemma])
    described = place > 0 and tokens[place - 1].word in ("full", "empty", "tall", "clean", "dirty")
    if ambiguous and (several or described):
        singular = next((one for one in singular_forms(token.word) if one in lexicon.nouns), None)
        if singular is not None:
            return replace(token, lemma=singular, plural=True)
    return token
