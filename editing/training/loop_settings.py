"""The settings of the training loop. Imports no network library."""

from dataclasses import dataclass
from typing import Literal

from editing.settings import require_numbers, setting


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How long and how fast to train; the defaults are iEdit's.

    A step has `batch_size` pairs on each device, `accumulation` times over. Every so many steps a
    checkpoint is written, samples are drawn, and each term's gradient is measured, which takes the
    time of some backward passes.
    """

    steps: int = setting("steps of the optimiser", default=10_000)
    batch_size: int = setting("pairs at once on a device", default=1)
    accumulation: int = setting("batches added up to a step", default=1)
    learning_rate: float = setting("of AdamW", default=2e-4)
    decay_steps: int | None = setting(
        "step by which the learning rate has fallen along a line to nothing; none to keep it",
        default=None,
    )
    weight_decay: float = setting("of AdamW", default=0.01)
    clip_norm: float = setting("largest norm of a step's gradient", default=1.0)
    seed: int = setting("draws pairs, noise levels and noise", default=0)
    precision: Literal["no", "fp16", "bf16"] = setting("mixed precision", default="no")
    gradient_checkpointing: bool = setting("less memory, slower", default=False)
    optimiser: Literal["adamw", "adamw8bit"] = setting(
        "adamw8bit needs the package bitsandbytes", default="adamw"
    )
    checkpoint_every: int = setting("steps between checkpoints", default=500, metavar="STEPS")
    sample_every: int = setting("steps between sheets of samples", default=500, metavar="STEPS")
    gradients_every: int = setting(
        "steps between measurements of each term's gradient", default=100, metavar="STEPS"
    )

    def __post_init__(self) -> None:
        every = ("checkpoint_every", "sample_every", "gradients_every")
        for name in ("steps", "batch_size", "accumulation", *every):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.decay_steps is not None and self.decay_steps < self.steps:
            raise ValueError(
                f"decay_steps must be at least the steps, {self.steps}, got {self.decay_steps}"
            )
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("weight_decay", "seed"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        for name, allowed in (
            ("precision", ("no", "fp16", "bf16")),
            ("optimiser", ("adamw", "adamw8bit")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}"
                )
        require_numbers(self)

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        left = 1.0 if self.decay_steps is None else 1 - step / self.decay_steps
        return self.learning_rate * left

    def pairs_a_step(self, devices: int) -> int:
        """How many pairs an optimiser step sees on so many devices together."""
        return self.batch_size * self.accumulation * devices
