"""Pairs of captions that differ in one place, found by a join: the part without Beam.

Each caption is written once for each of its places with that place blanked
(`transforms.words.caption_reading`). Two captions that differ there alone share one of these texts,
so a group-by on it brings them together; whether the change is one that can be seen is asked of the
reading that blanked them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from heapq import nsmallest
from typing import Any, NamedTuple

from indexes.captions import caption_words, same_caption_key
from transforms.words.caption_reading import CaptionReading, Change, WordPlaces, WordRelation


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
    """One captioned picture of the index; `others` is what else is said of it."""

    row: int
    key: str
    caption: str
    others: tuple[str, ...] = ()


class SourceEntry(NamedTuple):
    """One captioned picture for which pairs are sought, and the batch it stands in.

    `others` is what else is said of it.
    """

    batch: str
    key: str
    caption: str
    others: tuple[str, ...] = ()


class MinedEdit(NamedTuple):
    """One way to change a caption of a source into a caption that the pool has.

    `caption` is that of the source, `source` and `target` the words that differ, `entries` the
    pictures with the new caption, which is the first one's.
    """

    caption: str
    source: WordPlaces
    target: WordPlaces
    relation: WordRelation
    entries: tuple[PoolEntry, ...]
    rarely: bool = False

    @property
    def edit_prompt(self) -> str:
        """The new caption."""
        return self.entries[0].caption


class FoundEdits(NamedTuple):
    """Edits that are among the first of a source, and how many there are of all."""

    edits: tuple[MinedEdit, ...]
    total: int


class Blanked(NamedTuple):
    """A place of a caption that was blanked, and whose it is; the entry has that caption alone."""

    slot: Any
    entry: PoolEntry | SourceEntry


def mine(
    sources: Iterable[SourceEntry],
    pool: Iterable[PoolEntry],
    reading: CaptionReading,
    options: MineOptions,
) -> dict[str, FoundEdits]:
    """The edits of every source that has any, by source key: the stage as one plain function.

    Holds everything in memory. `Mine` gives the same by a join.
    """
    shortlists: dict[str, Shortlist] = defaultdict(dict)
    for entry in pool:
        for text, blanked in blank(entry, reading):
            add_to_shortlist(shortlists[text], blanked, options)
    closed = {text: close_shortlist(each, options) for text, each in shortlists.items()}
    found: dict[str, list[FoundEdits]] = defaultdict(list)
    for source in sources:
        for text, blanked in blank(source, reading):
            edits = match(blanked, closed.get(text, {}), reading, options)
            if edits.total:
                found[source.key].append(edits)
    return {key: choose_edits(key, edits, options) for key, edits in found.items()}


def blank(entry: PoolEntry | SourceEntry, reading: CaptionReading) -> Iterator[tuple[str, Blanked]]:
    """Each caption of the entry with each of its places blanked in turn, as one text each."""
    captions = (entry.caption, *entry.others)
    for number, text, slot in reading.slots(captions):
        yield text, Blanked(slot, entry._replace(caption=captions[number], others=()))


Shortlist = dict[str, list[Blanked]]
"""Captions of the pool that share a text, by their words, with the pictures that have each."""

MOST_CAPTIONS = 256
"""So many different captions that share a text are compared; drawn by the seed and their words."""

_SHORTLIST_FACTOR = 8
"""A caption's shortlist holds so many times the cap, to keep a common one affordable."""


def add_to_shortlist(shortlist: Shortlist, blanked: Blanked, options: MineOptions) -> None:
    """Adds one caption of the pool; what is there at last does not depend on the order.

    A caption keeps the pictures that (seed, picture key) puts first.
    """
    words = same_caption_key(blanked.entry.caption)
    members = shortlist.setdefault(words, [])
    members.append(blanked)
    most = _SHORTLIST_FACTOR * options.cap
    if len(members) >= 2 * most:
        shortlist[words] = _first_drawn(members, options, most)
    if len(shortlist) >= 2 * MOST_CAPTIONS:
        _keep_first_captions(shortlist, options)


