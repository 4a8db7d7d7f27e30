"""Mine: pairs of pictures whose captions differ in exactly one place, by a join.

The join is exact and scales as Beam scales; only keys, rows and captions travel. See
`transforms.words.caption_pairs` for what is joined.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import apache_beam as beam

from indexes.captions import all_captions, spelled_words
from indexes.folder import PictureIndex
from transforms.batches.outcomes import count_outcomes
from transforms.record import Batch, Candidate, EditQuery, Reject, SourceImage, reject_source
from transforms.words.caption_pairs import (
    Blanked,
    FoundEdits,
    MinedEdit,
    MineOptions,
    PoolEntry,
    Shortlist,
    SourceEntry,
    add_to_shortlist,
    blank,
    choose_edits,
    close_shortlist,
    match,
    merge_shortlists,
)
from transforms.words.caption_reading import CaptionReading, OneWord, Related
from transforms.words.instructions import instruct, load_writer

STAGE = "mine"
NO_CAPTION = "no_caption"
NO_CAPTION_PAIR = "no_caption_pair"
POOL_CHUNK = 4_096

Phrase = Callable[[Sequence[str], int, str], str]
"""What names the changed thing to a segmenter: of words, a position in them, a part of speech."""


def plain_phrase(words: Sequence[str], position: int, part_of_speech: str) -> str:
    """The word; for an adjective, with the last of the words that follow it before a small one.

    `small red apple on a plate` gives `small apple`. It knows no grammar beyond a list of small
    words: a tagger does better where there is one.
    """
    if part_of_speech != "adjective":
        return words[position]
    following = []
    for word in words[position + 1 :]:
        if word.lower() in _SMALL_WORDS:
            break
        following.append(word)
    return " ".join([words[position], *following[-1:]])


_SMALL_WORDS = frozenset(
    spelled_words(
        "a about above across after against along among an and are around as at be before "
        "behind below beneath beside between beyond but by down during for from has have he her "
        "his in inside into is it its near next of off on onto or out outside over she that the "
        "their them they this through to toward towards under up was were which while who with "
        "within without"
    )
)


def mined_queries(
    batch: Batch[SourceImage],
    found: Iterable[tuple[str, FoundEdits]],
    options: MineOptions,
    phrase: Phrase = plain_phrase,
) -> Batch[EditQuery]:
    """The queries of a batch from the edits `found`, by source key; a Reject where there are none.

    At most `options.edits` queries a source, each with its candidates' metadata still to be filled
    in and scored by Retrieve; `alternatives` counts the edits that were not chosen. A query's
    caption is that of the picture's captions which the edit changes.
    """
    by_key = dict(found)
    records: list[EditQuery] = []
    rejects: list[Reject] = []
    for source in batch.records:
        edits, total = by_key.get(source.key, FoundEdits((), 0))
        if not edits:
            rejects.append(_reject(source))
        for number, edit in enumerate(edits[: options.edits]):
            query = _query(source, number, edit, alternatives=total - 1, phrase=phrase)
            records.append(instruct(query, load_writer(options.seed)))
    return Batch(batch.shard, batch.number, tuple(records), (*batch.rejects, *rejects))


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class Mine(beam.PTransform):
    """Batches of captioned SourceImage to batches of EditQuery whose targets the pool holds.

    The pool is `index`, which travels as its path. `related` is how captions are read and compared
    (`pairloom.NearCaptions`: they differ in one noun phrase), or whether two words are related,
    where captions that differ in one word are wanted; it must be picklable. `phrase` names the
    changed thing. Of a picture with several captions all are joined. Pictures are dropped on the
    way: later stages fetch them by reference. Rejects: `no_caption`, and `no_caption_pair` where no
    caption of the pool is one change away.

    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> index = pairloom.open_index("small/index")
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     told = spans | pairloom.Read(source) | pairloom.TakeSourceCaptions()
    ...     edits = told | pairloom.Mine(index, pairloom.NearCaptions())
    ...     _ = edits | beam.Map(lambda batch: print(batch.records[0].edit_prompt))
    a small green chair on the left of a patterned background
    """

    index: PictureIndex
    related: Related | CaptionReading
    options: MineOptions = field(default_factory=MineOptions)
    phrase: Phrase = plain_phrase

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Joins the batches' captions with the pool's."""
        # To Beam a `Batch` is no `Batch[SourceImage]`, so it is told the bare class.
        without_pictures = beam.Map(_without_pictures).with_input_types(Batch)
        light = batches | "WithoutPictures" >> without_pictures.with_output_types(Batch)
        given = self.related
        reading = given if isinstance(given, CaptionReading) else OneWord(given)
        sources = (
            light
            | "SourceCaptions" >> beam.FlatMap(_source_entries).with_input_types(Batch)
            | "BlankSources" >> beam.FlatMap(blank, reading=reading)
        )
        pool = (
            batches.pipeline
            | "PoolRanges" >> beam.Create(range(0, len(self.index), POOL_CHUNK))
            | "SpreadRanges" >> beam.Reshuffle()
            | "PoolCaptions" >> beam.FlatMap(_pool_entries, index=self.index)
            | "BlankPool" >> beam.FlatMap(blank, reading=reading)
            | "Shortlists" >> beam.CombinePerKey(_ShortlistFn(self.options))
        )
        found = (
            {"sources": sources, "pool": pool}
            | "ByCaption" >> beam.CoGroupByKey()
            | "Match" >> beam.FlatMap(_match, reading=reading, options=self.options)
            | "BySource" >> beam.GroupByKey()
            | "Choose" >> beam.Map(_choose, options=self.options)
        )
        with_name = beam.Map(_with_name).with_input_types(Batch)
        named = beam.typehints.Tuple[str, Batch]
        keyed = light | "KeyBatches" >> with_name.with_output_types(named)
        queries = partial(_joined, options=self.options, phrase=self.phrase)
        return (
            {"batch": keyed, "found": found}
            | "MeetBatches" >> beam.CoGroupByKey()
            | "Queries" >> beam.Map(queries).with_output_types(Batch)
        )


