"""The training loop: one for a CPU, a GPU, or several under `accelerate launch`.

It knows an `Objective` and no editor. What a step does is a function of (data, settings, step): its
pairs and all that is random are drawn from the seed and the step alone. A run that was interrupted
goes on from its last checkpoint and ends with the weights of an uninterrupted one.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from editing.errors import EditingError, NotFiniteError
from editing.training.checkpoints import (
    Checkpoint,
    load_last_checkpoint,
    save_checkpoint,
)
from editing.training.loop_settings import LoopSettings
from editing.training.objective import DrawT, Objective, TrainingBatch

MOST_SKIPPED = 24
"""Steps in a row that fp16 may leave out while it looks for a scale: it halves one of 2^16."""


class TrainingError(EditingError):
    """Training that cannot go on, in one line that says at which step and why."""


@dataclass(frozen=True)
class StepReport:
    """What a step came to: its number, the mean of each weighted term, and what was counted.

    `counts` are an `Outcome`'s, over all devices. `gradients` are the norms of the terms' gradients
    in what they pull at, on this device; empty but for the steps at which they are measured.
    """

    step: int
    terms: dict[str, float]
    counts: dict[str, int] = field(default_factory=dict)
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


def step_generator(seed: int, step: int) -> torch.Generator:
    """What all that is random in a step is drawn by."""
    drawn = int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(drawn % 2**63)


def begin_step(objective: Objective[Any, Any], step: int) -> list[nn.Parameter]:
    """Makes the group of `step` the one that is trained, and gives its weights.

    Weights of the other groups require no gradient and have none, so that none is kept for them.
    """
    chosen = objective.group_of(step)
    for number, group in enumerate(objective.groups):
        for parameter in group.values():
            parameter.requires_grad = number == chosen
            if number != chosen:
                parameter.grad = None
    return list(objective.groups[chosen].values())


def split(batch: TrainingBatch, draw: DrawT, parts: int) -> Iterator[tuple[TrainingBatch, DrawT]]:
    """A batch and its draw in `parts` equal parts."""
    size = len(batch) // parts
    for start in range(0, size * parts, size):
        span = slice(start, start + size)
        yield batch.part(span), draw.part(span)


class Trainer:
    """Trains the weights of an objective in place.

    `folder` is where checkpoints lie; `identity` tells what the run is of, and is the first of the
    identities whose checkpoints are gone on from: the others are what it was called earlier.
    """

    def __init__(
        self,
        objective: Objective[Any, Any],
        settings: LoopSettings,
        accelerator: Accelerator,
        *,
        folder: Path,
        identities: tuple[str, ...],
    ) -> None:
        self._objective = objective
        self._settings = settings
        self._accelerator = accelerator
        self._folder = folder
        self._identities = identities
        self._skipped = 0
        if settings.gradient_checkpointing:
            objective.save_memory()
        self._optimisers = [
            accelerator.prepare_optimizer(self._optimiser(list(group.values())))
            for group in objective.groups
        ]

    def resume(self) -> int:
        """Takes up the last checkpoint, if there is one, and gives the step to begin with.

        Raises:
            CheckpointError: it is of another run, or damaged.
        """
        found = load_last_checkpoint(self._folder, identities=self._identities)
        if found is None:
            return 0
        with torch.no_grad():
            for name, parameter in self._trained().items():
                parameter.copy_(found.weights[name])
        for optimiser, state in zip(self._optimisers, found.optimisers, strict=True):
            optimiser.load_state_dict(dict(state))
        return found.step

    def run(
        self,
        first_step: int,
        batches: Iterator[TrainingBatch],
        *,
        on_step: Callable[[StepReport], None],
        on_sample: Callable[[int], None],
    ) -> None:
        """Makes the steps from `first_step` to the last, on the device's share of each batch.

        `on_step` is told of every step, `on_sample` asked for samples now and then.

        Raises:
            TrainingError: a term, a gradient, a weight or a sample is not finite, or memory does
                not suffice. What was saved before stays.
        """
        settings = self._settings
        for step in range(first_step, settings.steps):
            on_step(self._step(step, next(batches)))
            done = step + 1
            if done % settings.sample_every == 0 or done == settings.steps:
                self._sample(done, on_sample)
            # Last: a run goes on from here, and would not come back to samples that are missing.
            if done % settings.checkpoint_every == 0 or done == settings.steps:
                self._save(done)

    def _sample(self, step: int, on_sample: Callable[[int], None]) -> None:
        try:
            on_sample(step)
        except NotFiniteError as error:
            # No checkpoint of now is there yet: gone on from, it would end as an editor that paints
            # nothing.
            raise TrainingError(
                f"step {step}: samples by the weights of now are not finite; try a smaller "
                "--learning-rate; earlier checkpoints are kept"
            ) from error

    def _step(self, step: int, batch: TrainingBatch) -> StepReport:
        trained = begin_step(self._objective, step)
        optimiser = self._optimisers[self._objective.group_of(step)]
        for group in optimiser.param_groups:
            group["lr"] = self._settings.learning_rate_at(step)
        optimiser.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        gradients: dict[str, float] = {}
        counts: Counter[str] = Counter()
        parts = self._settings.accumulation
        try:
            for part, draw in split(batch, self._draw(step, batch), parts):
                with self._accelerator.autocast():
                    device = self._accelerator.device
                    outcome = self._objective(part.to(device), draw.to(device))
                for name, value in outcome.terms.items():
                    _check_finite(step, f"the term {name}", value)
                    sums[name] = sums.get(name, 0.0) + value.item() / parts
                counts.update(outcome.counts)
                if step % self._settings.gradients_every == 0 and not gradients:
                    gradients = outcome.gradient_norms()
                loss = torch.stack(list(outcome.terms.values())).sum()
                self._accelerator.backward(loss / parts)
            self._average_gradients(trained)
            norm = self._accelerator.clip_grad_norm_(trained, self._settings.clip_norm)
            # Of fp16 the scaler looks itself, and leaves the step out with a smaller scale.
            if self._accelerator.scaler is None and norm is not None:
                _check_finite(step, "the norm of the gradient", norm)
            optimiser.step()
            self._count_skipped(step, optimiser)
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"out of memory at step {step}: try --gradient-checkpointing, "
                "--precision bf16 (or fp16), a smaller --batch-size with --accumulation, "
                "or a smaller --size"
            ) from error
        return self._report(step, sums, counts, gradients)

    def _count_skipped(self, step: int, optimiser: Any) -> None:
        self._skipped = self._skipped + 1 if optimiser.step_was_skipped else 0
        if self._skipped > MOST_SKIPPED:
            raise TrainingError(
                f"step {step}: no gradient of the last {self._skipped} steps was finite; try "
                "--precision bf16 or no"
            )

    def _draw(self, step: int, batch: TrainingBatch) -> Any:
        """The device's share of the step's draw, which does not depend on how many there are."""
        share = len(batch)
        height, width = batch.sides
        whole = self._objective.draw(
            step_generator(self._settings.seed, step),
            count=share * self._accelerator.num_processes,
            height=height,
            width=width,
        )
        first = share * self._accelerator.process_index
        return whole.part(slice(first, first + share))

    def _report(
        self,
        step: int,
        sums: Mapping[str, float],
        counts: Mapping[str, int],
        gradients: dict[str, float],
    ) -> StepReport:
        """What the step came to on all devices together."""
        here = [*sums.values(), *map(float, counts.values())]
        total = torch.tensor(here, device=self._accelerator.device)
        everywhere = self._accelerator.reduce(total, reduction="sum").tolist()
        devices = self._accelerator.num_processes
        terms = {name: value / devices for name, value in zip(sums, everywhere, strict=False)}
        counted = zip(counts, everywhere[len(sums) :], strict=True)
        return StepReport(step, terms, {name: round(n) for name, n in counted}, gradients)

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
        settings = self._settings
        rates: dict[str, Any] = {
            "lr": settings.learning_rate,
            "weight_decay": settings.weight_decay,
        }
        if settings.optimiser == "adamw":
            return torch.optim.AdamW(parameters, **rates)
        try:
            from bitsandbytes.optim import AdamW8bit
        except ImportError as error:
            raise TrainingError("--optimiser adamw8bit needs the package bitsandbytes") from error
        eight_bit: torch.optim.Optimizer = AdamW8bit(parameters, **rates)
        return eight_bit

    def _trained(self) -> dict[str, nn.Parameter]:
        return {
            name: parameter for group in self._objective.groups for name, parameter in group.items()
        }

    def _save(self, step: int) -> None:
        for name, weight in self._trained().items():
            if not torch.isfinite(weight).all():
                raise TrainingError(
                    f"step {step}: the weight {name} is not finite; try a smaller "
                    "--learning-rate; earlier checkpoints are kept"
                )
        if self._accelerator.is_main_process:
            checkpoint = Checkpoint(
                step=step,
                identity=self._identities[0],
                weights=self._trained(),
                optimisers=tuple(optimiser.state_dict() for optimiser in self._optimisers),
            )
            save_checkpoint(self._folder, checkpoint)
        self._accelerator.wait_for_everyone()


def _check_finite(step: int, name: str, value: torch.Tensor) -> None:
    if not torch.isfinite(value):
        raise TrainingError(f"step {step}: {name} is {value.item()}; nothing was updated")
