"""How captions are read so that those which differ in one place meet: what any reading must do.

`OneWord` blanks words one by one; `transforms.words.near_captions.NearCaptions` noun phrases.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from indexes.captions import caption_words

BLANK = "_"


class WordRelation(Protocol):
    """How two words belong together; see `transforms.record.EditQuery`."""

    @property
    def relation(self) -> str:
        """`antonym` or `co-hyponym`."""
        ...

    @property
    def part_of_speech(self) -> str:
        """`noun` or `adjective`."""
        ...

    @property
    def source_synset(self) -> str:
        """Synset of the first word."""
        ...

    @property
    def target_synset(self) -> str:
        """Synset of the second word."""
        ...


Related = Callable[[str, str], WordRelation | None]
"""Whether, and how, the second word may stand in for the first."""

WordPlaces = tuple[int, int]
"""From which word of a caption to before which, counted as `indexes.captions` counts them."""


class Change(NamedTuple):
    """What turns one caption into another, and which words of each say it.

    A change that is `rarely` wanted is drawn half as often as others.
    """

    relation: WordRelation
    source: WordPlaces
    target: WordPlaces
    rarely: bool = False


@dataclass(frozen=True)
class FoundRelation:
    """How the lexicon relates two words; see `transforms.record.EditQuery`."""

    relation: str
    part_of_speech: str
    source_synset: str
    target_synset: str


@runtime_checkable
class CaptionReading(Protocol):
    """Blanks captions, and compares what was blanked. Must be picklable."""

    def slots(self, captions: Sequence[str]) -> Iterable[tuple[int, str, Any]]:
        """For each place in the captions of one picture: which of them, the text, the slot.

        A slot is what `change` needs to know of the place; it can be pickled and hashed.
        """
        ...

    def change(self, first: Any, second: Any) -> Change | None:
        """What turns the first caption into the second, given slots that share a text, if any."""
        ...


@dataclass(frozen=True)
class OneWord:
    """Captions that differ in one word: two words that are `related`."""

    related: Related

    def slots(self, captions: Sequence[str]) -> Iterator[tuple[int, str, tuple[str, int]]]:
        """Each caption with each word blanked in turn; a slot is the word and its place.

        Case and punctuation are dropped, and an article before the blank becomes `a`, so that `an
        apple` and `a pear` meet.
        """
        for number, caption in enumerate(captions):
            words = caption_words(caption)
            for position, word in enumerate(words):
                before = words[:position]
                if before and before[-1] == "an":
                    before[-1] = "a"
                text = " ".join([*before, BLANK, *words[position + 1 :]])
                yield number, text, (word, position)

    def change(self, first: tuple[str, int], second: tuple[str, int]) -> Change | None:
        """The relation of the two words, None where there is none."""
        (old, place), (new, _) = first, second
        relation = self.related(old, new) if old != new else None
        return (
            None if relation is None else Change(relation, (place, place + 1), (place, place + 1))
        )