class _ShortlistFn(beam.CombineFn):
    """The captions of the pool that share a text, no more of them than are compared."""

    def __init__(self, options: MineOptions) -> None:
        super().__init__()
        self._options = options

    def create_accumulator(self, *args: Any, **kwargs: Any) -> Shortlist:
        return {}

    def add_input(
        self, mutable_accumulator: Shortlist, element: Blanked, *args: Any, **kwargs: Any
    ) -> Shortlist:
        add_to_shortlist(mutable_accumulator, element, self._options)
        return mutable_accumulator

    def merge_accumulators(
        self, accumulators: Iterable[Shortlist], *args: Any, **kwargs: Any
    ) -> Shortlist:
        return merge_shortlists(accumulators, self._options)

    def extract_output(self, accumulator: Shortlist, *args: Any, **kwargs: Any) -> Shortlist:
        return close_shortlist(accumulator, self._options)


def _without_pictures(batch: Batch[SourceImage]) -> Batch[SourceImage]:
    records = tuple(dataclasses.replace(source, image=None) for source in batch.records)
    return dataclasses.replace(batch, records=records)


def _with_name(batch: Batch[SourceImage]) -> tuple[str, Batch[SourceImage]]:
    return _name(batch), batch


def _name(batch: Batch[SourceImage]) -> str:
    return f"{batch.shard}/{batch.number}"


def _source_entries(batch: Batch[SourceImage]) -> Iterator[SourceEntry]:
    for source in batch.records:
        if source.caption:
            first, *others = all_captions(source.caption, source.alt_text)
            yield SourceEntry(_name(batch), source.key, first, tuple(others))


def _pool_entries(start: int, index: PictureIndex) -> Iterator[PoolEntry]:
    stop = min(start + POOL_CHUNK, len(index))
    pictures = zip(index.keys(start, stop), index.all_captions(start, stop), strict=True)
    for row, (key, (first, *others)) in enumerate(pictures, start=start):
        yield PoolEntry(row, key, first, tuple(others))


def _match(
    group: tuple[str, dict[str, Any]], reading: CaptionReading, options: MineOptions
) -> Iterator[tuple[str, tuple[SourceEntry, FoundEdits]]]:
    for shortlist in group[1]["pool"]:
        for source in group[1]["sources"]:
            found = match(source, shortlist, reading, options)
            if found.total:
                yield f"{source.entry.batch}/{source.entry.key}", (source.entry, found)


def _choose(
    group: tuple[str, Iterable[tuple[SourceEntry, FoundEdits]]], options: MineOptions
) -> tuple[str, tuple[str, FoundEdits]]:
    pairs = list(group[1])
    source = pairs[0][0]
    return source.batch, (source.key, choose_edits(source.key, [e for _, e in pairs], options))


def _joined(
    group: tuple[str, dict[str, Any]], options: MineOptions, phrase: Phrase
) -> Batch[EditQuery]:
    (batch,) = group[1]["batch"]
    queries = mined_queries(batch, group[1]["found"], options, phrase)
    count_outcomes(queries, "Mine")
    return queries


def _query(
    source: SourceImage, number: int, edit: MinedEdit, *, alternatives: int, phrase: Phrase
) -> EditQuery:
    part_of_speech = edit.relation.part_of_speech
    before, after = spelled_words(edit.caption), spelled_words(edit.edit_prompt)
    named = [
        phrase(words, start, part_of_speech) if stop == start + 1 else " ".join(words[start:stop])
        for words, (start, stop) in ((before, edit.source), (after, edit.target))
    ]
    return EditQuery(
        source=source,
        number=number,
        caption=edit.caption,
        edit_prompt=edit.edit_prompt,
        source_word=" ".join(before[slice(*edit.source)]),
        target_word=" ".join(after[slice(*edit.target)]),
        source_phrase=named[0],
        target_phrase=named[1],
        relation=edit.relation.relation,
        part_of_speech=part_of_speech,
        source_synset=edit.relation.source_synset,
        target_synset=edit.relation.target_synset,
        alternatives=alternatives,
        method="mine",
        candidates=tuple(map(_unscored, edit.entries)),
    )


def _unscored(entry: PoolEntry) -> Candidate:
    return Candidate(
        row=entry.row, key=entry.key, reference="", content_sha256="", caption=entry.caption
    )


def _reject(source: SourceImage) -> Reject:
    if not source.caption:
        return reject_source(
            source, stage=STAGE, reason=NO_CAPTION, detail="the picture has no caption"
        )
    return reject_source(
        source,
        stage=STAGE,
        reason=NO_CAPTION_PAIR,
        detail="no caption of the index differs from this one in one related thing",
    )
