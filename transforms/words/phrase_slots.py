"""The noun phrases of captions as places to blank: the texts they share, and what is told beside.

In a text the blanked phrase is its kind of thing alone, and of the other phrases their nouns and
whether they are in the plural; numbers and adjectives stand beside it.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from indexes.captions import spelled_words
from transforms.words.caption_reading import WordPlaces
from transforms.words.lexicon import Lexicon
from transforms.words.phrases import NounPhrase, ReadCaption, read_phrases
from transforms.words.visible import COVERED, kind_of, listed_sense

_BLANK = "_"
SEVERAL = "several"
"""A number that is not told."""

Detail = tuple[str, int, tuple[str, ...]]
"""The noun of a phrase, its number where that is told in the plural, and its adjectives."""


class Slot(NamedTuple):
    """A noun phrase of a caption, where it stands, and what the rest says beside the common text.

    `places` are the words from the determiner to the noun, counted as `spelled_words` does, and
    `noun_places` and `adjective_places` those of its words. `details` are the numbers and
    adjectives of the other phrases, `told` what all captions of the picture say, see `told_by`.
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
    details: tuple[Detail, ...]
    told: tuple[str, ...]


def slots_of(captions: Sequence[str], lexicon: Lexicon) -> Iterator[tuple[int, str, Slot]]:
    """The number of a caption, its text with a phrase blanked, and the phrase; for each phrase.

    The captions are those of one picture; only where it has several anything else is told of it.
    """
    read = [read_phrases(caption, lexicon) for caption in captions]
    told = tuple(sorted(set().union(*map(told_by, read)))) if len(read) > 1 else ()
    for number, (caption, one) in enumerate(zip(captions, read, strict=True)):
        for text, slot in _slots(caption, one, lexicon):
            yield number, text, slot._replace(told=told)


def _slots(caption: str, read: ReadCaption, lexicon: Lexicon) -> Iterator[tuple[str, Slot]]:
    parts = [part if isinstance(part, str) else _signed(part) for part in read.parts]
    phrases = [
        (place, part) for place, part in enumerate(read.parts) if isinstance(part, NounPhrase)
    ]
    starts = [len(spelled_words(caption[: token.start])) for token in read.tokens]
    starts.append(len(spelled_words(caption)))
    for place, phrase in phrases:
        details = tuple(
            (other.noun, other.number if other.plural else 0, other.adjectives)
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


def told_by(read: ReadCaption) -> set[str]:
    """What a caption says by phrase: `dog`, `dog=brown`, `dog#2`, or `dog#several`."""
    told = set()
    for part in read.parts:
        if not isinstance(part, NounPhrase) or not part.noun:
            continue
        told.add(part.lemma)
        told |= {COVERED[adjective] for adjective in part.adjectives if adjective in COVERED}
        told |= {f"{part.noun}={adjective}" for adjective in part.adjectives}
        told.add(f"{part.noun}#{part.number or SEVERAL}")
    return told
