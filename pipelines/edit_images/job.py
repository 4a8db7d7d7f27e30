"""Every edit that a data set of pairs asks for, on Beam: `pairloom edit-images`, without flags.

    row groups of the pairs -> Read -> Edit -> Write, shard by shard -> manifest

An edit's noise is drawn from the seed and the pair's key, so that the pictures do not depend on
workers, order or runner.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam

from editing.loading import EditorChoice, LoadedEditor
from indexes.fence import Fence
from indexes.folder_lock import lock_folder
from indexes.storage.paths import as_path
from pipelines.edit_images.batch import NAME, EditBatch
from pipelines.edit_images.shards import (
    REMARKS,
    EditTask,
    TaskGroup,
    read_tasks,
    receipt_path,
    write_edits,
)
from pipelines.running.execution import Execution
from pipelines.running.job_folder import JobFolder, require_same, require_whole
from pipelines.running.sharded_job import ShardedJob, run_job
from pipelines.running.spreading import Spread
from pipelines.terminal.console import CommandError, print_note
from transforms.batches.landing import PACKED_PARCEL, Land, Parcel
from transforms.batches.packing import to_bytes, unpack
from transforms.batches.stages import RunBatches
from transforms.dataset.files import hash_file, remove_file, write_bytes
from transforms.dataset.folder import COMPLETED
from transforms.dataset.manifest import MANIFEST, hash_configuration, load_manifest
from transforms.dataset.shards import OutputShard
from transforms.dataset.tables import find_shard_file
from transforms.pictures.limits import stored_limits
from transforms.record import Batch

RECORD = "edits.json"


@dataclass(frozen=True)
class LoadEditor:
    """Makes the editor in a worker process when called; equal where `identity` is.

    `identity` is a hash of all that tells the editor from another.
    """

    identity: str
    choice: EditorChoice = field(compare=False)

    def __call__(self) -> LoadedEditor:
        """The editor.

        Raises:
            ModelError: a model cannot be loaded.
        """
        return self.choice.load()


@dataclass(frozen=True, kw_only=True)
class EditPlan:
    """All that decides the pictures; `settings` are the editor's."""

    dataset: Path
    folder: Path
    choice: EditorChoice
    settings: Any
    seed: int = 0

    def description(self) -> dict[str, Any]:
        """What the pictures depend on, as plain data.

        Raises:
            PresetError, ModelError: a part of the editor is not there.
        """
        return {
            "dataset": {"manifest_sha256": hash_file(self.dataset / MANIFEST)},
            **self.choice.describe_edits(self.settings),
            "seed": self.seed,
        }


@dataclass(frozen=True)
class PairsShard:
    """One shard of pairs to edit: its row groups, and how many pairs there are."""

    shard: OutputShard
    groups: tuple[TaskGroup, ...]
    pairs: int

    @property
    def name(self) -> str:
        """The name of the shard of pairs."""
        return self.shard.name

    @property
    def sources(self) -> int:
        """How many edits there are to make of it."""
        return self.pairs


def list_groups(shard: PairsShard) -> tuple[TaskGroup, ...]:
    """The row groups of a shard, in order."""
    return shard.groups


def is_written(shard: PairsShard, *, folder: str) -> bool:
    """Whether all edits of a shard are there."""
    return receipt_path(as_path(folder), shard.shard).is_file()


def find_written(shard: PairsShard, *, folder: str) -> dict[str, Any] | None:
    """The receipt of a shard that is whole, else None."""
    path = receipt_path(as_path(folder), shard.shard)
    return dict(json.loads(path.read_bytes())) if path.is_file() else None


def pack_edits(batch: Batch[EditTask]) -> tuple[str, Parcel]:
    """`batch`, packed as a parcel of its shard."""
    settled = len(batch.records) + len(batch.rejects)
    return batch.shard, Parcel(NAME, batch.number, settled, to_bytes(batch))


def write_parcels(
    shard: PairsShard, parcels: Sequence[Parcel], *, folder: str, fence: Fence | None
) -> dict[str, Any]:
    """Writes what has come of one shard; its receipt.

    Raises:
        OutputError, FencedError: as `write_edits`.
    """
    batches = unpack(parcel.data for parcel in parcels)
    return write_edits(as_path(folder), shard.shard, batches, fence=fence)


