"""Cleaning a data set of pairs into another: measured, grouped, decided, written, finished.

    pairs -> Measure -> near-copies -> decisions -> Write, shard by shard -> manifest

What is measured and joined lies in a hidden folder of the output until it is finished, so that a
run that was interrupted goes on where it was.
"""

import io
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from indexes.folder_lock import lock_folder
from pipelines.cleaning.deciding import decide
from pipelines.cleaning.facts import decision_rows, light_rows, pair_facts
from pipelines.cleaning.grouping import Pictures, gather_pictures
from pipelines.cleaning.measuring import (
    MeasurePlan,
    count_unread,
    measure_pictures,
    pair_groups,
    source_spans,
)
from pipelines.cleaning.plan import CleanPlan
from pipelines.cleaning.writing import (
    DECISION,
    WritePlan,
    clean_shards,
    is_written,
    write_graph,
)
from pipelines.running.execution import Execution
from pipelines.running.job_folder import require_same
from pipelines.running.sharded_job import ShardedJob, run_job
from pipelines.terminal.console import EXIT_USAGE, CommandError, print_note
from transforms.dataset.clean_schema import SIDES, is_clean, split_names
from transforms.dataset.files import make_folder, write_bytes
from transforms.dataset.folder import is_completed, prepare_output, write_manifest
from transforms.dataset.manifest import (
    Manifest,
    hash_configuration,
    load_manifest,
    software_versions,
)
from transforms.dataset.rows import Row
from transforms.dataset.shards import whole_shard

WORK_FOLDER = ".cleaning"


def run_clean(plan: CleanPlan, execution: Execution, *, overwrite: bool = False) -> Manifest:
    """Writes the cleaned data set, or what is missing of it, and returns its manifest.

    Raises:
        CommandError: the parent has splits and shall have others, or was made anew meanwhile.
        DatasetError, OutputError, ModelError, SourceError, IndexFolderError: in one line each.
        FolderLockedError: another process writes there.
    """
    if plan.options.splits and split_names(plan.parent.configuration):
        raise CommandError(
            f"{plan.folder} has splits: give the data set that it was made of others",
            exit_code=EXIT_USAGE,
        )
    with lock_folder(plan.out, "pairloom clean", tell=print_note):
        digest = hash_configuration(plan.configuration)
        prepare_output(plan.out, digest, overwrite=overwrite)
        if is_completed(plan.out) and all(
            whole_shard(plan.out, each.shard, digest) for each in load_manifest(plan.out).shards
        ):
            return load_manifest(plan.out)
        return _clean(plan, execution, digest)


def _clean(plan: CleanPlan, execution: Execution, digest: str) -> Manifest:
    work = plan.out / WORK_FOLDER / digest[:16]
    make_folder(work)
    pictures = _look(plan, execution, work) if plan.needs_pictures else Pictures()
    decisions = decide(pair_facts(plan, pictures), pictures, plan.options)
    writing = WritePlan(
        parent=str(plan.folder),
        out=str(plan.out),
        work=str(work),
        mark=digest,
        parent_is_clean=is_clean(plan.parent.configuration),
        splits=plan.options.splits,
        seed=plan.options.seed,
    )
    for shard in plan.parent.shards:
        rows = decision_rows(plan, shard.number, pictures, decisions)
        _write_decisions(writing.decisions_path(shard.number), rows)
    shards = clean_shards(plan.parent, tuple(plan.options.splits))
    job = ShardedJob(
        label="cleaning",
        shards=shards,
        is_whole=partial(is_written, plan=writing),
        pictures=lambda each: each.parent.counts.pairs,
        graph=partial(write_graph, plan=writing),
    )
    run_job(job, execution)
    receipts = [whole_shard(plan.out, each.shard, digest) for each in shards]
    manifest = Manifest(
        configuration=plan.configuration,
        source=plan.parent.source,
        pool=plan.parent.pool,
        seed=plan.parent.seed,
        models=plan.parent.models,
        software=software_versions(),
        shards=tuple(receipt for receipt in receipts if receipt is not None),
        parent=plan.lineage,
    )
    require_same(plan.folder, {"dataset": plan.lineage})
    write_manifest(plan.out, manifest)
    shutil.rmtree(plan.out / WORK_FOLDER, ignore_errors=True)
    return manifest


def _look(plan: CleanPlan, execution: Execution, work: Path) -> Pictures:
    """Measures and groups all pictures of the pairs, and those that are against them."""
    if plan.preset is None:
        raise CommandError("a preset is needed to look at pictures", exit_code=EXIT_USAGE)
    measure = MeasurePlan(
        folder=str(work / "measured"),
        encoder=plan.preset.encoder,
        aesthetic=None if plan.aesthetic is None else str(plan.aesthetic),
        source=plan.against,
    )
    files = measure_pictures(measure, pair_groups(plan.folder, plan.parent), execution)
    against: Sequence[Path] = ()
    if plan.against is not None:
        against = measure_pictures(measure, source_spans(plan.against), execution)
        unread = count_unread(against)
        if unread:
            print_note(f"{unread} test pictures could not be read: near-copies of them may be left")
    return gather_pictures(
        files,
        against,
        folder=work,
        rule=plan.options.rule,
        known=_known_groups(plan),
        execution=execution,
    )


def _known_groups(plan: CleanPlan) -> dict[str, str]:
    """The groups of the index by the content of a picture of the pairs."""
    known: dict[str, str] = {}
    if plan.known_groups is None:
        return known
    for rows in light_rows(plan):
        for row in rows:
            for side in SIDES:
                sha256 = row[f"{side}_sha256"]
                found = plan.known_groups.find(row[f"{side}_key"], sha256)
                if found is not None:
                    known[sha256] = found
    return known


def _write_decisions(path: Path, rows: Iterator[Row]) -> None:
    data = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), DECISION), data)
    write_bytes(path, data.getvalue())
