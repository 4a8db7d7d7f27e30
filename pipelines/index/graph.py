"""The stages of indexing, wired: for whole parts, or for some of a part's batches."""

from collections.abc import Sequence
from functools import partial

import apache_beam as beam

from indexes.clip_retrieval import open_embeddings
from indexes.fence import Fence
from indexes.parts import read_part
from indexes.storage.paths import as_path
from pipelines.index.plan import IndexPlan, PlannedPart
from pipelines.running.spreading import Spread
from transforms.batches.landing import PACKED_PARCEL, Parcel
from transforms.caption import Caption, TakeSourceCaptions
from transforms.embed import EmbedImages
from transforms.filter import SOURCES_STAGE, Filter
from transforms.models.loading import LoadCaptioner, LoadEncoder
from transforms.read import BatchSpan, Read, plan_batches
from transforms.record import Batch
from transforms.take_embeddings import TakeEmbeddings
from transforms.write_index import (
    WriteIndexParts,
    pack_embedded,
    write_parcels,
)


def cut_batches(planned: PlannedPart, *, batch_size: int) -> list[BatchSpan]:
    """The batches of the source shard of a planned part."""
    return plan_batches(planned[1], batch_size)


def is_written(planned: PlannedPart, *, folder: str, mark: str) -> bool:
    """Whether a planned part is whole."""
    return read_part(as_path(folder), planned[0].part, fingerprint=mark) is not None


def index_graph(
    pipeline: beam.Pipeline,
    parts: Sequence[PlannedPart],
    *,
    plan: IndexPlan,
    mark: str,
    fence: Fence | None = None,
) -> None:
    """Wires the stages for some parts; `mark` is the description's fingerprint.

    `fence` is this run's leave to write them.
    """
    whole = partial(is_written, folder=plan.folder, mark=mark)
    spans = pipeline | "Spread" >> Spread(
        parts,
        partial(cut_batches, batch_size=plan.batch_size),
        is_whole=whole if fence is not None else None,
        fence=fence,
    )
    shards = [shard for shard, _ in parts]
    _ = _embed_spans(spans, plan) | "Write" >> WriteIndexParts(plan.folder, shards, mark, fence)


def landed_graph(
    pipeline: beam.Pipeline, spans: Sequence[BatchSpan], *, plan: IndexPlan
) -> beam.PCollection:
    """Wires the stages for some batches, up to what they bring to their parts."""
    taken = pipeline | "Spans" >> beam.Create(spans) | "Spread" >> beam.Reshuffle()
    pack = beam.Map(pack_embedded).with_input_types(Batch).with_output_types(PACKED_PARCEL)
    return _embed_spans(taken, plan) | "Pack" >> pack


def join_part(
    planned: PlannedPart,
    landed: Sequence[Parcel],
    *,
    plan: IndexPlan,
    mark: str,
    fence: Fence | None = None,
) -> None:
    """Writes a part of what `landed_graph` gave for its batches."""
    write_parcels(planned[0], landed, folder=plan.folder, fingerprint=mark, fence=fence)


def _embed_spans(spans: beam.PCollection, plan: IndexPlan) -> beam.PCollection:
    """Read, Caption and Embed."""
    pictures = spans | "Read" >> Read(plan.source)
    if plan.source_filters:
        pictures = pictures | "Filter" >> Filter(plan.source_filters, SOURCES_STAGE)
    if plan.captions == "source":
        captioned = pictures | "Caption" >> TakeSourceCaptions()
    else:
        captioned = pictures | "Caption" >> Caption(LoadCaptioner(plan.preset.captioner))
    if plan.embeddings is not None:
        return captioned | "Embed" >> TakeEmbeddings(open_embeddings(plan.embeddings))
    return captioned | "Embed" >> EmbedImages(LoadEncoder(plan.preset.encoder))
