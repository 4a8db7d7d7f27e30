"""Building: pairs from a source and an index.

    Read -> Caption -> Rewrite -> Embed -> Retrieve -> Select -> Segment -> Write -> manifest

Every source shard becomes one output shard. On one machine a few shards make a pipeline, so that
memory is bounded, progress is shown, and a rerun goes on where the last one was interrupted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam

from indexes.folder import PictureIndex, open_index
from indexes.folder_lock import lock_folder
from pipelines.build.inputs import begin_shards, make_room, refuse_other_inputs
from pipelines.build.plan import BuildPlan
from pipelines.build.regions import choose_regions
from pipelines.running.execution import PICTURES_A_JOIN, Execution
from pipelines.running.job_inputs import JobInputs
from pipelines.running.sharded_job import ShardedJob, run_job
from pipelines.terminal.console import print_note
from transforms.caption import Caption, KnownCaptions, TakeSourceCaptions
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
from transforms.fetching.linked_pictures import LinkedPictures
from transforms.mine import Mine
from transforms.models.loading import LoadCaptioner, LoadEncoder
from transforms.protocols import SourceShard
from transforms.read import Read, plan_batches
from transforms.retrieve import Retrieve
from transforms.retrieve_service import RetrieveFromService
from transforms.rewrite import Rewrite
from transforms.segment import Segment
from transforms.select import Select
from transforms.sources.listing import list_source
from transforms.words.caption_pairs import MineOptions
from transforms.words.relations import LexiconRelations, TaggedPhrase
from transforms.write import Write

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


@dataclass(frozen=True)
class LoadKnownCaptions:
    """The captions that an index made by the same captioner already has, when called."""

    index_folder: str
    identity: str | None = None

    def __call__(self) -> KnownCaptions:
        """Caption and confidence by key and content."""
        return partial(find_caption, open_index(self.index_folder, identity=self.identity))


@dataclass(frozen=True)
class LoadWordCounts:
    """How often each word occurs in the captions of an index, when called."""

    index_folder: str
    identity: str | None = None

    def __call__(self) -> Mapping[str, int]:
        """Document frequency by lower-cased word."""
        return open_index(self.index_folder, identity=self.identity).word_counts


def find_caption(
    index: PictureIndex, key: str, content_sha256: str
) -> tuple[str, float | None] | None:
    """What the index has as the caption of the picture `key`, if it is this very picture."""
    row = index.find(key)
    if row is None or index.content(row) != content_sha256:
        return None
    entry = index.row(row)
    return entry.caption, entry.caption_confidence


def build_graph(
    pipeline: beam.Pipeline, shards: Sequence[PlannedShard], *, plan: BuildPlan
) -> None:
    """Wires all stages for some shards."""
    options, preset = plan.options, plan.preset
    index = plan.open_index() if plan.service is None else None
    spans = [span for _, shard in shards for span in plan_batches(shard, options.batch_size)]
    pictures = (
        pipeline
        | "Spans" >> beam.Create(spans)
        | "Spread" >> beam.Reshuffle()
        | "Read" >> Read(plan.source)
    )
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
    outputs = [output for output, _ in shards]
    _ = (finished, considered) | "Write" >> Write(
        plan.folder, outputs, plan.source, plan.pool, plan.configuration_hash
    )


def _retrieve(plan: BuildPlan, index: PictureIndex | None) -> beam.PTransform:
    if index is not None:
        return Retrieve(index, plan.options.retrieve)
    assert plan.service is not None
    assert isinstance(plan.pool, LinkedPictures)
    return RetrieveFromService(
        plan.service, plan.pool, plan.options.retrieve, plan.options.thresholds
    )


def _rewrite(plan: BuildPlan) -> Rewrite:
    by_picture = plan.options.senses == "picture"
    counts = LoadWordCounts(plan.index_folder, plan.index_identity)
    return Rewrite(
        plan.options.rewrite,
        load_word_counts=counts if plan.service is None else None,
        load_encoder=LoadEncoder(plan.preset.encoder) if by_picture else None,
    )


def _mine(plan: BuildPlan, index: PictureIndex) -> Mine:
    rewrite, retrieve = plan.options.rewrite, plan.options.retrieve
    options = MineOptions(seed=rewrite.seed, edits=rewrite.edits, cap=retrieve.cap)
    return Mine(index, LexiconRelations(), options, TaggedPhrase())


def _known_captions(plan: BuildPlan, index: PictureIndex | None) -> LoadKnownCaptions | None:
    if index is None:
        return None
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
    folder, mark = Path(plan.folder), plan.configuration_hash
    shards = plan.source.shards()
    return ShardedJob(
        label="building pairs",
        shards=list(zip(output_shards(shards), shards, strict=True)),
        is_whole=lambda each: whole_shard(folder, each[0], mark) is not None,
        pictures=lambda each: each[1].stop - each[1].start,
        graph=partial(build_graph, plan=plan),
        least_pictures=PICTURES_A_JOIN if plan.options.method == "mine" else None,
    )


def run_build(plan: BuildPlan, execution: Execution, *, overwrite: bool = False) -> BuildSummary:
    """Makes the data set, or what is still missing of it, and finishes it.

    Raises:
        SourceError, IndexFolderError, ModelError, OutputError, CommandError: in one line each.
        FolderLockedError: another process writes there.
    """
    folder, mark = Path(plan.folder), plan.configuration_hash
    with lock_folder(folder, "pairloom build", tell=print_note):
        inputs = JobInputs(source=list_source(plan.source), index=plan.index_identity)
        job = build_job(plan)
        prepare_output(folder, mark, overwrite=overwrite)
        make_room(folder, inputs, overwrite=overwrite)
        waiting = [shard for shard in job.shards if not job.is_whole(shard)]
        if waiting or not is_completed(folder):
            begin_shards(plan, inputs)
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
