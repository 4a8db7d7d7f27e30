"""The last stage of an index: what was embedded of a source shard, into one part of the folder."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import apache_beam as beam
import numpy as np

from indexes.fence import Fence
from indexes.layout import STRUCTURE_BYTES, Part
from indexes.parts import PartContents, PictureMetadata, read_part, write_part
from indexes.storage.paths import as_path
from transforms.batches.landing import PACKED_PARCEL, Land, Parcel
from transforms.batches.packing import to_bytes, unpack
from transforms.dataset.files import make_folder, write_table
from transforms.dataset.rows import light_source, reject_to_row
from transforms.dataset.schema import REJECTS
from transforms.dataset.shard_contents import reject_id
from transforms.record import Batch, EmbeddedImage
from transforms.scores import as_vector

KIND = "embedded"
SOURCES, INDEXED = "sources", "indexed"
"""Under these names a part counts its pictures; rejects stand under `stage: reason`."""


@dataclass(frozen=True)
class IndexShard:
    """Part `number`, from 0, of `of`, made from the source shard `name`.

    `sources` is how many pictures that holds, where it is known beforehand: the part is then
    written as soon as so many have come.

    >>> from pairloom import IndexShard
    >>> IndexShard(number=0, of=2, name="00000").part.label
    '00000'
    """

    number: int
    of: int
    name: str
    sources: int | None = None

    @property
    def part(self) -> Part:
        """The files it is written to."""
        return Part(self.number, self.of)


@dataclass(frozen=True)
class PartReceipt:
    """What became of a source shard: pictures in the index, and rejects by `stage: reason`."""

    shard: IndexShard
    pictures: int
    rejects: dict[str, int]


def light_embedded(batch: Batch[EmbeddedImage]) -> Batch[EmbeddedImage]:
    """`batch` without picture bytes, fit for a shuffle."""
    records = tuple(
        EmbeddedImage(
            source=light_source(record.source),
            embedding=record.embedding,
            structure=record.structure,
        )
        for record in batch.records
    )
    return Batch(batch.shard, batch.number, records, batch.rejects)


def pack_embedded(batch: Batch[EmbeddedImage]) -> tuple[str, Parcel]:
    """`light_embedded(batch)`, packed as a parcel of its shard."""
    settled = len(batch.records) + len(batch.rejects)
    return batch.shard, Parcel(KIND, batch.number, settled, to_bytes(light_embedded(batch)))


def picture_metadata(record: EmbeddedImage) -> PictureMetadata:
    """What the index keeps of a picture beside its vectors."""
    source = record.source
    return PictureMetadata(
        key=source.key,
        reference=source.reference,
        content_sha256=source.content_sha256,
        caption=source.caption or "",
        caption_confidence=source.caption_confidence,
        url=source.url,
        alt_text=source.alt_text,
        licence=source.licence,
        nsfw=source.nsfw,
        watermark=source.watermark,
        language=source.language,
        similarity=source.similarity,
        width=source.width,
        height=source.height,
        shard=source.shard,
        position=source.position,
    )


def write_index_part(
    folder: Path,
    shard: IndexShard,
    batches: Iterable[Batch[EmbeddedImage]],
    *,
    fingerprint: str,
    fence: Fence | None = None,
) -> PartReceipt:
    """Writes the pictures and rejects of one shard, in source order; the metadata come last.

    Raises:
        OutputError, OSError: a file cannot be written.
        FencedError: a later run has begun than that of `fence`; nothing of that run is touched.
        TurnError: it cannot be seen whether one has.
    """
    batches = sorted(batches, key=lambda batch: batch.number)
    records = [record for batch in batches for record in batch.records]
    rejects = sorted((r for batch in batches for r in batch.rejects), key=reject_id)
    path = shard.part.rejects_path(folder)
    permit = fence.check if fence is not None else None
    make_folder(path.parent)
    write_table(path, REJECTS, map(reject_to_row, rejects), permit=permit)
    counted = Counter(f"{reject.stage}: {reject.reason}" for reject in rejects)
    counts = {SOURCES: len(records) + len(rejects), INDEXED: len(records), **counted}
    embeddings = [as_vector(record.embedding) for record in records]
    structures = [np.frombuffer(record.structure, dtype=np.uint8) for record in records]
    # A part without pictures has no say in the index's dimension.
    dimension = len(embeddings[0]) if embeddings else 1
    contents = PartContents(
        metadata=[picture_metadata(record) for record in records],
        embeddings=np.array(embeddings, dtype=np.float32).reshape(len(records), dimension),
        structures=np.array(structures, dtype=np.uint8).reshape(len(records), STRUCTURE_BYTES),
        counts=counts,
    )
    write_part(folder, shard.part, contents, fingerprint=fingerprint, permit=permit)
    return PartReceipt(shard, len(records), dict(counted))


@dataclass
class WriteIndexParts(beam.PTransform):
    """Batches of EmbeddedImage to one part for each of `shards`; gives their receipts.

    A part is written as soon as all of it is there (`transforms.batches.landing`) and kept where it
    is whole already; when a later run has begun than that of `fence`, nothing more is written. A
    shard for which nothing arrives gets an empty part. `folder` is one that
    `begin_index` has made ready, `fingerprint` that of its description; `finish_index` makes an
    index of the parts.

    Raises:
        OutputError, OSError: while the pipeline runs, where a file cannot be written.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from indexes.layout import fingerprint
    >>> from indexes.life_cycle import begin_index, finish_index
    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=8, told=True)
    >>> folder, about = Path(tempfile.mkdtemp()) / "index", {"encoder": "stilllife"}
    >>> _ = begin_index(folder, about)
    >>> shards = [pairloom.IndexShard(number=0, of=1, name="00000")]
    >>> write = pairloom.WriteIndexParts(str(folder), shards, fingerprint(about))
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 8))
    ...     told = spans | pairloom.Read(source) | pairloom.TakeSourceCaptions()
    ...     receipts = told | pairloom.EmbedImages(pairloom.load_encoder) | write
    ...     _ = receipts | beam.Map(lambda receipt: print(receipt.pictures))
    8
    >>> _ = finish_index(folder, parts=1)
    >>> len(pairloom.open_index(folder))
    8
    """

    folder: str
    shards: Sequence[IndexShard]
    fingerprint: str
    fence: Fence | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Packs the batches and lands the parts."""
        mark = self.fingerprint
        return (
            batches
            | "Pack"
            >> beam.Map(pack_embedded).with_input_types(Batch).with_output_types(PACKED_PARCEL)
            | "Parts"
            >> Land(
                self.shards,
                (KIND,),
                partial(write_parcels, folder=self.folder, fingerprint=mark, fence=self.fence),
                partial(find_written, folder=self.folder, fingerprint=mark),
                self.fence,
            )
        )


def write_parcels(
    shard: IndexShard,
    parcels: Sequence[Parcel],
    *,
    folder: str,
    fingerprint: str,
    fence: Fence | None = None,
) -> PartReceipt:
    """`write_index_part` for what has come of one shard.

    Raises:
        OutputError, OSError, FencedError: as `write_index_part`.
    """
    batches = unpack(parcel.data for parcel in parcels)
    return write_index_part(as_path(folder), shard, batches, fingerprint=fingerprint, fence=fence)


def find_written(shard: IndexShard, *, folder: str, fingerprint: str) -> PartReceipt | None:
    """The receipt of a part that is whole and of this description, else None."""
    found = read_part(as_path(folder), shard.part, fingerprint=fingerprint)
    if found is None:
        return None
    rejects = {name: n for name, n in found.counts.items() if name not in (SOURCES, INDEXED)}
    return PartReceipt(shard, found.pictures, rejects)
