"""The training loop of iEdit: one loop for a CPU, a GPU, or several under `accelerate launch`.

What a step does is a function of (data, settings, step): its pairs, its noise levels and its noise
are drawn from the seed and the step alone. A run that was interrupted goes on from its last
checkpoint and ends with the weights of an uninterrupted one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from editing.choices import OPTIMISERS, PRECISIONS
from editing.diffusion.model import LatentDiffusion
from editing.editors.iedit.blocks import AlternatingBlocks
from editing.editors.iedit.objective import Draw, IEditObjective, PairBatch
from editing.errors import EditingError
from editing.training.checkpoints import Checkpoint, load_last_checkpoint, save_checkpoint


class TrainingError(EditingError):
    """Training that cannot go on, in one line that says at which step and why."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How long and how fast to train; the defaults are the paper's.

    A step has `batch_size` pairs on each device, `accumulation` times over. Every so many steps a
    checkpoint is written, samples are drawn, and each term's gradient is measured, which takes the
    time of some backward passes through the decoder.

    A share `empty_share` of the pairs, in [0, 1), loses its text and is trained to leave the source
    as it is; the paper knows no such thing. Classifier-free guidance, which leads away from what
    the empty text gives, then leads away from the source.
    """

    steps: int = 10_000
    batch_size: int = 1
    accumulation: int = 1
    empty_share: float = 0.0
    learning_rate: float = 2e-4
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    seed: int = 0
    precision: str = "no"
    gradient_checkpointing: bool = False
    optimiser: str = "adamw"
    checkpoint_every: int = 500
    sample_every: int = 500
    gradients_every: int = 100

    def __post_init__(self) -> None:
        every = ("checkpoint_every", "sample_every", "gradients_every")
        for name in ("steps", "batch_size", "accumulation", *every):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not 0 <= self.empty_share < 1:
            raise ValueError(f"empty_share must be in [0, 1), got {self.empty_share}")
        for name, allowed in (("precision", PRECISIONS), ("optimiser", OPTIMISERS)):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}"
                )

    def pairs_a_step(self, devices: int) -> int:
        """How many pairs an optimiser step sees on so many devices together."""
        return self.batch_size * self.accumulation * devices


@dataclass(frozen=True)
class StepReport:
    """What a step came to: its number, the mean of each weighted term, and empty masks.

    `gradients` are the norms of the terms' gradients in the predicted noise, on this device; empty
    but for the steps at which they are measured.
    """

    step: int
    terms: dict[str, float]
    empty_masks: int
    gradients: dict[str, float] = field(default_factory=dict)

    @property
    def loss(self) -> float:
        """The sum of the terms."""
        return sum(self.terms.values())

    @property
    def gradient_shares(self) -> dict[str, float]:
        """Each term's part of the sum of all norms."""
        total = sum(self.gradients.values())
        return {name: norm / total for name, norm in self.gradients.items()} if total else {}


def draw_step(
    options: TrainOptions, step: int, *, shape: tuple[int, int, int, int], train_steps: int
) -> Draw:
    """What is random in all pairs of a step, drawn on the CPU."""
    seed = int(np.random.SeedSequence([options.seed, step]).generate_state(1, np.uint64)[0])
    generator = torch.Generator().manual_seed(seed % 2**63)
    timesteps = torch.randint(train_steps, (shape[0],), generator=generator)
    noise = torch.randn(shape, generator=generator)
    untold = torch.rand(shape[0], generator=generator) < options.empty_share
    return Draw(timesteps=timesteps, noise=noise, untold=untold)


def split(batch: PairBatch, draw: Draw, parts: int) -> Iterator[tuple[PairBatch, Draw]]:
    """A batch and its draw in `parts` equal parts."""
    size = len(batch.edit_prompts) // parts
    for start in range(0, size * parts, size):
        span = slice(start, start + size)
        yield batch.part(span), draw.part(span)


