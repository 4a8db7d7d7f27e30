"""Captions that are equal but for one noun phrase, and whether that shows another thing.

Each caption is written once for each of its noun phrases with that phrase blanked and only the kind
of thing left in its place. Captions that share such a text are compared: one noun, one adjective or
one number may differ, and of the other phrases one caption may say more than the other, never
something else. What else is told of both pictures must not speak against the change.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from indexes.captions import spelled_words
from transforms.words.caption_reading import Change, FoundRelation, WordPlaces
from transforms.words.lexicon import ANTONYM, CO_HYPONYM, AdjectiveSense, Lexicon, load_lexicon
from transforms.words.phrases import NounPhrase, ReadCaption, read_phrases
from transforms.words.visible import PERSON, adjectives_differ, kind_of, listed_sense, nouns_differ

_BLANK = "_"
_COLOUR, _NUMBER = "colour", "number"
_NUMBER_SYNSETS = ("", "one.s.01", "two.s.01", "three.s.01", "four.s.01", "five.s.01", "six.s.01")
_SEVERAL = "several"


class Slot(NamedTuple):
    """A noun phrase of a caption, where it stands, and what the rest says beside the common text.

    `places` are the words from the determiner to the noun, counted as `spelled_words` does, and
    `noun_places` and `adjective_places` those of its words. `details` are the numbers and
    adjectives of the other phrases, `told` what all captions of the picture say, see `_told`.
    """

    noun: str
    lemma: str
    plural: bool
    number: int
    adjectives: tuple[str, ...]
    alone: bool
    places: WordPlaces
    noun_places: WordPlaces
    adjective_places: tuple[int, ...]
    number_place: int
    details: tuple[tuple[int, tuple[str, ...]], ...]
    told: tuple[str, ...]


@dataclass(frozen=True)
class NearCaptions:
    """Reads captions for `Mine` by the word table in `path`, None for the one that ships.

    `without` names kinds of words that are never what differs, as in `RewriteOptions`. Travels as
    its path; the table is loaded once a process.

    >>> from pairloom import NearCaptions
    >>> near = NearCaptions()
    >>> [(_, text, first)] = near.slots(["There are two dogs."])
    >>> [(_, same, second)] = near.slots(["three dogs"])
    >>> text == same, near.change(first, second).relation.relation
    (True, 'co-hyponym')
    """

    path: str | None = None
    without: tuple[str, ...] = ()

    def slots(self, captions: Sequence[str]) -> Iterator[tuple[int, str, Slot]]:
        """The number of a caption, its text with a phrase blanked, and the phrase; for each."""
        lexicon = _lexicon(self.path)
        read = [read_phrases(caption, lexicon) for caption in captions]
        told = tuple(sorted(set().union(*map(_told, read)))) if len(read) > 1 else ()
        for number, (caption, one) in enumerate(zip(captions, read, strict=True)):
            for text, slot in _slots(caption, one, lexicon):
                yield number, text, slot._replace(told=told)

    def change(self, first: Slot, second: Slot) -> Change | None:
        """What turns the first caption into the second, if one visible thing does."""
        if not all(map(_agree, first.details, second.details)):
            return None
        lexicon = _lexicon(self.path)
        if first.noun != second.noun:
            return _noun_change(first, second, lexicon, self.without)
        if first.noun and (
            first.plural != second.plural
            or (first.number and second.number and first.number != second.number)
        ):
            return None if _NUMBER in self.without else _number_change(first, second, lexicon)
        return _adjective_change(first, second, self.path, frozenset(self.without))


@lru_cache(maxsize=4)
def _lexicon(path: str | None) -> Lexicon:
    return load_lexicon(path)


def _slots(caption: str, read: ReadCaption, lexicon: Lexicon) -> Iterator[tuple[str, Slot]]:
    parts = [part if isinstance(part, str) else _signed(part) for part in read.parts]
    phrases = [
        (place, part) for place, part in enumerate(read.parts) if isinstance(part, NounPhrase)
    ]
    starts = [len(spelled_words(caption[: token.start])) for token in read.tokens]
    starts.append(len(spelled_words(caption)))
    for place, phrase in phrases:
        details = tuple(
            (other.number if other.plural else 0, other.adjectives)
            for at, other in phrases
            if at != place
        )
        text = " ".join([*parts[:place], _masked(phrase, lexicon), *parts[place + 1 :]])
        first, stop = phrase.places
        noun = (starts[phrase.noun_place], starts[phrase.noun_place + 1]) if phrase.noun else (0, 0)
        yield (
            text,
            Slot(
                phrase.noun,
                phrase.lemma,
                phrase.plural,
                phrase.number,
                phrase.adjectives,
                phrase.alone,
                (starts[first], starts[stop]),
                noun,
                tuple(starts[one] for one in phrase.adjective_places),
                starts[phrase.number_place] if phrase.number_place >= 0 else -1,
                details,
                (),
            ),
        )


def _signed(phrase: NounPhrase) -> str:
    """A phrase as the common text has it: its noun and number, or adjectives without a noun."""
    if not phrase.noun:
        return "+".join(phrase.adjectives)
    return f"{phrase.noun.replace(' ', '-')}{'+' if phrase.plural else ''}"


def _masked(phrase: NounPhrase, lexicon: Lexicon) -> str:
    sense = listed_sense(phrase.lemma, lexicon) if phrase.alone else None
    kind = kind_of(sense, lexicon) if sense is not None and sense.family else phrase.noun
    return _BLANK + kind.replace(" ", "-")


def _told(read: ReadCaption) -> set[str]:
    """What a caption says by phrase: `dog`, `dog=brown`, `dog#2`, or `dog#several`."""
    told = set()
    for part in read.parts:
        if not isinstance(part, NounPhrase) or not part.noun:
            continue
        told.add(part.lemma)
        told |= {f"{part.noun}={adjective}" for adjective in part.adjectives}
        told.add(f"{part.noun}#{part.number or _SEVERAL}")
    return told


def _agree(first: tuple[int, tuple[str, ...]], second: tuple[int, tuple[str, ...]]) -> bool:
    """Whether of a phrase that both captions have one says the same as the other, or less."""
    if first[0] and second[0] and first[0] != second[0]:
        return False
    return _adjectives_agree(set(first[1]), set(second[1]))


def _adjectives_agree(first: set[str], second: set[str]) -> bool:
    return not first or not second or first == second


def _noun_change(
    first: Slot, second: Slot, lexicon: Lexicon, without: tuple[str, ...]
) -> Change | None:
    if not (first.alone and second.alone) or first.plural != second.plural:
        return None
    if first.number and second.number and first.number != second.number:
        return None
    if not _adjectives_agree(set(first.adjectives), set(second.adjectives)):
        return None
    old, new = listed_sense(first.lemma, lexicon), listed_sense(second.lemma, lexicon)
    if old is None or new is None or not (old.family and new.family):
        return None
    kinds = {old.family, new.family, *(lexicon.wider.get(one.family, "") for one in (old, new))}
    if kinds & set(without) or not nouns_differ(old, new, lexicon):
        return None
    if _speaks_against(first, second, lexicon) or _speaks_against(second, first, lexicon):
        return None
    opposite = any(lemma == new.lemma for lemma, _ in old.antonyms)
    relation = FoundRelation(ANTONYM if opposite else CO_HYPONYM, "noun", old.synset, new.synset)
    people = PERSON in {lexicon.wider.get(one.family, "") for one in (old, new)}
    return Change(relation, first.noun_places, second.noun_places, rarely=people)


def _speaks_against(own: Slot, other: Slot, lexicon: Lexicon) -> bool:
    """Whether another caption of the picture of `own` has what only the other should show."""
    new, old = listed_sense(other.lemma, lexicon), listed_sense(own.lemma, lexicon)
    assert new is not None
    assert old is not None
    for lemma in own.told:
        said = None if "=" in lemma or "#" in lemma else listed_sense(lemma, lexicon)
        if said is None or said.lemma == old.lemma:
            continue
        if not nouns_differ(said, new, lexicon) and nouns_differ(said, old, lexicon):
            return True
    return False


def _number_change(first: Slot, second: Slot, lexicon: Lexicon) -> Change | None:
    if not _adjectives_agree(set(first.adjectives), set(second.adjectives)):
        return None
    sense = listed_sense(first.lemma, lexicon)
    if sense is None or sense.countability not in ("count", "both"):
        return None
    for slot in (first, second):
        own = f"{first.noun}#{slot.number or _SEVERAL}"
        if any(one.startswith(f"{first.noun}#") and one != own for one in slot.told):
            return None
    synsets = [
        _NUMBER_SYNSETS[slot.number] if slot.number < len(_NUMBER_SYNSETS) else ""
        for slot in (first, second)
    ]
    if not all(synsets):
        return None
    relation = FoundRelation(CO_HYPONYM, "adjective", *synsets)
    if first.number_place >= 0 and second.number_place >= 0:
        old, new = ((one.number_place, one.number_place + 1) for one in (first, second))
        return Change(relation, old, new)
    return Change(relation, first.places, second.places)


def _adjective_change(
    first: Slot, second: Slot, path: str | None, without: frozenset[str]
) -> Change | None:
    if first.number and second.number and first.number != second.number:
        return None
    old = [one for one in first.adjectives if one not in second.adjectives]
    new = [one for one in second.adjectives if one not in first.adjectives]
    if len(old) != 1 or len(new) != 1:
        return None
    relation = _adjective_relation(old[0], new[0], path, without)
    if relation is None:
        return None
    if f"{first.noun}={new[0]}" in first.told or f"{first.noun}={old[0]}" in second.told:
        return None
    at = first.adjective_places[first.adjectives.index(old[0])]
    to = second.adjective_places[second.adjectives.index(new[0])]
    return Change(relation, (at, at + 1), (to, to + 1))


@lru_cache(maxsize=65_536)
def _adjective_relation(
    old: str, new: str, path: str | None, without: frozenset[str]
) -> FoundRelation | None:
    lexicon = _lexicon(path)
    for first in lexicon.adjectives.get(old, ()):
        for second in lexicon.adjectives.get(new, ()):
            relation = _related(first, second)
            if relation and first.group not in without and adjectives_differ(first, second):
                return FoundRelation(relation, "adjective", first.synset, second.synset)
    return None


def _related(first: AdjectiveSense, second: AdjectiveSense) -> str:
    if (second.lemma, second.synset) in first.antonyms:
        return ANTONYM
    return CO_HYPONYM if first.group and first.group == second.group else ""
