"""The training loop that every recipe shares: AdamW, warm-up and cosine, progress, resumption."""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

Losses = dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast to train.

    `steps` optimiser steps of `batch_size` pictures; the learning rate climbs to `learning_rate`
    over `warmup_steps` and falls to 1% of it along a cosine. `seed` draws initial weights, batches
    and augmentation.
    """

    steps: int
    batch_size: int
    learning_rate: float
    seed: int
    warmup_steps: int = 200
    weight_decay: float = 0.02
    clip_norm: float = 1.0

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
    report_every: int = 100,
    save_every: int = 500,
) -> None:
    """Minimises the sum of `loss_of(generator, step)` over the parameters of `model`.

    On a GPU forward passes run in bfloat16 autocast; on the CPU in float32, which is faster
    there at these sizes. With `checkpoint` the state is saved every `save_every` steps, and a
    later call goes on from there and ends with the same weights.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    decayed = [p for p in parameters if p.ndim > 1]
    plain = [p for p in parameters if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": schedule.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=schedule.learning_rate, betas=(0.9, 0.98))
    step = _resume(model, optimiser, checkpoint)
    model.train()
    began, first = time.monotonic(), step
    while step < schedule.steps:
        generator = torch.Generator().manual_seed(schedule.seed * 1_000_003 + step)
        torch.manual_seed(schedule.seed * 1_000_003 + step)
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate * schedule.rate(step)
        device = parameters[0].device.type
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device != "cpu"):
            losses = loss_of(generator, step)
            total = torch.stack([value.float() for value in losses.values()]).sum()
        if not torch.isfinite(total):
            raise FloatingPointError(f"{name}: loss is {total.item()} at step {step}")
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(parameters, schedule.clip_norm)
        optimiser.step()
        step += 1
        if step % report_every == 0 or step == schedule.steps:
            _report(name, step, schedule, losses, (time.monotonic() - began) / (step - first))
        if checkpoint is not None and (step % save_every == 0 or step == schedule.steps):
            _save(model, optimiser, step, checkpoint)
    model.eval()


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


def _resume(model: nn.Module, optimiser: torch.optim.Optimizer, checkpoint: Path | None) -> int:
    if checkpoint is None or not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])


def _save(model: nn.Module, optimiser: torch.optim.Optimizer, step: int, checkpoint: Path) -> None:
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    unfinished = checkpoint.with_suffix(".tmp")
    torch.save(
        {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step},
        unfinished,
    )
    unfinished.replace(checkpoint)
