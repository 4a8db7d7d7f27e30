"""Training an editor on a data set of pairs: `pairloom train`, without its command line."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch.utils.tensorboard import SummaryWriter

from editing.choices import MaskCombine
from editing.diffusion.model import LatentDiffusion, load_diffusion
from editing.diffusion.sampling import Sampling
from editing.editors.iedit.losses import TermWeights
from editing.editors.iedit.objective import IEditObjective, PairBatch
from editing.editors.sdedit.editor import Editor
from editing.features.clip import load_clip_space, load_perceptual
from editing.pictures import tensor_to_picture
from editing.requests import Request
from editing.training.pair_stream import PairOptions, PairStream
from editing.training.trainer import StepReport, Trainer, TrainOptions
from pipelines.running.job_folder import JobFolder, require_whole
from pipelines.terminal.console import CommandError, show_progress
from pipelines.terminal.editor_models import PIPELINE, with_options
from transforms.dataset.files import hash_file, write_bytes
from transforms.dataset.folder import COMPLETED
from transforms.dataset.manifest import MANIFEST, hash_configuration, load_manifest
from transforms.models.spec import ModelSpec, identity
from transforms.pictures.contact_sheet import SheetEntry, draw_sheet
from transforms.pictures.decoding import encode_png
from transforms.presets import Preset

RUN = "run.json"
CHECKPOINTS = "checkpoints"
SAMPLES = "samples"
TENSORBOARD = "tensorboard"

SAMPLED_PAIRS = 4
SAMPLING = Sampling(strength=0.7, num_inference_steps=20)
HEADINGS = ("source", "edited", "edited, source mask", "pseudo-target")

# What may differ when a run is gone on with: how long and how, not what.
_FREE = ("steps", "checkpoint_every", "sample_every", "gradients_every", "gradient_checkpointing")


@dataclass(frozen=True, kw_only=True)
class TrainPlan:
    """All that decides a training run. `size` is the side of its pictures, None for the model's."""

    dataset: Path
    folder: Path
    preset: Preset
    options: TrainOptions
    weights: TermWeights
    mask_combine: MaskCombine = "paper"
    prompts: str = "edit"
    quality: str | None = None
    align: bool = False
    size: int | None = None

    def description(self) -> dict[str, Any]:
        """What the run is of, as plain data.

        Raises:
            CommandError: the preset lacks a part that is needed.
            ModelError: a network's files are not there.
        """
        parts = ["diffusion", "encoder"] + ["perceptual"] * (self.weights.perc > 0)
        models = {part: identity(self.part(part)) for part in parts}
        return {
            "method": "iedit",
            "dataset": {"manifest_sha256": hash_file(self.dataset / MANIFEST)},
            "models": models,
            "options": dataclasses.asdict(self.options),
            "weights": dataclasses.asdict(self.weights),
            "mask_combine": self.mask_combine,
            "prompts": self.prompts,
            "quality": self.quality,
            "align": self.align,
            "size": self.size,
        }

    def part(self, name: str) -> ModelSpec:
        """The preset's model for a part.

        Raises:
            CommandError: it has none.
        """
        spec: ModelSpec | None = getattr(self.preset, name)
        if spec is None:
            raise CommandError(f"preset {self.preset.name} names no {name} model")
        return spec


def run_identity(description: dict[str, Any]) -> str:
    """What tells a run from another when one is to be gone on with."""
    options = {k: v for k, v in description["options"].items() if k not in _FREE}
    return hash_configuration(description | {"options": options})


@dataclass(frozen=True)
class TrainSummary:
    """What a run came to: steps of which so many were made now, the last losses, empty masks."""

    folder: str
    steps: int
    steps_made: int
    terms: dict[str, float]
    empty_masks: int

    def as_dict(self) -> dict[str, object]:
        """The summary as plain data, for `--json`."""
        return {"run": self.folder} | {
            name: value for name, value in dataclasses.asdict(self).items() if name != "folder"
        }


def train(plan: TrainPlan) -> TrainSummary | None:
    """Trains, or goes on where it was interrupted, and writes the editor.

    Of several processes one gives the summary, the others None.

    Raises:
        CommandError: the data set is not whole, or the folder holds another run.
        PairsError, TrainingError, CheckpointError, ModelError: in one line each.
    """
    require_whole(plan.dataset)
    description = plan.description()
    mark = run_identity(description)
    accelerator = Accelerator(mixed_precision=plan.options.precision)
    if accelerator.is_main_process:
        begin_run(plan.folder, description, mark)
    accelerator.wait_for_everyone()
    objective = load_objective(plan, device=str(accelerator.device))
    size = plan.size or objective.model.picture_size
    pairs = PairOptions(
        size=size,
        batch_size=plan.options.pairs_a_step(accelerator.num_processes),
        seed=plan.options.seed,
        prompts=plan.prompts,
        quality=plan.quality,
        align=plan.align,
    )
    stream = PairStream(plan.dataset, load_manifest(plan.dataset), pairs)
    trainer = Trainer(
        objective, plan.options, accelerator, folder=plan.folder / CHECKPOINTS, identity=mark
    )
    first = trainer.resume()
    batches = stream.batches(
        first_step=first, rank=accelerator.process_index, of=accelerator.num_processes
    )
    if not accelerator.is_main_process:
        trainer.run(first, batches, on_step=_ignore, on_sample=_ignore)
        accelerator.end_training()
        return None
    with follow(plan, objective.model, first, shown=stream) as watch:
        trainer.run(first, batches, on_step=watch.step, on_sample=watch.sample)
    objective.model.save(plan.folder / PIPELINE)
    write_bytes(plan.folder / COMPLETED, b"")
    accelerator.end_training()
    return TrainSummary(
        folder=str(plan.folder),
        steps=plan.options.steps,
        steps_made=plan.options.steps - first,
        terms=watch.last,
        empty_masks=watch.empty_masks,
    )


