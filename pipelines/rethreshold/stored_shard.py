"""One shard of a data set, selected anew from what is stored in it."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from transforms import select
from transforms.dataset.pair_rows import PicturePair, fetch_both
from transforms.dataset.reader import PSEUDO_TARGET_IMAGE, SOURCE_IMAGE
from transforms.dataset.rows import row_to_pair, row_to_query, row_to_reject
from transforms.dataset.schema import LATER_COLUMNS, PAIRS
from transforms.dataset.shard_contents import query_id, reject_id
from transforms.dataset.shards import ShardReceipt
from transforms.dataset.tables import RowGroup, ShardFile, find_shard_file
from transforms.pictures.decoding import decode_stored
from transforms.pictures.limits import STORED_LIMITS, PictureLimits
from transforms.protocols import Segmenter, Source, SourceError
from transforms.record import Batch, EditExample, EditQuery, Reject
from transforms.segment import segment_batch
from transforms.select import SelectionThresholds, select_batch
from transforms.words.instructions import instruct, load_writer

_PICTURES = (SOURCE_IMAGE, PSEUDO_TARGET_IMAGE)


@dataclass(frozen=True)
class StoredShard:
    """What one shard of a data set holds, its two big pictures a row left in the file.

    `examples` are its pairs with their masks, by key; `pictures` fetches the pictures of one.
    """

    queries: tuple[EditQuery, ...]
    rejects: tuple[Reject, ...]
    examples: dict[str, EditExample]
    pictures: "StoredPictures"

    def again(self, example: EditExample) -> EditExample | None:
        """The stored pair of the same query with the same target, or None."""
        old = self.examples.get(example.key)
        same = old is not None and old.target.key == example.target.key
        return old if same else None


def read_shard(folder: Path, receipt: ShardReceipt, *, seed: int = 0) -> StoredShard:
    """The shard of the data set in `folder` that `receipt` is of.

    Edits of a data set that had no instructions yet get them, drawn by `seed`, the data set's.

    Raises:
        DatasetError: one of its files cannot be read.
        LexiconError: instructions are to be made, and the word table cannot be loaded.
    """
    pairs, rejects, candidates = (
        find_shard_file(folder, kind, receipt) for kind in ("pairs", "rejects", "candidates")
    )
    light = [name for name in PAIRS.names if name not in _PICTURES]
    examples = [row_to_pair(row) for row in pairs.read(light).to_pylist()]
    queries = tuple(map(row_to_query, candidates.read().to_pylist()))
    if receipt.schema_version < LATER_COLUMNS["edit_instruction"]:
        queries = tuple(instruct(query, load_writer(seed)) for query in queries)
    return StoredShard(
        queries=queries,
        rejects=tuple(map(row_to_reject, rejects.read().to_pylist())),
        examples={example.key: example for example in examples},
        pictures=StoredPictures(pairs, [example.key for example in examples]),
    )


class StoredPictures:
    """The pictures of a pairs file by key, with one row group in memory at a time.

    Cheap where keys are asked for in the order of the file. `keys` are those of all its rows.
    """

    def __init__(self, file: ShardFile, keys: Sequence[str]) -> None:
        self._places: dict[str, tuple[RowGroup, int]] = {}
        self._group: RowGroup | None = None
        self._rows: list[PicturePair] = []
        remaining = iter(keys)
        for group in file.row_groups():
            for row, key in enumerate(islice(remaining, group.rows)):
                self._places[key] = (group, row)

    def fetch(self, key: str) -> PicturePair:
        """The source picture and the pseudo-target of the pair `key`."""
        group, row = self._places[key]
        if group != self._group:
            rows = group.read(_PICTURES).to_pylist()
            self._rows = [
                (row[SOURCE_IMAGE]["bytes"], row[PSEUDO_TARGET_IMAGE]["bytes"]) for row in rows
            ]
            self._group = group
        return self._rows[row]


def choose_again(
    stored: StoredShard, thresholds: SelectionThresholds, *, edits: int
) -> Batch[EditExample]:
    """The stored queries after Select with other thresholds, and all rejects.

    Pairs that were there before have their masks. A pair that came to grief after Select (in
    Segment or Write) does so again; rejects from before Select stay.
    """
    batch = Batch("", 0, stored.queries)
    outcome = select_batch(batch, thresholds, edits=edits)
    asked = {query_id(query) for query in stored.queries}
    others = {reject_id(r): r for r in stored.rejects if r.stage != select.STAGE}
    examples: list[EditExample] = []
    rejects = [reject for place, reject in others.items() if place not in asked]
    rejects += outcome.rejects
    for example in outcome.records:
        later = others.get(query_id(example.query))
        if later is not None and later.target_key in (None, example.target.key):
            rejects.append(later)
        else:
            examples.append(_with_masks(example, stored.again(example)))
    return Batch("", 0, tuple(examples), tuple(rejects))


def _with_masks(example: EditExample, old: EditExample | None) -> EditExample:
    if old is None:
        return example
    return dataclasses.replace(example, source_mask=old.source_mask, target_mask=old.target_mask)


class PairPictures:
    """The pictures of pairs selected anew: stored ones from the file, new ones from their sources.

    `sources` are those of the source pictures and of the targets; None where nothing is new.
    `limits` is what decoding a stored picture may cost.
    """

    def __init__(
        self,
        stored: StoredShard,
        sources: tuple[Source, Source] | None,
        *,
        limits: PictureLimits = STORED_LIMITS,
    ) -> None:
        self._stored = stored
        self._sources = sources
        self.limits = limits

    def fetch(self, example: EditExample) -> PicturePair:
        """The source picture and the pseudo-target of `example`.

        Raises:
            SourceError: it is new, and one of them is gone or has changed.
        """
        if self._stored.again(example) is not None:
            return self._stored.pictures.fetch(example.key)
        assert self._sources is not None, f"{example.key} is new, so its sources must be given"
        source, pool = self._sources
        return fetch_both(example, open_source=source.open, open_target=pool.open)


def segment_bare(
    batch: Batch[EditExample], pictures: PairPictures, segmenter: Segmenter
) -> Batch[EditExample]:
    """`batch` with masks for those pairs that have none; pairs that cannot be fetched stay bare."""
    examples: list[EditExample] = []
    rejects = list(batch.rejects)
    for example in batch.records:
        if example.source_mask is not None and example.target_mask is not None:
            examples.append(example)
            continue
        try:
            found = pictures.fetch(example)
        except SourceError:
            examples.append(example)  # Write rejects it, and says why.
            continue
        segmented = _segment_one(example, found, segmenter, limits=pictures.limits)
        examples += segmented.records
        rejects += segmented.rejects
    return dataclasses.replace(batch, records=tuple(examples), rejects=tuple(rejects))


def _segment_one(
    example: EditExample, pictures: PicturePair, segmenter: Segmenter, *, limits: PictureLimits
) -> Batch[EditExample]:
    source, target = pictures
    return segment_batch(
        Batch("", 0, (example,)),
        segmenter,
        {example.target.reference: target}.__getitem__,
        open_source={example.query.source.reference: source}.__getitem__,
        decode=partial(decode_stored, limits=limits),
    )
