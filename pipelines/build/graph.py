"""The stages of a build, wired: for whole shards, or for some of a shard's batches."""

from collections.abc import Sequence
from functools import partial

import apache_beam as beam

from indexes.fence import Fence
from indexes.folder import PictureIndex
from indexes.storage.paths import as_path
from pipelines.build.index_words import LoadKnownCaptions, LoadPoolCaptions
from pipelines.build.plan import BuildPlan
from pipelines.build.regions import choose_regions
from pipelines.running.spreading import Spread
from transforms.batches.landing import PACKED_PARCEL, Parcel
from transforms.caption import Caption, TakeSourceCaptions
from transforms.dataset.shards import OutputShard, whole_shard
from transforms.embed import EmbedQueries
from transforms.fetching.linked_pictures import LinkedPictures
from transforms.filter import SOURCES_STAGE, Filter
from transforms.mine import Mine
from transforms.models.loading import LoadCaptioner, LoadEncoder
from transforms.protocols import SourceShard
from transforms.read import BatchSpan, Read, plan_batches
from transforms.record import Batch
from transforms.retrieve import Retrieve
from transforms.retrieve_service import RetrieveFromService
from transforms.rewrite import Rewrite
from transforms.segment import Segment
from transforms.select import Select
from transforms.words.caption_pairs import MineOptions
from transforms.words.near_captions import NearCaptions
from transforms.words.relations import TaggedPhrase
from transforms.write import Write, pack_considered, pack_finished, write_parcels

PlannedShard = tuple[OutputShard, SourceShard]
"""A shard of the data set, and the source shard it is made of."""


def cut_batches(planned: PlannedShard, *, batch_size: int) -> list[BatchSpan]:
    """The batches of the source shard of a planned one."""
    return plan_batches(planned[1], batch_size)


def is_written(planned: PlannedShard, *, folder: str, mark: str) -> bool:
    """Whether the output shard of a planned one is whole."""
    return whole_shard(as_path(folder), planned[0], mark) is not None


def build_graph(
    pipeline: beam.Pipeline,
    shards: Sequence[PlannedShard],
    *,
    plan: BuildPlan,
    fence: Fence | None = None,
) -> None:
    """Wires all stages for some shards; `fence` is this run's leave to write them."""
    whole = partial(is_written, folder=plan.folder, mark=plan.configuration_hash)
    spans = pipeline | "Spread" >> Spread(
        shards,
        partial(cut_batches, batch_size=plan.options.batch_size),
        is_whole=whole if fence is not None else None,
        fence=fence,
    )
    outputs = [output for output, _ in shards]
    _ = _pair_spans(spans, plan) | "Write" >> Write(
        plan.folder, outputs, plan.source, plan.pool, plan.configuration_hash, fence
    )


def landed_graph(
    pipeline: beam.Pipeline, spans: Sequence[BatchSpan], *, plan: BuildPlan
) -> beam.PCollection:
    """Wires the stages for some batches, up to what they bring to their shards."""
    taken = pipeline | "Spans" >> beam.Create(spans) | "Spread" >> beam.Reshuffle()
    finished, considered = _pair_spans(taken, plan)
    pack, pack_queries = (
        beam.Map(function).with_input_types(Batch).with_output_types(PACKED_PARCEL)
        for function in (pack_finished, pack_considered)
    )
    packed = finished | "Pack finished" >> pack, considered | "Pack considered" >> pack_queries
    return packed | "Both" >> beam.Flatten()


def join_shard(
    planned: PlannedShard,
    landed: Sequence[Parcel],
    *,
    plan: BuildPlan,
    fence: Fence | None = None,
) -> None:
    """Writes a shard of what `landed_graph` gave for its batches."""
    write_parcels(
        planned[0],
        landed,
        folder=plan.folder,
        source=plan.source,
        pool=plan.pool,
        configuration_hash=plan.configuration_hash,
        fence=fence,
    )


def _pair_spans(
    spans: beam.PCollection, plan: BuildPlan
) -> tuple[beam.PCollection, beam.PCollection]:
    """All stages up to Segment: the finished batches, and those that went into Select."""
    options, preset = plan.options, plan.preset
    index = plan.open_index() if plan.service is None else None
    pictures = spans | "Read" >> Read(plan.source)
    if options.source_filters:
        pictures = pictures | "Filter" >> Filter(options.source_filters, SOURCES_STAGE)
    if options.captions == "source":
        captioned = pictures | "Caption" >> TakeSourceCaptions()
    else:
        captioned = pictures | "Caption" >> Caption(
            LoadCaptioner(preset.captioner), load_known=_known_captions(plan, index)
        )
    considered = (
        (captioned | "Mine" >> _mine(plan, index))
        if options.method == "mine" and index is not None
        else (captioned | "Rewrite" >> _rewrite(plan))
    )
    considered = (
        considered
        | "Embed"
        >> EmbedQueries(LoadEncoder(preset.encoder), known=index, open_picture=plan.source.open)
        | "Retrieve" >> _retrieve(plan, index)
    )
    finished = (
        considered
        | "Select" >> Select(options.thresholds, options.edits)
        | "Segment"
        >> Segment(
            choose_regions(options.regions, preset),
            open_picture=plan.pool.open,
            open_source=plan.source.open,
        )
    )
    return finished, considered


def _retrieve(plan: BuildPlan, index: PictureIndex | None) -> beam.PTransform:
    if index is not None:
        return Retrieve(index, plan.options.retrieve, plan.heads)
    assert plan.service is not None
    assert isinstance(plan.pool, LinkedPictures)
    return RetrieveFromService(
        plan.service, plan.pool, plan.options.retrieve, plan.options.thresholds
    )


def _rewrite(plan: BuildPlan) -> Rewrite:
    options = plan.options
    captions = LoadPoolCaptions(plan.index_folder, plan.index_identity)
    return Rewrite(
        options.rewrite,
        load_captions=captions if plan.service is None else None,
        load_encoder=LoadEncoder(plan.preset.encoder) if options.rewrite_asks_encoder else None,
        by_picture=options.senses == "picture",
        load_captioner=(
            LoadCaptioner(plan.preset.captioner) if options.rewrite_asks_captioner else None
        ),
    )


def _mine(plan: BuildPlan, index: PictureIndex) -> Mine:
    rewrite, retrieve = plan.options.rewrite, plan.options.retrieve
    options = MineOptions(seed=rewrite.seed, edits=rewrite.edits, cap=retrieve.cap)
    near = NearCaptions(without=rewrite.without)
    return Mine(index, near, options, TaggedPhrase())


def _known_captions(plan: BuildPlan, index: PictureIndex | None) -> LoadKnownCaptions | None:
    if index is None:
        return None
    # From the plan: to hash the weights again for every unit would read them all each time.
    same = index.description["captioner"] == plan.configuration["models"]["captioner"]
    return LoadKnownCaptions(plan.index_folder, plan.index_identity) if same else None