def merge_shortlists(shortlists: Iterable[Shortlist], options: MineOptions) -> Shortlist:
    """One shortlist of all that several hold."""
    merged: Shortlist = {}
    for shortlist in shortlists:
        for members in shortlist.values():
            for member in members:
                add_to_shortlist(merged, member, options)
    return merged


def close_shortlist(shortlist: Shortlist, options: MineOptions) -> Shortlist:
    """The shortlist as sources are compared with it, in an order of its own."""
    _keep_first_captions(shortlist, options)
    most = _SHORTLIST_FACTOR * options.cap
    return {words: _first_drawn(shortlist[words], options, most) for words in sorted(shortlist)}


def _keep_first_captions(shortlist: Shortlist, options: MineOptions) -> None:
    if len(shortlist) > MOST_CAPTIONS:
        kept = nsmallest(
            MOST_CAPTIONS, shortlist, key=lambda words: (_draw(options.seed, words), words)
        )
        for words in shortlist.keys() - set(kept):
            del shortlist[words]


def _first_drawn(members: Iterable[Blanked], options: MineOptions, most: int) -> list[Blanked]:
    def draw(member: Blanked) -> tuple[bytes, int, str]:
        entry = member.entry
        assert isinstance(entry, PoolEntry)
        return _draw(options.seed, "pool", entry.key), entry.row, entry.caption

    return nsmallest(most, members, key=draw)


def match(
    source: Blanked, shortlist: Shortlist, reading: CaptionReading, options: MineOptions
) -> FoundEdits:
    """The first edits of a source's caption into those of a closed `shortlist`, and their count.

    Each caption brings at most `options.cap` pictures, drawn by (seed, source key, picture key).
    """
    asking = source.entry
    edits: list[MinedEdit] = []
    for members in shortlist.values():
        fitting: dict[str, tuple[Change, PoolEntry]] = {}
        changes: dict[Any, Change | None] = {}
        for slot, entry in members:
            assert isinstance(entry, PoolEntry)
            if entry.key == asking.key or entry.key in fitting:
                continue
            if slot not in changes:
                changes[slot] = reading.change(source.slot, slot)
            change = changes[slot]
            if change is not None:
                fitting[entry.key] = change, entry
        if fitting:
            edits.append(_make_edit(asking, fitting.values(), options))
    return FoundEdits(_in_order(asking.key, edits, options)[: options.edits], len(edits))


def _make_edit(
    asking: PoolEntry | SourceEntry,
    fitting: Iterable[tuple[Change, PoolEntry]],
    options: MineOptions,
) -> MinedEdit:
    drawn = nsmallest(
        options.cap,
        fitting,
        key=lambda each: (_draw(options.seed, asking.key, each[1].key), each[1].row),
    )
    drawn.sort(key=lambda each: each[1])
    change = drawn[0][0]
    entries = tuple(entry for _, entry in drawn)
    return MinedEdit(
        asking.caption, change.source, change.target, change.relation, entries, change.rarely
    )


def choose_edits(key: str, found: Iterable[FoundEdits], options: MineOptions) -> FoundEdits:
    """The first of all the edits found for the source `key`, and how many there are.

    Their order is drawn by (seed, key, edit). Of one that is `rarely` wanted the later of two draws
    counts.
    """
    found = list(found)
    edits = [edit for each in found for edit in each.edits]
    total = sum(each.total for each in found)
    return FoundEdits(_in_order(key, edits, options)[: options.edits], total)


def _in_order(key: str, edits: Iterable[MinedEdit], options: MineOptions) -> tuple[MinedEdit, ...]:
    def draw(edit: MinedEdit) -> tuple[bytes, str, str]:
        words = caption_words(edit.edit_prompt)[slice(*edit.target)]
        names = key, str(edit.source[0]), " ".join(words)
        drawn = _draw(options.seed, *names)
        if edit.rarely:
            drawn = max(drawn, _draw(options.seed, *names, "again"))
        return drawn, edit.caption, edit.edit_prompt

    return tuple(sorted(edits, key=draw))


def _draw(seed: int, *names: str) -> bytes:
    """A number drawn by the seed and the names alone."""
    return blake2b("\0".join([str(seed), *names]).encode(), digest_size=8).digest()
