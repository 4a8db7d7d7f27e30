"""The Write stage: everything that became of a source shard, into one output shard.

Batches are light when they come to their shard: pictures stay with their sources and are fetched
once, while the rows are written. What is written depends on the records alone and not on the order
they arrive in.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
from apache_beam.metrics import Metrics
from apache_beam.typehints.decorators import no_annotations

from indexes.fence import Fence
from indexes.storage.paths import as_path
from transforms.batches.ahead import each_ahead
from transforms.batches.landing import PACKED_PARCEL, Land, Parcel
from transforms.batches.packing import pack_table, to_bytes, unpack, unpack_tables
from transforms.batches.timing import timed
from transforms.dataset.files import (
    dump_json,
    make_folder,
    remove_file,
    write_bytes,
    write_columns,
    write_table,
)
from transforms.dataset.pair_rows import (
    FetchPictures,
    OpenPicture,
    PairRows,
    fetch_both,
    try_fetch,
)
from transforms.dataset.rows import light_example, reject_to_row
from transforms.dataset.schema import PAIRS, REJECTS
from transforms.dataset.shard_contents import (
    ContentsError,
    ShardContents,
    count_contents,
    reject_id,
    shard_contents,
    tabulate,
)
from transforms.dataset.shards import (
    OutputShard,
    ShardReceipt,
    receipt_file,
    shard_file,
    whole_shard,
)
from transforms.protocols import Source
from transforms.record import Batch, EditExample, EditQuery

NAME = "Write"
STAGE = NAME.lower()
FINISHED, CONSIDERED = KINDS = ("finished", "considered")
FETCHED_AT_ONCE = 8
"""Pictures of at most twice as many pairs are held; on a store each is a request to wait for."""
PackedParcel = tuple[str, Parcel]
"""A parcel under the name of its source shard."""


def write_contents(
    folder: Path,
    shard: OutputShard,
    contents: ShardContents,
    *,
    fetch: FetchPictures,
    configuration_hash: str,
    fence: Fence | None = None,
) -> ShardReceipt:
    """Write the files of one output shard into `folder`, its receipt last, and return that.

    A receipt from before is removed first, so that at no moment one vouches for other files.

    Raises:
        OutputError: a file cannot be written; no temporary file is left.
        ContentsError: not as many sources arrived as `shard.sources` says.
        FencedError: a later run has begun than that of `fence`; there is no receipt, and nothing of
            that run is touched.
        TurnError: it cannot be seen whether one has.
    """
    counts = count_contents(contents)
    if shard.sources is not None and counts.sources != shard.sources:
        rule = f"{shard.sources} sources must end in a pair or a reject, {counts.sources} did"
        raise ContentsError(f"shard {shard.name}: {rule}")
    permit = fence.check if fence is not None else None
    if permit is not None:
        permit()
    make_folder(folder)
    receipt_path = folder / receipt_file(shard)
    remove_file(receipt_path)
    pairs = PairRows()
    rows = pairs.rows(fetch(contents.examples))
    pairs_file = write_table(folder / shard_file("pairs", shard), PAIRS, rows, permit=permit)
    rejects = tuple(sorted([*contents.rejects, *pairs.rejects], key=reject_id))
    contents = replace(contents, examples=tuple(pairs.examples), rejects=rejects)
    rejects_file = write_table(
        folder / shard_file("rejects", shard), REJECTS, map(reject_to_row, rejects), permit=permit
    )
    candidates_file = write_columns(
        folder / shard_file("candidates", shard), contents.queries, permit=permit
    )
    receipt = ShardReceipt(
        number=shard.number,
        of=shard.of,
        name=shard.name,
        configuration_hash=configuration_hash,
        counts=count_contents(contents),
        files=(pairs_file, rejects_file, candidates_file),
    )
    write_bytes(receipt_path, dump_json(receipt.as_dict()), permit=permit)
    return receipt


def write_shard(
    folder: Path,
    shard: OutputShard,
    batches: Iterable[Batch[EditExample]],
    *,
    considered: Iterable[pa.Table] = (),
    open_source: OpenPicture,
    open_target: OpenPicture,
    configuration_hash: str,
    fence: Fence | None = None,
) -> ShardReceipt:
    """`shard_contents`, then `write_contents`: one output shard from its parts, in any order."""
    fetch = functools.partial(fetch_both, open_source=open_source, open_target=open_target)
    return write_contents(
        folder,
        shard,
        shard_contents(batches, considered),
        fetch=functools.partial(
            each_ahead, functools.partial(try_fetch, fetch=fetch), at_once=FETCHED_AT_ONCE
        ),
        configuration_hash=configuration_hash,
        fence=fence,
    )


def light_finished(batch: Batch[EditExample]) -> Batch[EditExample]:
    """`batch` without pictures, embeddings and candidates, fit for a shuffle."""
    return replace(batch, records=tuple(light_example(example) for example in batch.records))


def pack_finished(batch: Batch[EditExample]) -> PackedParcel:
    """`light_finished(batch)`, packed as a parcel of its shard that settles its rows."""
    settled = {example.query.source.position for example in batch.records}
    settled |= {reject.position for reject in batch.rejects}
    data = to_bytes(light_finished(batch))
    return batch.shard, Parcel(FINISHED, batch.number, len(settled), data)


def pack_considered(batch: Batch[EditQuery]) -> PackedParcel:
    """The queries of `batch` and their candidates, packed as a parcel of their shard."""
    name, data = pack_table(batch.shard, tabulate(batch.records))
    return name, Parcel(CONSIDERED, batch.number, 0, data)


@no_annotations  # Beam cannot check for a Protocol
def write_parcels(
    shard: OutputShard,
    parcels: Sequence[Parcel],
    *,
    folder: str,
    source: Source,
    pool: Source,
    configuration_hash: str,
    fence: Fence | None = None,
) -> ShardReceipt:
    """`write_shard` for what has come of one shard.

    Raises:
        OutputError, ContentsError: as `write_shard`.
        FencedError: a later run has begun meanwhile.
    """
    packed = {kind: [each.data for each in parcels if each.kind == kind] for kind in KINDS}
    with timed(NAME):
        receipt = write_shard(
            as_path(folder),
            shard,
            unpack(packed[FINISHED]),
            considered=unpack_tables(packed[CONSIDERED]),
            open_source=source.open,
            open_target=pool.open,
            configuration_hash=configuration_hash,
            fence=fence,
        )
    Metrics.counter(NAME, "records").inc(receipt.counts.pairs)
    for reason, number in receipt.counts.rejects.get(STAGE, {}).items():
        Metrics.counter(NAME, f"rejected_{reason}").inc(number)
    return receipt


def find_written(
    shard: OutputShard, *, folder: str, configuration_hash: str
) -> ShardReceipt | None:
    """The receipt of `shard`, where it is whole and of this configuration.

    Raises:
        OutputError: there is a receipt, and it cannot be read.
    """
    return whole_shard(as_path(folder), shard, configuration_hash)


@dataclass
class Write(beam.PTransform):
    """Writes one output shard for each of `shards`, also where nothing arrives for it.

    Takes two collections, `(finished, considered)`: the batches of `EditExample` to write, and the
    batches of `EditQuery` as they went into Select. Gives the receipt of each shard, in no order. A
    shard is written as soon as all of it is there (`transforms.batches.landing`), and kept where it
    is whole already. `source` opens the source pictures, `pool` those of the index.

    Args:
        folder: an output folder; it must be there.
        shards: the output shards, named as the source shards whose batches arrive.
        source: opens the source pictures.
        pool: opens the pictures of the index.
        configuration_hash: what tells shards made with other settings apart, in every receipt.
        fence: this run's leave to write, where other runs may still be at it; when a later one has
            begun, nothing more is written.

    Raises:
        OutputError: while the pipeline runs, where a file cannot be written.
        ContentsError, LandingError: likewise, where the batches are not those of the shards.

    >>> import tempfile
    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> index, options = pairloom.open_index("small/index"), pairloom.RewriteOptions(edits=8)
    >>> [shard] = pairloom.StillLifeSource(count=1).shards()
    >>> shards = [pairloom.OutputShard(number=0, of=1, name=shard.name, sources=1)]
    >>> write = pairloom.Write(tempfile.mkdtemp(), shards, source, source, "any text")
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     told = spans | pairloom.Read(source) | pairloom.TakeSourceCaptions()
    ...     edits = told | pairloom.Rewrite(options, load_captions=index.captions)
    ...     found = edits | pairloom.EmbedQueries(pairloom.load_encoder) | pairloom.Retrieve(index)
    ...     chosen = found | pairloom.Select()
    ...     masked = chosen | pairloom.Segment(pairloom.load_segmenter, open_picture=source.open)
    ...     receipts = (masked, found) | write
    ...     _ = receipts | beam.Map(lambda receipt: print(receipt.counts.pairs))
    1
    """

    folder: str
    shards: Sequence[OutputShard]
    source: Source
    pool: Source
    configuration_hash: str
    fence: Fence | None = None

    def __post_init__(self) -> None:
        super().__init__()

    @no_annotations  # Beam reads those of one collection only
    def expand(
        self, batches: tuple[beam.PCollection, beam.PCollection]
    ) -> beam.PCollection[ShardReceipt]:
        """Pack both collections and land the shards."""
        finished, considered = batches
        mark = self.configuration_hash
        pack_both = (
            finished
            | "Pack finished"
            >> beam.Map(pack_finished).with_input_types(Batch).with_output_types(PACKED_PARCEL),
            considered
            | "Pack considered"
            >> beam.Map(pack_considered).with_input_types(Batch).with_output_types(PACKED_PARCEL),
        )
        return (
            pack_both
            | "Flatten" >> beam.Flatten()
            | "Shards"
            >> Land(
                self.shards,
                KINDS,
                functools.partial(
                    write_parcels,
                    folder=self.folder,
                    source=self.source,
                    pool=self.pool,
                    configuration_hash=mark,
                    fence=self.fence,
                ),
                functools.partial(find_written, folder=self.folder, configuration_hash=mark),
                self.fence,
            )
        )
