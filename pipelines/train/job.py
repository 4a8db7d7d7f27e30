"""Training an editor on pairs or an index: `pairloom train`, without its command line."""

import dataclasses
import json
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from editing.editor import EditorSpec, Recipe
from editing.parts import Parts
from editing.trained_part import TrainedPart
from editing.training.loop_settings import LoopSettings
from editing.training.objective import Objective
from editing.training.pair_settings import PairSettings
from editing.training.trainer import Trainer
from indexes.folder_lock import lock_folder
from pipelines.running.job_folder import JobFolder
from pipelines.terminal.console import CommandError, print_note
from pipelines.train.data import DATA_KINDS, DataKind, Samples, Stream, StreamPlan
from pipelines.train.watch import SAMPLES, watch_run
from transforms.dataset.files import write_bytes
from transforms.dataset.folder import COMPLETED
from transforms.dataset.manifest import hash_configuration
from transforms.presets import Preset

RUN = "run.json"
CHECKPOINTS = "checkpoints"
KEPT = "kept"
EARLIER = "earlier_identities"

# What may differ when a run is gone on with: long and how, not what.
_FREE = ("steps", "checkpoint_every", "sample_every", "gradients_every", "gradient_checkpointing")


@dataclass(frozen=True, kw_only=True)
class TrainPlan:
    """All that decides a training run; `objective` are the settings of the editor's recipe.

    `dataset` is the folder of what it is trained on, `pairs` how pairs are read, where it is these.
    """

    dataset: Path
    folder: Path
    preset: Preset
    spec: EditorSpec[Any]
    loop: LoopSettings
    pairs: PairSettings
    objective: Any

    @property
    def recipe(self) -> Recipe[Any]:
        """How the editor is trained."""
        if self.spec.recipe is None:
            raise CommandError(f"--editor {self.spec.name} is not trained")
        return self.spec.recipe

    @property
    def output(self) -> TrainedPart:
        """Which part comes out, and where it lies in the run's folder."""
        assert self.spec.model is not None, f"{self.spec.name} is trained, so it takes a model"
        return self.spec.model

    @property
    def data(self) -> DataKind:
        """What kind of data it is trained on."""
        return DATA_KINDS[self.recipe.data]

    def description(self) -> dict[str, Any]:
        """What the run is of, as plain data.

        Raises:
            PresetError: the preset lacks a part that is needed.
            ModelError: a network's files are not there.
        """
        parts = self.recipe.parts(self.objective)
        return {
            "editor": self.spec.name,
            "dataset": dict(self.data.describe(self.dataset)),
            "models": Parts(preset=self.preset).identities(parts),
            "loop": dataclasses.asdict(self.loop),
            **({"pairs": dataclasses.asdict(self.pairs)} if self.data.with_pairs else {}),
            "objective": dataclasses.asdict(self.objective),
        }


def run_identity(description: dict[str, Any]) -> str:
    """What tells a run from another when one is to be gone on with."""
    loop = {k: v for k, v in description["loop"].items() if k not in _FREE}
    return hash_configuration(description | {"loop": loop})


@dataclass(frozen=True)
class TrainSummary:
    """What a run came to: steps of which so many were made now, the last losses, what was counted.

    `editor` is where the trained editor lies.
    """

    folder: str
    editor: str
    steps: int
    steps_made: int
    terms: dict[str, float]
    counts: dict[str, int]

    def as_dict(self) -> dict[str, object]:
        """The summary as plain data, for `--json`."""
        return {
            "run": self.folder,
            "editor": self.editor,
            "steps": self.steps,
            "steps_made": self.steps_made,
            "terms": self.terms,
            **self.counts,
        }


def train(plan: TrainPlan) -> TrainSummary | None:
    """Trains, or goes on where it was interrupted, and writes the editor.

    Of several processes one gives the summary, the others None.

    Raises:
        CommandError: the data are not whole, or the folder holds another run.
        FolderLockedError: another process writes there.
        DatasetError, PairsError, TrainingError, CheckpointError, ModelError: in one line each.
    """
    plan.data.require_whole(plan.dataset)
    description = plan.description()
    accelerator = Accelerator(mixed_precision=plan.loop.precision)
    # One of several processes writes for all.
    writes = accelerator.is_main_process
    with lock_folder(plan.folder, "pairloom train", tell=print_note) if writes else nullcontext():
        return _train(plan, description, accelerator)