class Trainer:
    """Trains the noise network of `objective.model` in place.

    `folder` is where checkpoints lie; `identity` tells what the run is of.
    """

    def __init__(
        self,
        objective: IEditObjective,
        options: TrainOptions,
        accelerator: Accelerator,
        *,
        folder: Path,
        identity: str,
    ) -> None:
        self._objective = objective
        self._options = options
        self._accelerator = accelerator
        self._folder = folder
        self._identity = identity
        self._blocks = AlternatingBlocks(self._model.unet)
        if options.gradient_checkpointing:
            self._model.unet.enable_gradient_checkpointing()
            self._model.vae.enable_gradient_checkpointing()
        self._optimisers = [
            accelerator.prepare_optimizer(self._optimiser(self._blocks.parameters(number)))
            for number in range(len(self._blocks))
        ]

    @property
    def _model(self) -> LatentDiffusion:
        return self._objective.model

    def resume(self) -> int:
        """Takes up the last checkpoint, if there is one, and gives the step to begin with.

        Raises:
            CheckpointError: it is of another run, or damaged.
        """
        found = load_last_checkpoint(self._folder, identity=self._identity)
        if found is None:
            return 0
        with torch.no_grad():
            for name, parameter in self._trained():
                parameter.copy_(found.weights[name])
        for optimiser, state in zip(self._optimisers, found.optimisers, strict=True):
            optimiser.load_state_dict(dict(state))
        return found.step

    def run(
        self,
        first_step: int,
        batches: Iterator[PairBatch],
        *,
        on_step: Callable[[StepReport], None],
        on_sample: Callable[[int], None],
    ) -> None:
        """Trains from `first_step` to the end on `batches`, this device's share of each.

        Raises:
            TrainingError: a term is not a finite number, or memory ran out.
            whatever `batches` raises.
        """
        options = self._options
        for step in range(first_step, options.steps):
            on_step(self._step(step, next(batches)))
            done = step + 1
            if done % options.checkpoint_every == 0 or done == options.steps:
                self._save(done)
            if done % options.sample_every == 0 or done == options.steps:
                on_sample(done)

    def _step(self, step: int, batch: PairBatch) -> StepReport:
        trained = self._blocks.begin(step)
        optimiser = self._optimisers[self._blocks.number(step)]
        optimiser.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        gradients: dict[str, float] = {}
        empty = 0
        try:
            for part, draw in split(batch, self._draw(step, batch), self._options.accumulation):
                with self._accelerator.autocast():
                    device = self._accelerator.device
                    outcome = self._objective(part.to(device), draw.to(device))
                for name, value in outcome.terms.items():
                    _check_finite(step, name, value)
                    sums[name] = sums.get(name, 0.0) + value.item() / self._options.accumulation
                empty += outcome.empty_masks
                if step % self._options.gradients_every == 0 and not gradients:
                    gradients = outcome.gradient_norms()
                loss = torch.stack(list(outcome.terms.values())).sum()
                self._accelerator.backward(loss / self._options.accumulation)
            self._average_gradients(trained)
            self._accelerator.clip_grad_norm_(trained, self._options.clip_norm)
            optimiser.step()
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"out of memory at step {step}: try --gradient-checkpointing, "
                "--precision bf16 (or fp16), a smaller --batch-size with --accumulation, "
                "or a smaller --size"
            ) from error
        return self._report(step, sums, empty, gradients)

    def _draw(self, step: int, batch: PairBatch) -> Draw:
        """The device's share of the step's draw, which does not depend on how many there are."""
        model, share = self._model, len(batch.edit_prompts)
        channels = int(model.unet.config.in_channels)
        height, width = (side // model.factor for side in batch.source.shape[-2:])
        whole = draw_step(
            self._options,
            step,
            shape=(share * self._accelerator.num_processes, channels, height, width),
            train_steps=model.train_steps,
        )
        first = share * self._accelerator.process_index
        return whole.part(slice(first, first + share))

    def _report(
        self, step: int, sums: dict[str, float], empty: int, gradients: dict[str, float]
    ) -> StepReport:
        """What the step came to on all devices together."""
        here = torch.tensor([*sums.values(), float(empty)], device=self._accelerator.device)
        *means, everywhere = self._accelerator.reduce(here, reduction="sum").tolist()
        devices = self._accelerator.num_processes
        terms = {name: value / devices for name, value in zip(sums, means, strict=True)}
        return StepReport(step, terms, round(everywhere), gradients)

    def _average_gradients(self, trained: list[nn.Parameter]) -> None:
        # Which weights have gradients changes from step to step, which DDP's wrapper forbids.
        if self._accelerator.num_processes == 1:
            return
        gradients = [p.grad for p in trained if p.grad is not None]
        whole = torch.cat([gradient.flatten() for gradient in gradients])
        whole = self._accelerator.reduce(whole, reduction="mean")
        start = 0
        for gradient in gradients:
            gradient.copy_(whole[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()

    def _optimiser(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        options = self._options
        settings: dict[str, Any] = {
            "lr": options.learning_rate,
            "weight_decay": options.weight_decay,
        }
        if options.optimiser == "adamw":
            return torch.optim.AdamW(parameters, **settings)
        try:
            from bitsandbytes.optim import AdamW8bit
        except ImportError as error:
            raise TrainingError("--optimiser adamw8bit needs the package bitsandbytes") from error
        eight_bit: torch.optim.Optimizer = AdamW8bit(parameters, **settings)
        return eight_bit

    def _trained(self) -> list[tuple[str, nn.Parameter]]:
        numbers = range(len(self._blocks))
        return [named for number in numbers for named in self._blocks.named_parameters(number)]

    def _save(self, step: int) -> None:
        if self._accelerator.is_main_process:
            checkpoint = Checkpoint(
                step=step,
                identity=self._identity,
                weights=dict(self._trained()),
                optimisers=tuple(optimiser.state_dict() for optimiser in self._optimisers),
            )
            save_checkpoint(self._folder, checkpoint)
        self._accelerator.wait_for_everyone()


def _check_finite(step: int, name: str, value: torch.Tensor) -> None:
    if not torch.isfinite(value):
        raise TrainingError(f"step {step}: the term {name} is {value.item()}; nothing was updated")