def _ignore(_: object) -> None:
    """Other processes have nobody to tell."""


def begin_run(folder: Path, description: dict[str, Any], mark: str) -> None:
    """Makes the folder this run's, or makes sure that it is.

    Raises:
        CommandError: it holds another run, or something else.
    """
    job = JobFolder(folder=folder, name=RUN, one="a run", this="this run")
    job.claim(mark)
    (folder / SAMPLES).mkdir(parents=True, exist_ok=True)
    (folder / COMPLETED).unlink(missing_ok=True)
    # Also of a run that goes on: it may have more steps now.
    job.record(description, mark)


def load_objective(plan: TrainPlan, *, device: str) -> IEditObjective:
    """The networks of the plan on `device`, and the loss over them.

    Raises:
        CommandError, ModelError: one of them is not named, or cannot be loaded.
    """
    needed = plan.weights.perc > 0
    return IEditObjective(
        model=load_diffusion(with_options(plan.part("diffusion"), device=device)),
        clip=load_clip_space(with_options(plan.part("encoder"), device=device)),
        perceptual=load_perceptual(with_options(plan.part("perceptual"), device=device))
        if needed
        else None,
        weights=plan.weights,
        mask_combine=plan.mask_combine,
    )


class Watch:
    """Tells how a run goes: progress, curves for TensorBoard, sheets of samples."""

    def __init__(
        self, plan: TrainPlan, model: LatentDiffusion, shown: PairBatch, advance: Any, curves: Any
    ) -> None:
        self._folder = plan.folder
        self._model = model
        self._shown = shown
        self._advance = advance
        self._curves = curves
        self.last: dict[str, float] = {}
        self.empty_masks = 0

    def step(self, report: StepReport) -> None:
        """Notes what a step came to."""
        for name, value in (report.terms | {"loss": report.loss}).items():
            self._curves.add_scalar(f"loss/{name}", value, report.step)
        for name, share in report.gradient_shares.items():
            self._curves.add_scalar(f"gradient_share/{name}", share, report.step)
        self._curves.add_scalar("pairs/empty_masks", report.empty_masks, report.step)
        self.last = report.terms
        self.empty_masks += report.empty_masks
        self._advance(1)

    def sample(self, step: int) -> None:
        """Draws a sheet of edits by the weights of now."""
        batch = self._shown
        sources = [tensor_to_picture(each) for each in batch.source]
        targets = [tensor_to_picture(each) for each in batch.target]
        masks = [tensor_to_picture(each.expand(3, -1, -1) * 2 - 1) for each in batch.source_mask]
        editor = Editor(self._model, method="iedit")
        columns = [sources]
        for some_masks in (None, [mask.convert("L") for mask in masks]):
            requests = [
                Request(
                    image=image, prompt=prompt, edit_mask=some_masks[row] if some_masks else None
                )
                for row, (image, prompt) in enumerate(zip(sources, batch.edit_prompts, strict=True))
            ]
            generator = torch.Generator().manual_seed(0)
            outputs = editor.edit(requests, SAMPLING, generator=generator)
            columns.append([output.image for output in outputs])
        columns.append(targets)
        rows = [
            SheetEntry(images, (prompt,))
            for images, prompt in zip(zip(*columns, strict=True), batch.edit_prompts, strict=True)
        ]
        sheet = encode_png(draw_sheet(rows, HEADINGS))
        write_bytes(self._folder / SAMPLES / f"step-{step:08d}.png", sheet)


@contextmanager
def follow(
    plan: TrainPlan, model: LatentDiffusion, first: int, *, shown: PairStream
) -> Iterator[Watch]:
    """A `Watch` over the steps from `first` on; curves of steps to be made again are dropped."""
    batches = shown.batches()
    batch = next(batches)
    while len(batch.edit_prompts) < SAMPLED_PAIRS:
        batch = batch.join(next(batches))
    curves = SummaryWriter(str(plan.folder / TENSORBOARD), purge_step=first)
    with show_progress("training", plan.options.steps - first, unit="steps") as advance:
        try:
            yield Watch(plan, model, batch.part(slice(SAMPLED_PAIRS)), advance, curves)
        finally:
            curves.close()
