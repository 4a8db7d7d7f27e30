"""Every edit that a data set of pairs asks for, on Beam: `pairloom edit-images`, without flags.

    row groups of the pairs -> Read -> Edit -> meet by shard -> Write -> manifest

An edit's noise is drawn from the seed and the pair's key, so that the pictures do not depend on
workers, order or runner.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq

from editing.diffusion.model import load_diffusion
from editing.diffusion.sampling import Sampling
from editing.editors.sdedit.editor import Editor
from editing.errors import EditingError
from editing.evaluation.measurer import key_generator
from editing.regions.segmented import MaskUse
from editing.requests import Request
from pipelines.edit_images.shards import EditTask, RowGroup, read_tasks, receipt_path, write_edits
from pipelines.running.execution import Execution, run_on_this_machine
from pipelines.running.job_folder import JobFolder, require_whole
from pipelines.running.runners import StageSeconds, run_elsewhere, run_here
from transforms.batches.inference import BatchHandler, RunBatches, bisect_failures
from transforms.batches.packing import Packed, pack, unpack
from transforms.dataset.files import hash_file, write_bytes
from transforms.dataset.folder import COMPLETED
from transforms.dataset.manifest import MANIFEST, hash_configuration, load_manifest
from transforms.dataset.shards import OutputShard, shard_file
from transforms.models.loading import load_segmenter
from transforms.models.spec import ModelSpec, identity
from transforms.pictures.decoding import PictureError, decode, encode_png
from transforms.record import Batch, Reject

NAME = "Edit"
STAGE = NAME.lower()
RECORD = "edits.json"


@dataclass(frozen=True)
class LoadEditor:
    """Makes the editor in a worker process when called."""

    method: str
    diffusion: ModelSpec | None
    segmenter: ModelSpec | None
    masks: MaskUse = field(default_factory=MaskUse)

    def __call__(self) -> Editor:
        """The editor.

        Raises:
            ModelError: a model cannot be loaded.
        """
        return Editor(
            load_diffusion(self.diffusion) if self.diffusion else None,
            method=self.method,
            segmenter=load_segmenter(self.segmenter) if self.segmenter else None,
            masks=self.masks,
        )


@dataclass(frozen=True, kw_only=True)
class EditPlan:
    """All that decides the pictures."""

    dataset: Path
    folder: Path
    load: LoadEditor
    sampling: Sampling
    seed: int = 0

    def description(self) -> dict[str, Any]:
        """What the pictures depend on, as plain data."""
        specs = {"diffusion": self.load.diffusion, "segmenter": self.load.segmenter}
        return {
            "dataset": {"manifest_sha256": hash_file(self.dataset / MANIFEST)},
            "method": self.load.method,
            "models": {name: identity(spec) for name, spec in specs.items() if spec},
            "sampling": dataclasses.asdict(self.sampling),
            "masks": dataclasses.asdict(self.load.masks),
            "seed": self.seed,
        }


@dataclass(frozen=True)
class EditUnit:
    """One shard of pairs to edit in one pipeline."""

    shard: OutputShard
    groups: tuple[RowGroup, ...]
    pairs: int

    @property
    def pictures(self) -> int:
        """How many edits it has."""
        return self.pairs


@dataclass(frozen=True)
class EditBatch:
    """Edits a batch: what Beam applies behind RunInference."""

    sampling: Sampling
    seed: int
    at_once: int = 16

    def __call__(self, batch: Batch[EditTask], editor: Editor) -> Batch[EditTask]:
        """`batch` with results for sources; what cannot be edited becomes a reject."""
        work = partial(self._edit, editor=editor, shard=batch.shard)
        records, rejects = bisect_failures(
            batch.records,
            work,
            partial(reject_task, shard=batch.shard),
            at_once=self.at_once,
        )
        return dataclasses.replace(
            batch, records=tuple(records), rejects=(*batch.rejects, *rejects)
        )

    def _edit(
        self, tasks: Sequence[EditTask], *, editor: Editor, shard: str
    ) -> list[EditTask | Reject]:
        made: dict[int, Request | Reject] = {}
        for place, task in enumerate(tasks):
            try:
                made[place] = Request(
                    image=decode(task.image),
                    prompt=task.edit_prompt,
                    mask_phrase=task.source_phrase,
                )
            except (PictureError, EditingError) as error:
                reason = error.reason if isinstance(error, PictureError) else "bad_request"
                made[place] = reject_task(task, reason, str(error), shard=shard)
        places = [place for place, one in made.items() if isinstance(one, Request)]
        requests = [one for one in made.values() if isinstance(one, Request)]
        generators = [key_generator(tasks[place].key, self.seed) for place in places]
        outputs = editor.edit(requests, self.sampling, generator=generators) if requests else []
        results: dict[int, EditTask | Reject] = {
            place: one for place, one in made.items() if isinstance(one, Reject)
        }
        for place, output in zip(places, outputs, strict=True):
            results[place] = dataclasses.replace(tasks[place], image=encode_png(output.image))
        return [results[place] for place in range(len(tasks))]


def reject_task(task: EditTask, reason: str, detail: str, *, shard: str) -> Reject:
    """The reject of an edit that could not be made."""
    return Reject(
        key=task.source_key,
        shard=shard,
        position=task.position,
        stage=STAGE,
        reason=reason,
        detail=detail,
        number=task.number,
        caption=task.caption,
        edit_prompt=task.edit_prompt,
    )


def _write_group(group: tuple[str, Mapping[str, Iterable[Any]]], *, folder: str) -> dict[str, Any]:
    _, parts = group
    (shard,) = parts["shard"]
    return write_edits(Path(folder), shard, unpack(parts["batches"]))


def _pack(batch: Batch) -> Packed:
    return pack(batch)


@dataclass
class EditImages(beam.PTransform):
    """Batches of `EditTask` to the same with results; see `EditBatch`."""

    load: LoadEditor
    sampling: Sampling
    seed: int

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Wire `EditBatch` behind RunInference."""
        apply = EditBatch(self.sampling, self.seed)
        return batches | RunBatches(BatchHandler(load=self.load, apply=apply, name=NAME))


