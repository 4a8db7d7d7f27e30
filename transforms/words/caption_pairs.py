"""Pairs of captions that differ in exactly one word, found by a join: the part without Beam.

Each caption is written once for each of its words with that word blanked. Two captions that differ
in one word share one of these texts, so a group-by on it brings them together; whether the two
words belong together (antonyms, co-hyponyms) is asked of a lexicon.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from heapq import nsmallest
from typing import NamedTuple, Protocol

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


@dataclass(frozen=True, kw_only=True)
class MineOptions:
    """`edits` queries a source at most, with `cap` candidates each; `seed` draws both.

    Raises:
        ValueError: `edits` or `cap` is below 1.

    >>> from pairloom import MineOptions
    >>> MineOptions(edits=0)
    Traceback (most recent call last):
    ValueError: edits must be at least 1, got 0
    """

    seed: int = 0
    edits: int = 1
    cap: int = 30

    def __post_init__(self) -> None:
        for name in ("edits", "cap"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


class PoolEntry(NamedTuple):
    """One captioned picture of the index."""

    row: int
    key: str
    caption: str


class SourceEntry(NamedTuple):
    """One captioned picture for which pairs are sought, and the batch it stands in."""

    batch: str
    key: str
    caption: str


class MinedEdit(NamedTuple):
    """One way to change a source's caption by one word into captions that the pool has.

    `position` is the word's place in the caption, `entries` the pictures with the new caption.
    """

    position: int
    source_word: str
    target_word: str
    relation: WordRelation
    entries: tuple[PoolEntry, ...]


class Blanked(NamedTuple):
    """A caption's word that was blanked, with where and whose it is."""

    word: str
    position: int
    entry: PoolEntry | SourceEntry


def mine(
    sources: Iterable[SourceEntry],
    pool: Iterable[PoolEntry],
    related: Related,
    options: MineOptions,
) -> dict[str, tuple[MinedEdit, ...]]:
    """The edits of every source that has any, by source key: the stage as one plain function.

    Holds everything in memory. `Mine` gives the same by a join.
    """
    groups: dict[str, list[Blanked]] = defaultdict(list)
    entries: list[PoolEntry | SourceEntry] = [*pool, *sources]
    for entry in entries:
        for text, blanked in blank_words(entry):
            groups[text].append(blanked)
    found: dict[SourceEntry, list[MinedEdit]] = defaultdict(list)
    for members in groups.values():
        for source, edit in match_group(members, related, options):
            found[source].append(edit)
    return {source.key: choose_edits(source.key, edits, options) for source, edits in found.items()}


def blank_words(entry: PoolEntry | SourceEntry) -> Iterator[tuple[str, Blanked]]:
    """The entry's caption with each word blanked in turn, as one text each.

    Case and punctuation are dropped, and an article before the blank becomes `a`, so that `an
    apple` and `a pear` meet.
    """
    words = caption_words(entry.caption)
    for position, word in enumerate(words):
        before = words[:position]
        if before and before[-1] == "an":
            before[-1] = "a"
        text = " ".join([*before, BLANK, *words[position + 1 :]])
        yield text, Blanked(word, position, entry)


def match_group(
    members: Iterable[Blanked], related: Related, options: MineOptions
) -> Iterator[tuple[SourceEntry, MinedEdit]]:
    """The edits among captions that are equal but for the blanked word.

    Each target word brings at most `options.cap` pictures to a source: drawn by (seed, source key,
    picture key) from those that (seed, picture key) puts first, whatever the members' order.
    """
    by_word: dict[str, list[PoolEntry]] = defaultdict(list)
    wanted: list[Blanked] = []
    for member in members:
        if isinstance(member.entry, PoolEntry):
            by_word[member.word].append(member.entry)
        else:
            wanted.append(member)
    if not wanted:
        return
    shortlists = {
        word: _drawn(entries, "pool", options, most=_SHORTLIST_FACTOR * options.cap)
        for word, entries in by_word.items()
    }
    relations: dict[tuple[str, str], WordRelation | None] = {}
    for member in wanted:
        source = member.entry
        assert isinstance(source, SourceEntry)
        for word, shortlist in shortlists.items():
            pair = (member.word, word)
            if pair not in relations:
                relations[pair] = related(*pair) if member.word != word else None
            relation = relations[pair]
            others = [entry for entry in shortlist if entry.key != source.key]
            if relation is None or not others:
                continue
            drawn = sorted(_drawn(others, source.key, options, most=options.cap))
            yield source, MinedEdit(member.position, member.word, word, relation, tuple(drawn))


_SHORTLIST_FACTOR = 8
"""A word's shortlist holds so many times the cap, to keep a common caption's group affordable."""


def choose_edits(
    key: str, edits: Iterable[MinedEdit], options: MineOptions
) -> tuple[MinedEdit, ...]:
    """All the edits found for the source `key`, in an order drawn by (seed, key, edit)."""
    return tuple(
        sorted(
            edits,
            key=lambda edit: _draw(options.seed, key, str(edit.position), edit.target_word),
        )
    )


def _drawn(
    entries: Iterable[PoolEntry], whose: str, options: MineOptions, *, most: int
) -> list[PoolEntry]:
    def draw(entry: PoolEntry) -> tuple[bytes, int]:
        return _draw(options.seed, whose, entry.key), entry.row

    return nsmallest(most, entries, key=draw)


def _draw(seed: int, *names: str) -> bytes:
    """A number drawn by the seed and the names alone."""
    return blake2b("\0".join([str(seed), *names]).encode(), digest_size=8).digest()
