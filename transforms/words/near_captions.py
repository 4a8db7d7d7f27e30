"""Captions that are equal but for one noun phrase, and whether that shows another thing.

Each caption is written once for each of its noun phrases with that phrase blanked and only the kind
of thing left in its place. Captions that share such a text are compared: one noun, one adjective or
one number may differ, and of the other phrases the new caption says nothing that is not told of the
source. What else is told of both pictures must not speak against the change.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from transforms.words.caption_reading import Change, FoundRelation
from transforms.words.lexicon import (
    ANTONYM,
    CO_HYPONYM,
    AdjectiveSense,
    Lexicon,
    NounSense,
    load_lexicon,
)
from transforms.words.phrase_slots import SEVERAL, Detail, Slot, slots_of
from transforms.words.visible import (
    COVERED,
    PERSON,
    PERSONS,
    adjectives_differ,
    listed_sense,
    nouns_differ,
)

_NUMBER = "number"
_NUMBER_SYNSETS = ("", "one.s.01", "two.s.01", "three.s.01", "four.s.01", "five.s.01", "six.s.01")


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
        return slots_of(captions, _lexicon(self.path))

    def change(self, first: Slot, second: Slot) -> Change | None:
        """What turns the first caption into the second, if one visible thing does."""
        if len(first.details) != len(second.details):
            return None
        for own, other in zip(first.details, second.details, strict=True):
            if not _says_no_more(first, own, other):
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


def _says_no_more(source: Slot, own: Detail, other: Detail) -> bool:
    """Whether a phrase of another caption says nothing that is not told of the source as well."""
    noun, number, adjectives = own
    if other[1] and number != other[1] and (number or f"{noun}#{other[1]}" not in source.told):
        return False
    return _describes_no_more(source, noun, adjectives, other[2])


def _describes_no_more(
    source: Slot, noun: str, own: tuple[str, ...], other: tuple[str, ...]
) -> bool:
    if not other or set(own) == set(other):
        return True
    return not own and all(f"{noun}={each}" in source.told for each in other)


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
    if PERSON in kinds and old.family != new.family and PERSONS not in (old.family, new.family):
        return None
    if _covered_alike(first, new, lexicon) or _covered_alike(second, old, lexicon):
        return None
    if _speaks_against(first, second, lexicon) or _speaks_against(second, first, lexicon):
        return None
    opposite = any(lemma == new.lemma for lemma, _ in old.antonyms)
    relation = FoundRelation(ANTONYM if opposite else CO_HYPONYM, "noun", old.synset, new.synset)
    people = PERSON in {lexicon.wider.get(one.family, "") for one in (old, new)}
    return Change(relation, first.noun_places, second.noun_places, rarely=people)


def _covered_alike(slot: Slot, other: NounSense, lexicon: Lexicon) -> bool:
    """Whether what covers a place is what the other caption has in its stead."""
    covers = (listed_sense(COVERED[one], lexicon) for one in slot.adjectives if one in COVERED)
    return any(cover is not None and not nouns_differ(cover, other, lexicon) for cover in covers)


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
    if not _describes_no_more(first, first.noun, first.adjectives, second.adjectives):
        return None
    sense = listed_sense(first.lemma, lexicon)
    if sense is None or sense.countability not in ("count", "both"):
        return None
    for slot in (first, second):
        own = f"{first.noun}#{slot.number or SEVERAL}"
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
