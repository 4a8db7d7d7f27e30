"""Building: pairs from a source and an index.

    Read -> Caption -> Rewrite -> Embed -> Retrieve -> Select -> Segment -> Write -> manifest

Every source shard becomes one output shard. On one machine a few shards make a pipeline, so that
memory is bounded, progress is shown, and a rerun goes on where the last one was interrupted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam

from indexes.fence import Fence
from indexes.folder import PictureIndex
from indexes.folder_lock import lock_folder
from indexes.storage.paths import as_path
from pipelines.build.index_words import LoadKnownCaptions, LoadWordCounts
from pipelines.build.inputs import begin_shards, make_room, refuse_other_inputs
from pipelines.build.plan import BuildPlan
from pipelines.build.regions import choose_regions
from pipelines.running.execution import PICTURES_A_JOIN, Execution
from pipelines.running.job_inputs import JobInputs
from pipelines.running.pieces import InPieces
from pipelines.running.sharded_job import ShardedJob, run_job, store_plans
from pipelines.running.spreading import Spread
from pipelines.terminal.console import print_note
from transforms.batches.landing import PACKED_PIECE, Piece
from transforms.caption import Caption, TakeSourceCaptions
from transforms.dataset.files import OutputError
from transforms.dataset.folder import (
    is_completed,
    prepare_output,
    write_manifest,
    write_run_summary,
)
from transforms.dataset.manifest import Manifest, load_manifest, software_versions
from transforms.dataset.shards import Counts, OutputShard, ShardReceipt, whole_shard
from transforms.embed import EmbedQueries
from transforms.mine import Mine
from transforms.models.loading import LoadCaptioner, LoadEncoder
from transforms.protocols import SourceShard
from transforms.read import BatchSpan, Read, plan_batches
from transforms.record import Batch
from transforms.retrieve import Retrieve
from transforms.rewrite import Rewrite
from transforms.segment import Segment
from transforms.select import Select
from transforms.sources.listing import list_source
from transforms.words.caption_pairs import MineOptions
from transforms.words.relations import LexiconRelations, TaggedPhrase
from transforms.write import Write, pack_considered, pack_finished, write_pieces

PlannedShard = tuple[OutputShard, SourceShard]
"""A shard of the data set, and the source shard it is made of."""


@dataclass(frozen=True, kw_only=True)
class BuildSummary:
    """What a build came to: the data set's counts, and what this run did and how long it took."""

    folder: str
    counts: Counts
    shards: int
    shards_skipped: int
    seconds: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain data, for `--json`."""
        return {
            "dataset": self.folder,
            "sources": self.counts.sources,
            "sources_with_pairs": self.counts.sources_with_pairs,
            "queries": self.counts.queries,
            "pairs": self.counts.pairs,
            "rejects": self.counts.rejects,
            "shards": self.shards,
            "shards_skipped": self.shards_skipped,
            "seconds": self.seconds,
        }


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
        beam.Map(function).with_input_types(Batch).with_output_types(PACKED_PIECE)
        for function in (pack_finished, pack_considered)
    )
    packed = finished | "Pack finished" >> pack, considered | "Pack considered" >> pack_queries
    return packed | "Both" >> beam.Flatten()


def join_shard(
    planned: PlannedShard,
    landed: Sequence[Piece],
    *,
    plan: BuildPlan,
    fence: Fence | None = None,
) -> None:
    """Writes a shard of what `landed_graph` gave for its batches."""
    write_pieces(
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
    index = plan.open_index()
    pictures = spans | "Read" >> Read(plan.source)
    if options.captions == "source":
        captioned = pictures | "Caption" >> TakeSourceCaptions()
    else:
        captioned = pictures | "Caption" >> Caption(
            LoadCaptioner(preset.captioner), load_known=_known_captions(plan, index)
        )
    considered = (
        (captioned | "Mine" >> _mine(plan, index))
        if options.method == "mine"
        else (captioned | "Rewrite" >> _rewrite(plan))
    )
    considered = (
        considered
        | "Embed"
        >> EmbedQueries(LoadEncoder(preset.encoder), known=index, open_picture=plan.source.open)
        | "Retrieve" >> Retrieve(index, options.retrieve)
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


def _rewrite(plan: BuildPlan) -> Rewrite:
    by_picture = plan.options.senses == "picture"
    return Rewrite(
        plan.options.rewrite,
        load_word_counts=LoadWordCounts(plan.index_folder, plan.index_identity),
        load_encoder=LoadEncoder(plan.preset.encoder) if by_picture else None,
    )


def _mine(plan: BuildPlan, index: PictureIndex) -> Mine:
    rewrite, retrieve = plan.options.rewrite, plan.options.retrieve
    options = MineOptions(seed=rewrite.seed, edits=rewrite.edits, cap=retrieve.cap)
    return Mine(index, LexiconRelations(), options, TaggedPhrase())


def _known_captions(plan: BuildPlan, index: PictureIndex) -> LoadKnownCaptions | None:
    # From the plan: to hash the weights again for every unit would read them all each time.
    same = index.description["captioner"] == plan.configuration["models"]["captioner"]
    return LoadKnownCaptions(plan.index_folder, plan.index_identity) if same else None


def output_shards(shards: Sequence[SourceShard]) -> list[OutputShard]:
    """The output shard of each of all `shards` of a source."""
    return [
        OutputShard(number, len(shards), shard.name, shard.stop - shard.start)
        for number, shard in enumerate(shards)
    ]


def build_job(plan: BuildPlan) -> ShardedJob[PlannedShard]:
    """The shards of the data set, one a source shard, and how they are made.

    Raises:
        SourceError: the source cannot be read.
    """
    shards, mines = plan.source.shards(), plan.options.method == "mine"
    return ShardedJob(
        label="building pairs",
        shards=list(zip(output_shards(shards), shards, strict=True)),
        is_whole=partial(is_written, folder=plan.folder, mark=plan.configuration_hash),
        pictures=lambda each: each[1].stop - each[1].start,
        graph=partial(build_graph, plan=plan),
        least_pictures=PICTURES_A_JOIN if mines else None,
        folder=plan.folder,
        # What is mined is joined with the whole pool, and each piece would do that anew.
        in_pieces=None
        if mines
        else InPieces(
            cut=partial(cut_batches, batch_size=plan.options.batch_size),
            graph=partial(landed_graph, plan=plan),
            join=partial(join_shard, plan=plan),
        ),
    )


def run_build(plan: BuildPlan, execution: Execution, *, overwrite: bool = False) -> BuildSummary:
    """Makes the data set, or what is still missing of it, and finishes it.

    Raises:
        SourceError, IndexFolderError, ModelError, OutputError, CommandError: in one line each.
        FolderLockedError: another process writes there.
    """
    folder, mark = as_path(plan.folder), plan.configuration_hash
    with lock_folder(folder, "pairloom build", tell=print_note):
        inputs = JobInputs(source=list_source(plan.source), index=plan.index_identity)
        job = build_job(plan)
        prepare_output(folder, mark, overwrite=overwrite)
        make_room(folder, inputs, overwrite=overwrite)
        waiting = [shard for shard in job.shards if not job.is_whole(shard)]
        if waiting or not is_completed(folder):
            begin_shards(plan, inputs)
        store_plans(execution, folder, plan.source)
        progress = run_job(job, execution)
        seconds = progress.seconds.seconds
        receipts = _all_receipts(folder, [output for output, _ in job.shards], mark)
        manifest = _manifest(plan, receipts)
        if progress.made or not _is_finished(folder, manifest):
            refuse_other_inputs(plan, inputs, made=[output for output, _ in waiting])
            write_manifest(folder, manifest)
            summary = {"seconds": seconds, "workers": execution.workers}
            counts = {"shards_built": progress.made, "shards": progress.shards}
            write_run_summary(folder, summary | counts)
    return BuildSummary(
        folder=plan.folder,
        counts=manifest.counts,
        shards=progress.shards,
        shards_skipped=progress.skipped,
        seconds=seconds,
    )


def _is_finished(folder: Path, manifest: Manifest) -> bool:
    return is_completed(folder) and load_manifest(folder).as_dict() == manifest.as_dict()


def _all_receipts(
    folder: Path, outputs: Sequence[OutputShard], mark: str
) -> tuple[ShardReceipt, ...]:
    receipts = [whole_shard(folder, shard, mark) for shard in outputs]
    for shard, receipt in zip(outputs, receipts, strict=True):
        if receipt is None:
            raise OutputError(f"{folder} lacks shard {shard.number}: run the command again")
    return tuple(receipt for receipt in receipts if receipt is not None)


def _manifest(plan: BuildPlan, receipts: tuple[ShardReceipt, ...]) -> Manifest:
    return Manifest(
        configuration=plan.configuration,
        source=plan.source.describe(),
        pool=plan.pool.describe(),
        seed=plan.options.seed,
        models=plan.preset.identities(),
        software=software_versions(),
        shards=receipts,
    )