def _train(
    plan: TrainPlan, description: dict[str, Any], accelerator: Accelerator
) -> TrainSummary | None:
    identities = known_identities(plan, description)
    if accelerator.is_main_process:
        _run_folder(plan.folder).claim(*identities)  # before networks are loaded in vain
    parts = Parts(preset=plan.preset, device=str(accelerator.device))
    objective = plan.recipe.load(parts, plan.objective)
    plan.data.check(plan_stream(plan, accelerator.num_processes), objective)
    if accelerator.is_main_process:
        begin_run(plan.folder, description, identities)
    accelerator.wait_for_everyone()
    stream, samples = open_stream(plan, objective, accelerator.num_processes)
    objective.keep_in(plan.folder / KEPT / str(accelerator.process_index))
    trainer = Trainer(
        objective,
        plan.loop,
        accelerator,
        folder=plan.folder / CHECKPOINTS,
        identities=identities,
    )
    first = trainer.resume()
    batches = stream.batches(
        first_step=first, rank=accelerator.process_index, of=accelerator.num_processes
    )
    if not accelerator.is_main_process:
        trainer.run(first, batches, on_step=_ignore, on_sample=_ignore)
        accelerator.end_training()
        return None
    with watch_run(plan.folder, first=first, steps=plan.loop.steps, samples=samples) as watch:
        trainer.run(first, batches, on_step=watch.step, on_sample=watch.sample)
    plan.data.require_same(plan.dataset, description)
    place = plan.folder / plan.output.inside
    save_whole(objective, place)
    write_bytes(plan.folder / COMPLETED, b"")
    accelerator.end_training()
    return TrainSummary(
        folder=str(plan.folder),
        editor=str(place),
        steps=plan.loop.steps,
        steps_made=plan.loop.steps - first,
        terms=watch.last,
        counts=dict(watch.counts),
    )


def save_whole(objective: Objective[Any, Any], place: Path) -> None:
    """Writes what was trained to the folder `place`, which appears when all of it is there."""
    unfinished = place.with_name(f".{place.name}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    objective.save(unfinished)
    shutil.rmtree(place, ignore_errors=True)
    unfinished.replace(place)


def _ignore(_: object) -> None:
    """Other processes have nobody to tell."""


def plan_stream(plan: TrainPlan, devices: int) -> StreamPlan:
    """What is read for a plan, for so many devices together."""
    return StreamPlan(
        folder=plan.dataset,
        pairs=plan.pairs,
        batch_size=plan.loop.pairs_a_step(devices),
        seed=plan.loop.seed,
    )


def open_stream(
    plan: TrainPlan, objective: Objective[Any, Any], devices: int
) -> tuple[Stream, Samples]:
    """The data of the plan, for so many devices together, and what is shown of the run.

    Raises:
        DatasetError, PairsError: the data cannot be read, or not be trained on.
    """
    return plan.data.open(plan_stream(plan, devices), objective)


def known_identities(plan: TrainPlan, description: dict[str, Any]) -> tuple[str, ...]:
    """What tells the run from others: today's, and what an earlier version called the same run.

    An earlier version's record in the run's folder is brought to today's form; it is of the same
    run where that says the same. Today's record keeps what the run was called, as its checkpoints
    are until new ones take their place.
    """
    mark = run_identity(description)
    path = plan.folder / RUN
    if not path.is_file():
        return (mark,)
    stored = json.loads(path.read_bytes())
    if stored.get("identity") == mark:
        return (mark, *stored.get(EARLIER, ()))
    if plan.recipe.upgrade is None:
        return (mark,)
    try:
        upgraded = plan.recipe.upgrade(stored)
        return (mark, stored["identity"]) if run_identity(upgraded) == mark else (mark,)
    except KeyError:
        return (mark,)


def _run_folder(folder: Path) -> JobFolder:
    return JobFolder(folder=folder, name=RUN, one="a run", this="this run")


def begin_run(folder: Path, description: dict[str, Any], identities: tuple[str, ...]) -> None:
    """Makes the folder this run's, or makes sure that it is.

    Raises:
        CommandError: it holds another run, or something else.
    """
    job = _run_folder(folder)
    job.claim(*identities)
    (folder / SAMPLES).mkdir(parents=True, exist_ok=True)
    (folder / COMPLETED).unlink(missing_ok=True)
    mark, *earlier = identities
    # Also of a run that goes on: it may have more steps now.
    job.record(description | ({EARLIER: earlier} if earlier else {}), mark)