@dataclass
class EditImages(beam.PTransform):
    """Batches of `EditTask` to the same with results; see `EditBatch`."""

    load: LoadEditor
    settings: Any
    seed: int

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Wire `EditBatch` behind RunInference."""
        apply = EditBatch(self.settings, self.seed)
        return batches | RunBatches(load=self.load, apply=apply, name=NAME)


def edit_graph(
    pipeline: beam.Pipeline,
    shards: Sequence[PairsShard],
    *,
    plan: EditPlan,
    load: LoadEditor,
    fence: Fence | None = None,
) -> None:
    """Wires the stages for some shards; `fence` is this run's leave to write them."""
    folder = str(plan.folder)
    whole = partial(is_written, folder=folder) if fence is not None else None
    _ = (
        pipeline
        | "Spread" >> Spread(shards, list_groups, is_whole=whole, fence=fence)
        | "Read" >> beam.Map(read_tasks).with_output_types(Batch)
        | "Edit" >> EditImages(load, plan.settings, plan.seed)
        | "Pack" >> beam.Map(pack_edits).with_input_types(Batch).with_output_types(PACKED_PARCEL)
        | "Write"
        >> Land(
            shards,
            (NAME,),
            partial(write_parcels, folder=folder, fence=fence),
            partial(find_written, folder=folder),
            fence,
        )
    )


def list_shards(
    dataset: Path, *, with_pseudo_target: bool, with_mask: bool = False
) -> list[PairsShard]:
    """The shards of a data set, in order; pseudo-targets are read where an editor needs them.

    Raises:
        DatasetError, OutputError: the manifest or a shard cannot be read.
    """
    shards = []
    manifest = load_manifest(dataset)
    limits = stored_limits(manifest.source, manifest.pool)
    for receipt in manifest.shards:
        file = find_shard_file(dataset, "pairs", receipt)
        groups = tuple(
            TaskGroup(
                receipt.name, str(group.path), group.number, with_pseudo_target, limits, with_mask
            )
            for group in file.row_groups()
        )
        shards.append(PairsShard(receipt.shard, groups, receipt.counts.pairs))
    return shards


def edit_job(plan: EditPlan, identity: str) -> ShardedJob[PairsShard]:
    """The shards of the edits, one a shard of pairs; `identity` tells them from other edits.

    Raises:
        DatasetError, OutputError: the data set cannot be read.
    """
    return ShardedJob(
        label="editing",
        shards=list_shards(
            plan.dataset,
            with_pseudo_target="pseudo_target_image" in plan.choice.spec.needs,
            with_mask="layout" in plan.choice.spec.needs,
        ),
        is_whole=partial(is_written, folder=str(plan.folder)),
        pictures=lambda each: each.pairs,
        graph=partial(edit_graph, plan=plan, load=LoadEditor(identity, plan.choice)),
        least_pictures=1,
        folder=str(plan.folder),
    )


def refuse_other_dataset(
    plan: EditPlan, description: Mapping[str, Any], *, made: Sequence[OutputShard]
) -> None:
    """Makes sure that the data set is the one that `made` were begun with; or drops these.

    Raises:
        CommandError: it is not.
    """
    try:
        require_same(plan.dataset, description)
    except CommandError:
        for shard in made:
            remove_file(receipt_path(plan.folder, shard))
        raise


def edit_images(plan: EditPlan, execution: Execution) -> dict[str, Any]:
    """Makes all edits, or those still missing, and says what came of them.

    Raises:
        CommandError: the data set is not whole, or the folder holds other edits.
        FolderLockedError: another process writes there.
        ModelError, OutputError: in one line each.
    """
    require_whole(plan.dataset)
    description = plan.description()
    identity = hash_configuration(description)
    with lock_folder(plan.folder, "pairloom edit-images", tell=print_note):
        folder = JobFolder(folder=plan.folder, name=RECORD, one="edits", this="these edits")
        folder.begin(description, identity)
        job = edit_job(plan, identity)
        waiting = [each.shard for each in job.shards if not job.is_whole(each)]
        progress = run_job(job, execution)
        refuse_other_dataset(plan, description, made=waiting)
        receipts = [
            json.loads(receipt_path(plan.folder, each.shard).read_bytes()) for each in job.shards
        ]
        write_bytes(plan.folder / COMPLETED, b"")
    reasons: Counter[str] = Counter()
    remarks: Counter[str] = Counter()
    for receipt in receipts:
        reasons.update(receipt["rejects"])
        remarks.update({name: len(keys) for name, keys in receipt.get(REMARKS, {}).items()})
    return {
        "folder": str(plan.folder),
        "edits": sum(receipt["edits"] for receipt in receipts),
        "rejects": dict(reasons),
        "remarks": dict(remarks),
        "shards": progress.shards,
        "shards_skipped": progress.skipped,
    }
