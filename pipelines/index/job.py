"""Indexing: every picture of a source captioned, embedded and put into an index folder.

Read -> Caption -> Embed -> one part a source shard; then FAISS over all parts, filled by workers
elsewhere where there are any.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from indexes.errors import PairloomError
from indexes.folder_lock import lock_folder
from indexes.index_choice import DEFAULT_MEMORY_GIB
from indexes.layout import fingerprint
from indexes.life_cycle import (
    INDEX_MEMORY,
    FolderState,
    begin_index,
    finish_index,
    has_parts,
    read_manifest,
    renew_index,
    reopen_index,
)
from indexes.spread_filling import remove_fillings
from indexes.storage.paths import as_path
from pipelines.index.filling import fill_elsewhere
from pipelines.index.graph import cut_batches, index_graph, is_written, join_part, landed_graph
from pipelines.index.plan import IndexPlan, PlannedPart
from pipelines.index.stored import open_checked
from pipelines.running.execution import Execution
from pipelines.running.job_inputs import JobInputs, read_inputs, refuse_changed
from pipelines.running.pieces import InPieces
from pipelines.running.sharded_job import ShardedJob, run_job, store_plans
from pipelines.terminal.console import CommandError, print_note
from transforms.sources.listing import list_source
from transforms.write_index import (
    IndexShard,
)


@dataclass(frozen=True, kw_only=True)
class IndexSummary:
    """What a run did: pictures read and indexed, rejects by `stage: reason`, seconds by stage."""

    folder: str
    sources: int
    indexed: int
    rejects: dict[str, int]
    parts: int
    parts_skipped: int
    seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain data, for `--json`."""
        return {
            "index": self.folder,
            "sources": self.sources,
            "indexed": self.indexed,
            "rejects": self.rejects,
            "parts": self.parts,
            "parts_skipped": self.parts_skipped,
            "seconds": self.seconds,
        }


def index_job(plan: IndexPlan, mark: str) -> ShardedJob[PlannedPart]:
    """The parts of the index, one a source shard; `mark` is the description's fingerprint.

    Raises:
        SourceError: the source cannot be read.
    """
    shards = plan.source.shards()
    total = len(shards)
    return ShardedJob(
        label="indexing",
        shards=[
            (IndexShard(n, total, shard.name, shard.stop - shard.start), shard)
            for n, shard in enumerate(shards)
        ],
        is_whole=partial(is_written, folder=plan.folder, mark=mark),
        pictures=lambda each: each[1].stop - each[1].start,
        graph=partial(index_graph, plan=plan, mark=mark),
        folder=plan.folder,
        in_pieces=InPieces(
            cut=partial(cut_batches, batch_size=plan.batch_size),
            graph=partial(landed_graph, plan=plan),
            join=partial(join_part, plan=plan, mark=mark),
        ),
    )


def run_index(plan: IndexPlan, execution: Execution, *, overwrite: bool = False) -> IndexSummary:
    """Makes the index, or what is still missing of it.

    With `overwrite` an index of another description, or of the source as it was before, makes room.

    Raises:
        SourceError, IndexFolderError, ModelError, OutputError, CommandError: in one line each.
        FolderLockedError: another process writes there.
    """
    folder = as_path(plan.folder)
    with lock_folder(folder, "pairloom index", tell=print_note):
        inputs = JobInputs(source=list_source(plan.source))
        job = index_job(plan, fingerprint(plan.description()))
        state = begin_index(folder, plan.description(), overwrite=overwrite)
        state = make_room(plan, inputs, state, overwrite=overwrite)
        waiting = [shard for shard in job.shards if not job.is_whole(shard)]
        if waiting and plan.embeddings is not None:
            open_checked(plan.embeddings, plan.source, plan.preset)
        if state == "finished" and was_for_memory(folder) != plan.index_memory_gib:
            state = "unfinished"
        if waiting or state != "finished":
            reopen_index(folder)
            if read_inputs(folder) == JobInputs():
                inputs.write(folder)
        store_plans(execution, folder, plan.source)
        progress = run_job(job, execution)
        if progress.made or state != "finished":
            refuse_other_source(plan, inputs, made=waiting)
            filling = fill_elsewhere(plan, execution, parts=progress.shards)
            manifest = finish_index(
                folder,
                parts=progress.shards,
                memory_gib=plan.index_memory_gib,
                seed=plan.seed,
                source_fingerprint=inputs.source.fingerprint if inputs.source else None,
                filling=filling,
            )
            remove_fillings(folder)
        else:
            manifest = read_manifest(folder)
    counts = read_counts(manifest)
    sources, indexed = counts.pop("sources", 0), counts.pop("indexed", 0)
    return IndexSummary(
        folder=plan.folder,
        sources=sources,
        indexed=indexed,
        rejects=counts,
        parts=progress.shards,
        parts_skipped=progress.skipped,
        seconds=progress.seconds.seconds,
    )


def was_for_memory(folder: Path) -> object:
    """The memory in GiB that the finished index in `folder` was chosen for."""
    return read_manifest(folder).get(INDEX_MEMORY, DEFAULT_MEMORY_GIB)


def make_room(
    plan: IndexPlan, now: JobInputs, state: FolderState, *, overwrite: bool
) -> FolderState:
    """Forgets what the folder was begun with, where that is not what it is made of `now`.

    Gives the state of the folder then.

    Raises:
        CommandError: something is made of it, and is not to be overwritten.
    """
    folder = as_path(plan.folder)
    changed = read_inputs(folder).difference(now)
    if changed is None:
        return state
    if has_parts(folder) and not overwrite:
        raise CommandError(
            f"{folder} holds an index of the source as it was, and {changed}: choose another "
            "folder, or make it anew with --overwrite"
        )
    renew_index(folder, plan.description())
    return "new"


def refuse_other_source(plan: IndexPlan, inputs: JobInputs, *, made: Sequence[PlannedPart]) -> None:
    """Makes sure that the source is the one that the parts `made` were begun with; or drops them.

    Raises:
        CommandError: it is not.
    """
    try:
        refuse_changed(plan.source, inputs.source, done="it was being indexed")
    except PairloomError:
        for shard, _ in made:
            shard.part.metadata_path(as_path(plan.folder)).unlink(missing_ok=True)
        raise


def read_counts(manifest: Mapping[str, object]) -> dict[str, int]:
    """What became of all pictures, by name, as the index folder keeps it."""
    counts = manifest["counts"]
    assert isinstance(counts, dict)
    return dict(sorted(counts.items()))