def edit_graph(pipeline: beam.Pipeline, units: Sequence[EditUnit], plan: EditPlan) -> None:
    """Wires the stages for the shards of `units`."""
    groups = [group for unit in units for group in unit.groups]
    batches = (
        pipeline
        | "Groups" >> beam.Create(groups)
        | "Spread" >> beam.Reshuffle()
        | "Read" >> beam.Map(read_tasks).with_output_types(Batch)
        | "Edit" >> EditImages(plan.load, plan.sampling, plan.seed)
        | "Pack" >> beam.Map(_pack).with_input_types(Batch).with_output_types(Packed)
    )
    shards = [(unit.shard.name, unit.shard) for unit in units]
    joined = {"batches": batches, "shard": pipeline | "Seed shards" >> beam.Create(shards)}
    _ = (
        joined
        | "Meet by shard" >> beam.CoGroupByKey()
        | "Write" >> beam.Map(_write_group, folder=str(plan.folder))
    )


def run_edit_unit(unit: EditUnit, plan: EditPlan) -> tuple[int, StageSeconds]:
    """Edits one shard in this process; how many edits it had, and how long it took."""
    return unit.pictures, run_here(partial(edit_graph, units=[unit], plan=plan))


def plan_units(dataset: Path) -> Iterator[EditUnit]:
    """The shards of a data set."""
    for receipt in load_manifest(dataset).shards:
        shard = receipt.shard
        path = dataset / shard_file("pairs", shard)
        groups = pq.read_metadata(path).num_row_groups
        yield EditUnit(
            shard,
            tuple(RowGroup(shard.name, str(path), number) for number in range(groups)),
            receipt.counts.pairs,
        )


def edit_images(plan: EditPlan, execution: Execution) -> dict[str, Any]:
    """Makes all edits, or those still missing, and says what came of them.

    Raises:
        CommandError: the data set is not whole, or the folder holds other edits.
        ModelError, OutputError: in one line each.
    """
    require_whole(plan.dataset)
    begin_edits(plan)
    units = list(plan_units(plan.dataset))
    waiting = [unit for unit in units if not receipt_path(plan.folder, unit.shard).is_file()]
    if waiting and execution.beam_flags:
        run_elsewhere(partial(edit_graph, units=waiting, plan=plan), execution.beam_flags)
    elif waiting:
        work = partial(run_edit_unit, plan=plan)
        run_on_this_machine("editing", work, waiting, workers=execution.workers)
    receipts = [json.loads(receipt_path(plan.folder, unit.shard).read_bytes()) for unit in units]
    write_bytes(plan.folder / COMPLETED, b"")
    reasons: dict[str, int] = {}
    for receipt in receipts:
        for reason, number in receipt["rejects"].items():
            reasons[reason] = reasons.get(reason, 0) + number
    return {
        "folder": str(plan.folder),
        "edits": sum(receipt["edits"] for receipt in receipts),
        "rejects": reasons,
        "shards": len(units),
        "shards_skipped": len(units) - len(waiting),
    }


def begin_edits(plan: EditPlan) -> None:
    """Makes the folder that of these edits, or makes sure that it is.

    Raises:
        CommandError: it holds others, or something else.
    """
    description = plan.description()
    job = JobFolder(folder=plan.folder, name=RECORD, one="edits", this="these edits")
    job.begin(description, hash_configuration(description))
