"""The build as a plain `for` loop, without Beam: what the graph must equal, and is timed against.

The same pure functions in the same order over the same batches as `pipelines.build.job`; nothing
is resumed, spread over processes or finished with a manifest.
"""

from dataclasses import dataclass

import pyarrow as pa

from indexes.folder import PictureIndex
from indexes.storage.paths import as_path
from pipelines.build.index_words import LoadKnownCaptions, sample_captions
from pipelines.build.job import output_shards
from pipelines.build.plan import BuildPlan
from pipelines.build.regions import Masker, choose_regions
from transforms.batches.inference import spare_the_collector, use_one_thread
from transforms.caption import (
    KnownCaptions,
    LazyCaptioner,
    caption_batch,
    take_source_captions,
)
from transforms.dataset.folder import prepare_output
from transforms.dataset.shard_contents import tabulate
from transforms.dataset.shards import OutputShard, ShardReceipt
from transforms.embed import embed_queries_batch
from transforms.fetching.linked_pictures import LinkedPictures
from transforms.filter import SOURCES_STAGE, filter_batch
from transforms.models.adaptation_heads import AdaptationHeads, load_heads
from transforms.models.files import identity
from transforms.models.loading import LoadCaptioner, load_captioner, load_encoder
from transforms.protocols import Captioner, Encoder, SourceShard
from transforms.read import read_batches
from transforms.record import Batch, EditExample, EditQuery, SourceImage
from transforms.retrieve import retrieve_batch
from transforms.retrieve_service import retrieve_from_service_batch
from transforms.rewrite import Rewriting, apply_rewriting
from transforms.segment import segment_batch
from transforms.select import select_batch
from transforms.words.proposals import load_rewriter
from transforms.write import light_finished, write_shard


@dataclass(frozen=True, kw_only=True)
class LoadedBuild:
    """A plan with everything loaded that its stages need. `known` are captions made before.

    `index` is None where the plan asks a service.
    """

    plan: BuildPlan
    index: PictureIndex | None
    captioner: Captioner
    known: KnownCaptions | None
    rewriting: Rewriting
    encoder: Encoder
    segmenter: Masker
    heads: AdaptationHeads | None = None


def load_build(plan: BuildPlan) -> LoadedBuild:
    """Loads the networks, the index and the lexicon of `plan`; torch is held to one thread.

    Raises:
        IndexFolderError, ModelError, LexiconError: one of them cannot be loaded.
        ValueError: the plan mines, which is a join over all sources and no loop.
    """
    if plan.options.method != "search":
        raise ValueError(f"method must be search for a plain loop, got {plan.options.method!r}")
    use_one_thread()
    index = plan.open_index() if plan.service is None else None
    encoder = load_encoder(plan.preset.encoder)
    captions = sample_captions(index) if index is not None else None
    judging = plan.options.rewrite_asks_captioner
    rewriter = load_rewriter(
        plan.options.rewrite,
        captions,
        encoder=encoder,
        captioner=load_captioner(plan.preset.captioner) if judging else None,
    )
    build = LoadedBuild(
        plan=plan,
        index=index,
        captioner=LazyCaptioner(LoadCaptioner(plan.preset.captioner)),
        known=_known_captions(plan, index),
        rewriting=Rewriting(rewriter, encoder if plan.options.senses == "picture" else None),
        encoder=encoder,
        segmenter=choose_regions(plan.options.regions, plan.preset)(),
        heads=load_heads(plan.heads) if plan.heads is not None else None,
    )
    spare_the_collector()
    return build


def _known_captions(plan: BuildPlan, index: PictureIndex | None) -> KnownCaptions | None:
    """The captions of the index, where the plan's captioner made them."""
    if index is None or index.description["captioner"] != identity(plan.preset.captioner):
        return None
    return LoadKnownCaptions(plan.index_folder)()


def plain_build(plan: BuildPlan) -> tuple[ShardReceipt, ...]:
    """Writes every shard of `plan`, whatever is there already, and gives their receipts.

    Raises:
        SourceError, IndexFolderError, KnnServiceError, ModelError, OutputError: as `run_build`.
    """
    prepare_output(as_path(plan.folder), plan.configuration_hash)
    build = load_build(plan)
    shards = plan.source.shards()
    return tuple(
        build_shard(build, output, shard)
        for output, shard in zip(output_shards(shards), shards, strict=True)
    )


def build_shard(build: LoadedBuild, output: OutputShard, shard: SourceShard) -> ShardReceipt:
    """Makes and writes the pairs of one source shard."""
    plan = build.plan
    finished: list[Batch[EditExample]] = []
    considered: list[pa.Table] = []
    for pictures in read_batches(plan.source, shard, plan.options.batch_size):
        queries = find_candidates(build, pictures)
        considered.append(tabulate(queries.records))
        finished.append(light_finished(choose_pairs(build, queries)))
    return write_shard(
        as_path(plan.folder),
        output,
        finished,
        considered=considered,
        open_source=plan.source.open,
        open_target=plan.pool.open,
        configuration_hash=plan.configuration_hash,
    )


def find_candidates(build: LoadedBuild, pictures: Batch[SourceImage]) -> Batch[EditQuery]:
    """Filter, Caption, Rewrite, Embed and Retrieve."""
    options = build.plan.options
    if options.source_filters:
        pictures = filter_batch(pictures, options.source_filters, stage=SOURCES_STAGE)
    if options.captions == "source":
        captioned = take_source_captions(pictures)
    else:
        captioned = caption_batch(pictures, build.captioner, known=build.known)
    queries = apply_rewriting(captioned, build.rewriting)
    embedded = embed_queries_batch(
        queries, build.encoder, known=build.index, open_picture=build.plan.source.open
    )
    if build.index is not None:
        return retrieve_batch(embedded, build.index, options.retrieve, heads=build.heads)
    assert build.plan.service is not None
    assert isinstance(build.plan.pool, LinkedPictures)
    return retrieve_from_service_batch(
        embedded, build.plan.service, build.plan.pool, options.retrieve, options.thresholds
    )


def choose_pairs(build: LoadedBuild, queries: Batch[EditQuery]) -> Batch[EditExample]:
    """Select and Segment."""
    plan = build.plan
    chosen = select_batch(queries, plan.options.thresholds, edits=plan.options.edits)
    return segment_batch(chosen, build.segmenter, plan.pool.open, open_source=plan.source.open)
