"""An edit said as an instruction: "replace the dog with a cat", "make the car red".

InstructPix2Pix (Brooks and others 2023) and its trainers take what is to be done, where iEdit takes
what is to be seen. Here the one is made of the other, by templates: what changes is named with
"the", what comes in its place with the article and number that it needs. Of the wordings that an
edit allows one is drawn by seed and key.
"""

import dataclasses
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from transforms.record import EditQuery
from transforms.words.caption_reading import WordRelation
from transforms.words.inflection import article, lemma_of
from transforms.words.lexicon import Lexicon, NounSense, load_lexicon
from transforms.words.spans import Span, Token, determiner_of, find_spans
from transforms.words.taggers import Tagger, penn_tags
from transforms.words.tagging import tag_caption
from transforms.words.vocabulary import (
    DETERMINERS,
    NUMBERS,
    SINGULAR_DETERMINERS,
    is_colour_word,
    words,
)


class Exchange(WordRelation, Protocol):
    """What is asked of an edit; `EditQuery` and `Proposal` say what each means."""

    @property
    def caption(self) -> str:
        """What the source shows."""
        ...

    @property
    def edit_prompt(self) -> str:
        """What the target shows."""
        ...

    @property
    def source_word(self) -> str:
        """The word that was exchanged."""
        ...

    @property
    def target_word(self) -> str:
        """The word in its place."""
        ...

    @property
    def source_phrase(self) -> str:
        """The word with the noun it describes."""
        ...


_THINGS = (
    "replace the {old} with {new}",
    "turn the {old} into {new}",
    "change the {old} to {new}",
    "swap the {old} for {new}",
    "put {new} in place of the {old}",
)
_ADJECTIVES = ("make the {noun} {adjective}", "make the {old} {adjective}")
_OLD_NAMED = ("make the {old} {adjective}",)
_COLOURS = (
    "make the {noun} {adjective}",
    "turn the {noun} {adjective}",
    "change the color of the {noun} to {adjective}",
    "make the {old} {adjective}",
)
_ONES = ("replace the {old} with {one}", "turn the {old} into {one}")
_NUMBERS = ("show {new} instead of {old}", "make it {new} instead of {old}")
_COUNTS = (*_NUMBERS, "change the number of {noun} from {old} to {number}")
_ABSTRACT = {
    "seasons": "season",
    "times of day": "time of day",
    "sports": "sport",
}
"""Families of nouns that name no thing, and what each is a choice of."""
_CHOICES = (
    "change the {kind} from {old} to {new}",
    "change the {kind} to {new}",
    "make it {new} instead of {old}",
)

_ATTRIBUTIVE = words(
    "indoor outdoor little giant senior male female metal stone brick plastic leather concrete "
    "glass golden patterned striped raw older colorful colourful several"
)
"""Adjectives, or nouns as such, that are not said of a thing by "make the ... so"."""
_VAGUE = words("several many few both various multiple numerous")
_SHADES = words("dark light pale bright")
_SPELLED = {"tv": "TV"}
_UNCOUNTED = ("mass", "plural")


