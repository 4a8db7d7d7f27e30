"""The training loop that every recipe shares.

Muon (Jordan et al. 2024) for the matrices of hidden layers and AdamW for all else, warm-up and
cosine, progress, resumption.
"""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

Losses = dict[str, torch.Tensor]
Tensors = tuple[torch.Tensor, ...] | list[torch.Tensor]

LEAST_MATRIX = 64
"""Linear weights with no side shorter than this are trained by Muon, all else by AdamW."""

MUON_RATE = 2.0
"""Learning rate of Muon's updates, scaled to the size of Adam's, over AdamW's."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast to train.

    `steps` optimiser steps of `batch_size` pictures; the learning rate climbs to `learning_rate`
    over `warmup_steps` and falls to 1% of it along a cosine. `seed` draws initial weights, batches
    and augmentation. With `average` the weights that come out are the exponential moving average
    of those of the steps, by that factor a step (Polyak and Juditsky 1992), or by less in the
    beginning.
    """

    steps: int
    batch_size: int
    learning_rate: float
    seed: int
    warmup_steps: int = 200
    weight_decay: float = 0.02
    clip_norm: float = 1.0
    average: float = 0.0

    def rate(self, step: int) -> float:
        """The learning rate at `step`, as a share of `learning_rate`."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        progress = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def train(
    name: str,
    model: nn.Module,
    loss_of: Callable[[torch.Generator, int], Losses],
    schedule: Schedule,
    *,
    checkpoint: Path | None = None,
    bfloat16: bool = False,
    report_every: int = 100,
    save_every: int = 500,
) -> float:
    """Minimises the sum of `loss_of(generator, step)` over the parameters of `model`.

    With `bfloat16` forward passes run in bfloat16 autocast, which pays where the processor has
    instructions for it (AVX-512 BF16: 0.57 of the time of a tower step) and nowhere else. With
    `checkpoint` the state is saved every `save_every` steps, and a later call goes on from
    there and ends with the same weights.

    Returns:
        The seconds that all the steps took, those of earlier calls included.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimisers = _optimisers(model, schedule)
    average = _average_of(model, schedule)
    step, earlier = _resume(model, optimisers, average, checkpoint)
    model.train()
    began, first = time.monotonic(), step
    while step < schedule.steps:
        generator = torch.Generator().manual_seed(schedule.seed * 1_000_003 + step)
        torch.manual_seed(schedule.seed * 1_000_003 + step)
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * schedule.rate(step)
        with torch.autocast(parameters[0].device.type, torch.bfloat16, enabled=bfloat16):
            losses = loss_of(generator, step)
            total = torch.stack([value.float() for value in losses.values()]).sum()
        if not torch.isfinite(total):
            raise FloatingPointError(f"{name}: loss is {total.item()} at step {step}")
        model.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(parameters, schedule.clip_norm)
        for optimiser in optimisers:
            optimiser.step()
        if average is not None:
            average.update_parameters(model)
        step += 1
        if step % report_every == 0 or step == schedule.steps:
            _report(name, step, schedule, losses, (time.monotonic() - began) / (step - first))
        if checkpoint is not None and (step % save_every == 0 or step == schedule.steps):
            seconds = earlier + time.monotonic() - began
            _save(model, optimisers, average, step, seconds, checkpoint)
    if average is not None:
        model.load_state_dict(average.module.state_dict())
    model.eval()
    return earlier + time.monotonic() - began


def _report(
    name: str, step: int, schedule: Schedule, losses: Losses, seconds_per_step: float
) -> None:
    terms = "  ".join(f"{term} {value.item():.4f}" for term, value in losses.items())
    left = seconds_per_step * (schedule.steps - step) / 60
    print(
        f"{name} {step}/{schedule.steps}  {terms}  {seconds_per_step * 1e3:.0f} ms/step"
        f"  {left:.1f} min left",
        file=sys.stderr,
        flush=True,
    )


def _optimisers(model: nn.Module, schedule: Schedule) -> list[torch.optim.Optimizer]:
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    matrices = {
        id(m.weight)
        for m in model.modules()
        if isinstance(m, nn.Linear)
        and min(m.weight.shape) >= LEAST_MATRIX
        and id(m.weight) not in embeddings
    }
    rate, decay = schedule.learning_rate, schedule.weight_decay
    hidden: list[nn.Parameter] = []
    spread: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for parameter in model.parameters():
        if parameter.requires_grad:
            wide = spread if parameter.ndim > 1 else plain
            (hidden if id(parameter) in matrices else wide).append(parameter)
    adam = torch.optim.AdamW(
        [
            {"params": spread, "weight_decay": decay, "peak": rate},
            {"params": plain, "weight_decay": 0.0, "peak": rate},
        ],
        betas=(0.9, 0.98),
    )
    if not hidden:
        return [adam]
    groups = [{"params": hidden, "weight_decay": decay, "peak": MUON_RATE * rate}]
    return [adam, torch.optim.Muon(groups, adjust_lr_fn="match_rms_adamw")]


def _average_of(model: nn.Module, schedule: Schedule) -> AveragedModel | None:
    if not schedule.average:
        return None

    def update(averaged: Tensors, current: Tensors, taken: torch.Tensor | int) -> None:
        # The first steps count for less, so that a short run is not its own beginning.
        factor = min(schedule.average, (1 + int(taken)) / (10 + int(taken)))
        get_ema_multi_avg_fn(factor)(averaged, current, taken)

    return AveragedModel(model, multi_avg_fn=update)


def _resume(
    model: nn.Module,
    optimisers: list[torch.optim.Optimizer],
    average: AveragedModel | None,
    checkpoint: Path | None,
) -> tuple[int, float]:
    if checkpoint is None or not checkpoint.exists():
        return 0, 0.0
    state = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(state["model"])
    for optimiser, known in zip(optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(known)
    if average is not None:
        average.load_state_dict(state["average"])
    return int(state["step"]), float(state["seconds"])


def _save(
    model: nn.Module,
    optimisers: list[torch.optim.Optimizer],
    average: AveragedModel | None,
    step: int,
    seconds: float,
    checkpoint: Path,
) -> None:
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    state = {
        "model": model.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser in optimisers],
        "step": step,
        "seconds": seconds,
    }
    if average is not None:
        state["average"] = average.state_dict()
    unfinished = checkpoint.with_suffix(".tmp")
    torch.save(state, unfinished)
    unfinished.replace(checkpoint)
