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

from indexes.folder_lock import lock_folder
from indexes.storage.paths import as_path
from pipelines.build.graph import (
    PlannedShard,
    build_graph,
    cut_batches,
    is_written,
    join_shard,
    landed_graph,
)
from pipelines.build.inputs import begin_shards, make_room, refuse_other_inputs
from pipelines.build.plan import BuildPlan
from pipelines.running.execution import PICTURES_A_JOIN, Execution
from pipelines.running.job_inputs import JobInputs
from pipelines.running.pieces import InPieces
from pipelines.running.sharded_job import ShardedJob, run_job, store_plans
from pipelines.terminal.console import print_note
from transforms.dataset.files import OutputError
from transforms.dataset.folder import (
    is_completed,
    prepare_output,
    write_manifest,
    write_run_summary,
)
from transforms.dataset.manifest import Manifest, load_manifest, software_versions
from transforms.dataset.shards import Counts, OutputShard, ShardReceipt, whole_shard
from transforms.protocols import SourceShard
from transforms.sources.listing import list_source


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
        models=plan.models,
        software=software_versions(),
        shards=receipts,
    )
