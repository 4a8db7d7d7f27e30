"""Mine: pairs of pictures whose captions differ in exactly one word, by a join.

The join is exact and scales as Beam scales; only keys, rows and captions travel. See
`transforms.words.caption_pairs` for what is joined.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam

from indexes.captions import spelled_words
from indexes.folder import PictureIndex
from transforms.batches.inference import count_outcomes
from transforms.record import Batch, Candidate, EditQuery, Reject, SourceImage, reject_source
from transforms.words.caption_pairs import (
    Blanked,
    MinedEdit,
    MineOptions,
    PoolEntry,
    Related,
    SourceEntry,
    blank_words,
    choose_edits,
    match_group,
)

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
    found: Iterable[tuple[str, Sequence[MinedEdit]]],
    options: MineOptions,
    phrase: Phrase = plain_phrase,
) -> Batch[EditQuery]:
    """The queries of a batch from the edits `found`, by source key; a Reject where there are none.

    At most `options.edits` queries a source, each with its candidates' metadata still to be filled
    in and scored by Retrieve; `alternatives` counts the edits that were not chosen.
    """
    by_key = dict(found)
    records: list[EditQuery] = []
    rejects: list[Reject] = []
    for source in batch.records:
        edits = by_key.get(source.key, ())
        if not edits:
            rejects.append(_reject(source))
        for number, edit in enumerate(edits[: options.edits]):
            records.append(_query(source, number, edit, alternatives=len(edits) - 1, phrase=phrase))
    return Batch(batch.shard, batch.number, tuple(records), (*batch.rejects, *rejects))


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class Mine(beam.PTransform):
    """Batches of captioned SourceImage to batches of EditQuery whose targets the pool holds.

    The pool is `index`, which travels as its path. `related` must be picklable; `phrase` names the
    changed thing. Pictures are dropped on the way: later stages fetch them by reference. Rejects:
    `no_caption`, and `no_caption_pair` where no caption of the pool is one related word away.

    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> index = pairloom.open_index("small/index")
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     told = spans | pairloom.Read(source) | pairloom.TakeSourceCaptions()
    ...     edits = told | pairloom.Mine(index, pairloom.LexiconRelations())
    ...     _ = edits | beam.Map(lambda batch: print(batch.records[0].edit_prompt))
    a small green chair on the left of a patterned background
    """

    index: PictureIndex
    related: Related
    options: MineOptions = field(default_factory=MineOptions)
    phrase: Phrase = plain_phrase

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Joins the batches' captions with the pool's."""
        # To Beam a `Batch` is no `Batch[SourceImage]`, so it is told the bare class.
        without_pictures = beam.Map(_without_pictures).with_input_types(Batch)
        light = batches | "WithoutPictures" >> without_pictures.with_output_types(Batch)
        sources = light | "SourceCaptions" >> beam.FlatMap(_source_entries).with_input_types(Batch)
        pool = (
            batches.pipeline
            | "PoolRanges" >> beam.Create(range(0, len(self.index), POOL_CHUNK))
            | "SpreadRanges" >> beam.Reshuffle()
            | "PoolCaptions" >> beam.FlatMap(_pool_entries, index=self.index)
        )
        found = (
            (sources, pool)
            | "BothCaptions" >> beam.Flatten()
            | "BlankWords" >> beam.FlatMap(blank_words)
            | "ByCaption" >> beam.GroupByKey()
            | "Match" >> beam.FlatMap(_match, related=self.related, options=self.options)
            | "BySource" >> beam.GroupByKey()
            | "Choose" >> beam.Map(_choose, options=self.options)
        )
        with_name = beam.Map(_with_name).with_input_types(Batch)
        named = beam.typehints.Tuple[str, Batch]
        keyed = light | "KeyBatches" >> with_name.with_output_types(named)
        return (
            {"batch": keyed, "found": found}
            | "MeetBatches" >> beam.CoGroupByKey()
            | "Queries"
            >> beam.Map(_joined, options=self.options, phrase=self.phrase).with_output_types(Batch)
        )


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
            yield SourceEntry(_name(batch), source.key, source.caption)


def _pool_entries(start: int, index: PictureIndex) -> Iterator[PoolEntry]:
    stop = min(start + POOL_CHUNK, len(index))
    pictures = zip(index.keys(start, stop), index.captions(start, stop), strict=True)
    for row, (key, caption) in enumerate(pictures, start=start):
        yield PoolEntry(row, key, caption)


def _match(
    group: tuple[str, Iterable[Blanked]], related: Related, options: MineOptions
) -> Iterator[tuple[str, tuple[SourceEntry, MinedEdit]]]:
    for source, edit in match_group(group[1], related, options):
        yield f"{source.batch}/{source.key}", (source, edit)


def _choose(
    group: tuple[str, Iterable[tuple[SourceEntry, MinedEdit]]], options: MineOptions
) -> tuple[str, tuple[str, tuple[MinedEdit, ...]]]:
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
    caption = source.caption or ""
    edit_prompt = edit.entries[0].caption
    part_of_speech = edit.relation.part_of_speech
    before, after = spelled_words(caption), spelled_words(edit_prompt)
    return EditQuery(
        source=source,
        number=number,
        caption=caption,
        edit_prompt=edit_prompt,
        source_word=before[edit.position],
        target_word=after[edit.position],
        source_phrase=phrase(before, edit.position, part_of_speech),
        target_phrase=phrase(after, edit.position, part_of_speech),
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
        detail="no caption of the index differs from this one in one related word",
    )