@dataclass(frozen=True)
class InstructionWriter:
    """Says edits as instructions.

    Args:
        lexicon: the table that the edits are of.
        seed: draws the wordings, with the keys.
        tagger: says which part of speech each word is.
    """

    lexicon: Lexicon
    seed: int = 0
    tagger: Tagger = penn_tags

    def write(self, edit: Exchange, key: str) -> str:
        """The instruction of `edit`, whose key draws its wording: one line in lower case."""
        wordings = self.wordings(edit)
        text = f"{self.seed}\x00{key}\x00instruction".encode()
        drawn = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())
        return wordings[drawn % len(wordings)]

    def wordings(self, edit: Exchange) -> list[str]:
        """Every wording that `edit` allows, at least one."""
        tokens = tag_caption(edit.caption, self.lexicon, self.tagger)
        place = _find_token(tokens, edit)
        if place is None or _is_phrase(edit.source_word, edit.target_word):
            return _fill(_NUMBERS, old=_definite(edit.source_word), new=_plain(edit.target_word))
        span = self._span(tokens, place, edit.part_of_speech)
        if edit.part_of_speech == "noun":
            return self._noun_wordings(edit, span)
        return self._adjective_wordings(edit, span)

    def _span(self, tokens: tuple[Token, ...], place: int, part_of_speech: str) -> Span:
        """The word as Rewrite sees it; where it would not exchange it, the next noun is its own."""
        for span in find_spans(tokens, self.lexicon):
            if span.token == place and span.part_of_speech == part_of_speech:
                return span
        head = place
        if part_of_speech == "adjective":
            nouns = [at for at in range(place + 1, len(tokens)) if tokens[at].tag == "noun"]
            head = nouns[0] if nouns else place
        return Span(part_of_speech, tokens, place, head)

    def _noun_wordings(self, edit: Exchange, span: Span) -> list[str]:
        old, new = _plain(edit.source_word), _plain(edit.target_word)
        if span.modifies:
            return self._things(old, new, span, head=span.tokens[span.token + 1])
        if span.partner is not None:
            first = _plain(span.tokens[span.partner].text)
            old, new = f"{first} {old}", f"{first} {new}"
        kind = _ABSTRACT.get(self._family(edit.source_word, edit.source_synset))
        if kind is not None:
            return _fill(_CHOICES, kind=kind, old=old, new=new)
        count = self._countability(edit.target_word, edit.target_synset)
        return _fill(_THINGS, old=old, new=self._indefinite(new, span, span.own, count))

    def _things(self, old: str, new: str, span: Span, *, head: Token) -> list[str]:
        """Wordings for a compound of which the first word is exchanged."""
        noun = _plain(head.text)
        count = self._countability(head.text, "")
        named = self._indefinite(f"{new} {noun}", span, head, count)
        return _fill(_THINGS, old=f"{old} {noun}", new=named)

    def _adjective_wordings(self, edit: Exchange, span: Span) -> list[str]:
        old, new = _plain(edit.source_word), _plain(edit.target_word)
        phrase = _plain(edit.source_phrase)
        noun = phrase.removeprefix(old).strip() or _plain(span.noun.text)
        whole = f"{old} {noun}"
        if span.own.tag == "number" or old in NUMBERS or new in NUMBERS:
            counted = _NUMBERS if _VAGUE & {old, new} else _COUNTS
            return _fill(counted, old=old, number=new, noun=noun, new=f"{new} {noun}")
        head = span.noun
        count = self._countability(head.text, "")
        plural = head.plural or head.word == "people"
        if count == "unknown" and not plural and determiner_of(span.tokens, span.first) == "":
            return _fill(_OLD_NAMED, old=whole, adjective=new)  # "a blue gear" may be wrong
        changed = self._indefinite(f"{new} {noun}", span, head, count)
        found = _fill(_THINGS, old=whole, new=changed)
        if (plural or count == "count") and not _SHADES & {old, new}:
            one = f"{new} ones" if plural else f"{article(new)} {new} one"
            found += _fill(_ONES, old=whole, one=one)
        if new in _ATTRIBUTIVE or " " in new or (_SHADES & {old, new} and " " in noun):
            return found
        alone = sum(token.lemma == head.lemma for token in span.tokens) == 1
        coloured = is_colour_word(old) and is_colour_word(new)
        templates: tuple[str, ...] = _OLD_NAMED
        if alone:
            templates = _COLOURS if coloured else _ADJECTIVES
        return [*_fill(templates, noun=noun, old=whole, adjective=new), *found[:2]]

    def _indefinite(self, phrase: str, span: Span, head: Token, count: str) -> str:
        """`phrase`, in the number of `head`, with "a" or "an" where it needs one."""
        if head.plural or head.word == "people" or count in _UNCOUNTED:
            return phrase
        if determiner_of(span.tokens, span.first) == "some" and count == "both":
            return phrase
        return f"{article(phrase)} {phrase}"

    def _countability(self, word: str, synset: str) -> str:
        """How the table counts a noun in a sense, or in its first; `unknown` where it lacks it."""
        senses = self._senses(word)
        found = [sense for sense in senses if sense.synset == synset] or [
            sense for sense in senses if sense.role != "known"
        ]
        return (found or senses)[0].countability if senses else "unknown"

    def _family(self, word: str, synset: str) -> str:
        return next((one.family for one in self._senses(word) if one.synset == synset), "")

    def _senses(self, word: str) -> list[NounSense]:
        found = lemma_of(word.lower(), self.lexicon.nouns, self.lexicon.listed_nouns)
        return list(self.lexicon.nouns[found[0]]) if found else []


def instruct(query: EditQuery, writer: InstructionWriter) -> EditQuery:
    """`query` with its instruction, whose wording its key draws."""
    return dataclasses.replace(query, edit_instruction=writer.write(query, query.key))


@lru_cache(maxsize=4)
def load_writer(seed: int) -> InstructionWriter:
    """Says edits by the table that ships with the project; loaded once a process.

    Raises:
        LexiconError: the table cannot be loaded.
    """
    return InstructionWriter(load_lexicon(), seed)


def _find_token(tokens: tuple[Token, ...], edit: Exchange) -> int | None:
    """The token of the exchanged word: the first that ends after both texts begin to differ."""
    pairs = zip(edit.caption, edit.edit_prompt, strict=False)
    change = next((at for at, (one, other) in enumerate(pairs) if one != other), len(edit.caption))
    wanted = edit.source_word.lower()
    places = [at for at, token in enumerate(tokens) if token.word == wanted]
    after = [at for at in places if tokens[at].end > change]
    return next(iter(after or places), None)


def _is_phrase(old: str, new: str) -> bool:
    """Whether whole noun phrases were exchanged, as where a mined pair differs in a number."""
    begins = DETERMINERS | SINGULAR_DETERMINERS | NUMBERS
    firsts = [text.lower().split(" ")[0] for text in (old, new)]
    return any(" " in text for text in (old, new)) and not begins.isdisjoint(firsts)


def _definite(phrase: str) -> str:
    """A noun phrase with "the" in place of its article, if it has one."""
    first, _, rest = _plain(phrase).partition(" ")
    if rest and first in DETERMINERS:
        return f"the {rest}"
    return f"the {first} {rest}".strip()


def _plain(text: str) -> str:
    """A word or phrase in lower case, but for what is never so, one blank between words."""
    lower = re.sub(r"\s+", " ", text).strip().lower()
    return " ".join(_SPELLED.get(word, word) for word in lower.split(" "))


def _fill(templates: tuple[str, ...], **parts: str) -> list[str]:
    return [template.format(**parts) for template in templates]
