"""The parts of a tagged caption, and what stands around them."""

from dataclasses import dataclass

from transforms.words.lexicon import Lexicon
from transforms.words.vocabulary import COPULAS, QUANTIFIERS, is_colour_word


@dataclass(frozen=True)
class Token:
    """A word, number or mark of the caption, or a compound joined to one.

    `start` and `end` are character offsets. `tag` is one of noun, adjective, verb, number,
    determiner, material, proper or other; `lemma` the table's entry, with underscores, or the word
    in lower case; `plural` holds for nouns only.
    """

    text: str
    start: int
    end: int
    tag: str = "other"
    lemma: str = ""
    plural: bool = False

    @property
    def word(self) -> str:
        """The text in lower case."""
        return self.text.lower()


@dataclass(frozen=True)
class Span:
    """A noun or adjective that may be exchanged.

    `token` is its place in `tokens`. `head` is, for an adjective, the place of the noun it
    describes, which may stand before it ("the car is red"); for a noun it is its own place.
    `partner` is, for a noun inside an unlisted compound of two ("kitchen table"), the place of the
    other.
    """

    part_of_speech: str
    tokens: tuple[Token, ...]
    token: int
    head: int
    partner: int | None = None

    @property
    def own(self) -> Token:
        """The token to exchange."""
        return self.tokens[self.token]

    @property
    def noun(self) -> Token:
        """The noun it is, or describes."""
        return self.tokens[self.head]

    @property
    def first(self) -> int:
        """The place where it begins, with the word before it of its compound."""
        return self.token if self.partner is None else min(self.token, self.partner)

    @property
    def modifies(self) -> bool:
        """Whether it is the first noun of a compound: "kitchen" in "kitchen table"."""
        return self.partner is not None and self.partner > self.token


def find_spans(tokens: tuple[Token, ...], lexicon: Lexicon) -> list[Span]:
    """What may be exchanged in a tagged caption, in order."""
    spans = []
    for place, token in enumerate(tokens):
        if token.tag == "noun" and token.lemma in lexicon.nouns:
            if stands_alone(tokens, place):
                spans.append(Span("noun", tokens, place, place))
            elif (partner := compound_partner(tokens, place, lexicon)) is not None:
                spans.append(Span("noun", tokens, place, place, partner))
        elif token.tag in ("adjective", "number") and token.lemma in lexicon.adjectives:
            head = described_noun(tokens, place, lexicon)
            if head is not None:
                spans.append(Span("adjective", tokens, place, head))
    return spans


def compound_partner(tokens: tuple[Token, ...], place: int, lexicon: Lexicon) -> int | None:
    """The place of the other noun in a compound of just two, such as "kitchen table", or None."""
    beside = [
        at
        for at in (place - 1, place + 1)
        if 0 <= at < len(tokens) and tokens[at].tag in ("noun", "proper")
    ]
    if len(beside) != 1 or tokens[beside[0]].tag != "noun":
        return None
    first, last = sorted((place, beside[0]))
    around = [tokens[at] for at in (first - 1, last + 1) if 0 <= at < len(tokens)]
    whole = not any(one.tag in ("noun", "proper") for one in around)
    measured = last + 1 < len(tokens) and tokens[last + 1].word == "of"
    plain = not tokens[first].plural and " " not in tokens[first].text
    # What the table does not know may be a verb: "a man jumps".
    known = tokens[last].lemma in lexicon.nouns or not tokens[last].word.endswith(("s", "ing"))
    return beside[0] if whole and plain and known and not measured else None


def described_noun(tokens: tuple[Token, ...], place: int, lexicon: Lexicon) -> int | None:
    """Where the noun stands that the adjective at `place` describes, or None."""
    following = place + 1
    while following < len(tokens) and (
        tokens[following].tag in ("adjective", "material") or tokens[following].word in ("and", ",")
    ):
        following += 1
    if following < len(tokens) and tokens[following].tag == "noun":
        if stands_alone(tokens, following, before_of=True):
            return following
        partner = compound_partner(
            tokens, following, lexicon
        )  # in "a red kitchen table" the table is red
        return partner if partner == following + 1 else None
    if following == place + 1 and place >= 2 and tokens[place - 1].word in COPULAS:
        return place - 2 if tokens[place - 2].tag == "noun" else None
    return None


def determiner_of(tokens: tuple[Token, ...], place: int) -> str:
    """The article, number or possessive before the noun at `place`, in lower case, or nothing."""
    before = place - 1
    while before >= 0 and (
        tokens[before].tag in ("adjective", "material")
        or tokens[before].word in ("very", ",")
        or (tokens[before].word == "and" and tokens[before - 1].tag == "adjective")
    ):
        before -= 1
    if before < 0:
        return ""
    token = tokens[before]
    if token.tag in ("determiner", "number") or token.word in QUANTIFIERS:
        return token.word
    return "'s" if token.word.endswith(("'s", "s'", "’s", "s’")) else ""


def preposition_of(span: Span) -> str:
    """The word before the articles, adjectives and numbers of a noun, in lower case, or nothing."""
    before = span.first - 1
    while before >= 0 and span.tokens[before].tag in _PASSED_TAGS:
        before -= 1
    return span.tokens[before].word if before >= 0 else ""


_PASSED_TAGS = ("determiner", "adjective", "material", "number")


def neighbouring_verbs(span: Span) -> tuple[str, str]:
    """The verb a noun is the object of, or nothing, and the word right after it; lower case."""
    tokens = span.tokens
    before = span.first - 1
    while before >= 0 and tokens[before].tag in _PASSED_TAGS:
        before -= 1
    verb = tokens[before].word if before >= 0 and tokens[before].tag == "verb" else ""
    after = tokens[span.token + 1].word if span.token + 1 < len(tokens) else ""
    return verb, after


def colours_of(span: Span) -> list[str]:
    """The colour words among the adjectives before a noun, in lower case."""
    before = span.first - 1
    found = []
    while before >= 0 and span.tokens[before].tag in ("adjective", "material"):
        if is_colour_word(span.tokens[before].word):
            found.append(span.tokens[before].word)
        before -= 1
    return found


def stands_alone(tokens: tuple[Token, ...], place: int, *, before_of: bool = False) -> bool:
    """Whether a noun is a thing by itself: no part of an unlisted compound, no measure.

    "pizza box" and "bus driver" are neither pizza nor bus, nor is the "shirt" of a "t - shirt" one;
    in "a bowl of soup" the bowl measures.
    With `before_of`, a noun before "of" will do.
    """
    near = [tokens[at] for at in (place - 1, place + 1) if 0 <= at < len(tokens)]
    if any(one.tag in ("noun", "proper") or one.text == "-" for one in near):
        return False
    follower = tokens[place + 1].word if place + 1 < len(tokens) else ""
    after = tokens[place + 2].word if place + 2 < len(tokens) else ""
    owner = follower in ("'", "’") and after == "s"  # "the water 's surface"
    return before_of or not (follower == "of" or owner)
