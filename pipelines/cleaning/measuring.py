"""The pictures of a data set's pairs, and those of a test set, measured on Beam.

    row groups of pairs, or spans of a source -> Read -> EmbedImages -> Measure -> a file a batch

A batch's file holds fingerprint, embedding and values of every picture in it, and no picture.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

from indexes.storage.paths import as_path
from pipelines.running.execution import Execution
from pipelines.running.sharded_job import ShardedJob, run_job
from transforms.aesthetics import AestheticHead, load_head
from transforms.dataset.files import make_folder, write_bytes
from transforms.dataset.manifest import Manifest
from transforms.dataset.reader import PSEUDO_TARGET_IMAGE, SOURCE_IMAGE
from transforms.dataset.tables import find_shard_file, read_row_group
from transforms.embed import EmbedImages
from transforms.filter_rules import MEASURED
from transforms.measure import Measure
from transforms.measured import MeasuredImage
from transforms.models.loading import LoadEncoder
from transforms.models.spec import ModelSpec
from transforms.protocols import Source
from transforms.read import BatchSpan, plan_batches, read_span
from transforms.record import Batch, SourceImage

PICTURES_A_BATCH = 64

UNREAD = "unread"
"""Under this name a file says how many pictures of its batch could not be read."""

MEASURES = pa.schema(
    [
        pa.field("sha256", pa.string()),
        pa.field("key", pa.string()),
        pa.field("fingerprint", pa.binary()),
        pa.field("embedding", pa.binary()),
        *(pa.field(name, pa.float64()) for name in MEASURED),
    ]
)


@dataclass(frozen=True)
class PairsGroup:
    """Row group `number` of the pairs file `path`, of shard `shard`."""

    shard: int
    path: str
    number: int
    rows: int

    @property
    def name(self) -> str:
        """What its file of measures is called by."""
        return f"pairs-{self.shard:05d}-{self.number:05d}"

    @property
    def pictures(self) -> int:
        """How many pictures it holds."""
        return 2 * self.rows

    def read(self, source: Source | None) -> Batch[SourceImage]:
        """Its pictures, each content once, under its hash.

        Raises:
            DatasetError: it cannot be read.
        """
        del source  # the pictures lie in the file
        columns = ["source_sha256", SOURCE_IMAGE, "target_sha256", PSEUDO_TARGET_IMAGE]
        found: dict[str, SourceImage] = {}
        for row in read_row_group(as_path(self.path), self.number, columns).to_pylist():
            for sha256, column in zip(columns[::2], columns[1::2], strict=True):
                data = row[column]["bytes"]
                found.setdefault(row[sha256], _bare(row[sha256], data, len(found), self.name))
        return Batch(self.name, self.number, tuple(found.values()))


@dataclass(frozen=True)
class SourceSpan:
    """A span of a source, whose shard is number `shard`."""

    shard: int
    span: BatchSpan

    @property
    def name(self) -> str:
        """What its file of measures is called by."""
        return f"against-{self.shard:05d}-{self.span.number:05d}"

    @property
    def pictures(self) -> int:
        """How many pictures it holds."""
        return self.span.stop - self.span.start

    def read(self, source: Source | None) -> Batch[SourceImage]:
        """Its pictures.

        Raises:
            SourceError: they cannot be read.
        """
        assert source is not None
        return read_span(source, self.span)


PictureSpan = PairsGroup | SourceSpan


def _bare(sha256: str, data: bytes, position: int, shard: str) -> SourceImage:
    return SourceImage(
        key=sha256,
        shard=shard,
        position=position,
        reference=sha256,
        content_sha256=sha256,
        width=0,
        height=0,
        image=data,
    )


@dataclass(frozen=True, kw_only=True)
class MeasurePlan:
    """What is measured with what: `folder` takes the files, `aesthetic` is a file of a head.

    `source` is what spans of a source are read from.
    """

    folder: str
    encoder: ModelSpec
    aesthetic: str | None = None
    source: Source | None = None

    def path(self, span: PictureSpan) -> Path:
        """Where the measures of a batch lie."""
        return as_path(self.folder) / f"{span.name}.parquet"

    def load_head(self) -> AestheticHead | None:
        """The aesthetic head, if there is one.

        Raises:
            AestheticHeadError: it cannot be loaded.
        """
        return None if self.aesthetic is None else load_head(Path(self.aesthetic))


def pair_groups(folder: Path, manifest: Manifest) -> list[PairsGroup]:
    """The row groups of the pairs of a data set, in order.

    Raises:
        DatasetError: a shard cannot be read.
    """
    return [
        PairsGroup(shard.number, str(group.path), group.number, group.rows)
        for shard in manifest.shards
        for group in find_shard_file(folder, "pairs", shard).row_groups()
    ]


def source_spans(source: Source) -> list[SourceSpan]:
    """The batches of a source, in order.

    Raises:
        SourceError: it cannot be read.
    """
    return [
        SourceSpan(number, span)
        for number, shard in enumerate(source.shards())
        for span in plan_batches(shard, PICTURES_A_BATCH)
    ]


def measure_pictures(
    plan: MeasurePlan, spans: Sequence[PictureSpan], execution: Execution
) -> list[Path]:
    """Measures all that is not measured yet; the files, batch by batch.

    Raises:
        ModelError, AestheticHeadError, SourceError, OutputError, CommandError: in one line each.
    """
    make_folder(as_path(plan.folder))
    plan.load_head()  # to hear now what is wrong with it
    job = ShardedJob(
        label="measuring",
        shards=list(spans),
        is_whole=partial(is_measured, plan=plan),
        pictures=lambda span: span.pictures,
        graph=partial(measure_graph, plan=plan),
    )
    run_job(job, execution)
    return [plan.path(span) for span in spans]


def is_measured(span: PictureSpan, *, plan: MeasurePlan) -> bool:
    """Whether the measures of a batch are there."""
    return plan.path(span).is_file()


def measure_graph(
    pipeline: beam.Pipeline, spans: Sequence[PictureSpan], *, plan: MeasurePlan
) -> None:
    """Wires the stages that measure some batches; a batch's shard is its file's name."""
    write = beam.Map(partial(write_measures, folder=plan.folder))
    _ = (
        pipeline
        | "Spans" >> beam.Create(list(spans))
        | "Spread" >> beam.Reshuffle()
        | "Read" >> beam.Map(partial(read_pictures, source=plan.source)).with_output_types(Batch)
        | "Embed" >> EmbedImages(LoadEncoder(plan.encoder))
        | "Measure" >> Measure(plan.load_head())
        | "Write" >> write.with_input_types(Batch)
    )


def read_pictures(span: PictureSpan, source: Source | None) -> Batch[SourceImage]:
    """The pictures of a batch, under the name of its file."""
    batch = span.read(source)
    return Batch(span.name, batch.number, batch.records, batch.rejects)


def write_measures(batch: Batch[MeasuredImage], folder: str) -> None:
    """Writes the file of a batch.

    Raises:
        OutputError: it cannot be written.
    """
    rows = [
        {
            "sha256": each.embedded.source.content_sha256,
            "key": each.embedded.source.key,
            "fingerprint": each.fingerprint,
            "embedding": each.embedded.embedding,
            **{name: each.values[name] for name in MEASURED},
        }
        for each in batch.records
    ]
    about = {UNREAD: str(len(batch.rejects))}
    data = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, MEASURES.with_metadata(about)), data)
    write_bytes(as_path(folder) / f"{batch.shard}.parquet", data.getvalue())


def count_unread(paths: Sequence[Path]) -> int:
    """How many pictures of the batches in some files could not be read or measured."""
    found = 0
    for path in paths:
        with path.open("rb") as file:
            found += int((pq.read_schema(file).metadata or {})[UNREAD.encode()])
    return found


def read_measures(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """All measures in some files, in order, each a row of `MEASURES`."""
    for path in paths:
        with path.open("rb") as file:
            yield from pq.read_table(file).to_pylist()
