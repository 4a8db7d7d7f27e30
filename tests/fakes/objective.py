"""An objective of six weights, so that training can be tested without any editor."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from editing.requests import Edit, EditOutput
from editing.training.objective import Columns, Outcome


@dataclass(frozen=True, kw_only=True)
class ColourDraw(Columns):
    """A little noise for each pair."""

    noise: Tensor


def _three(value: float) -> nn.Parameter:
    return nn.Parameter(torch.full((3,), value), requires_grad=False)


@dataclass(eq=False)
class ColourObjective:
    """Learns how targets' colours follow from sources': a factor and a shift, trained in turn.

    Its terms are `near` and `small`; it counts dark sources. It remembers every draw it was given,
    every batch's prompts, and which weights required a gradient; `spoil` may change its outcome.
    """

    factor: nn.Parameter = field(default_factory=lambda: _three(1.0))
    shift: nn.Parameter = field(default_factory=lambda: _three(0.0))
    spoil: Callable[[Outcome], Outcome] = lambda outcome: outcome
    drawn: list[ColourDraw] = field(default_factory=list)
    prompts: list[tuple[str, ...]] = field(default_factory=list)
    trained: list[tuple[bool, bool]] = field(default_factory=list)
    memory_saved: int = 0
    picture_size: int = 16
    size_multiple: int = 1

    @property
    def groups(self):
        return {"colour.factor": self.factor}, {"colour.shift": self.shift}

    def group_of(self, step):
        return step % 2

    def draw(self, generator, *, count, height, width):
        return ColourDraw(noise=torch.randn(count, 3, generator=generator))

    def keep_in(self, folder):
        self.kept_in = folder

    def __call__(self, batch, draw):
        self.drawn.append(draw)
        self.prompts.append(batch.edit_prompts)
        self.trained.append((self.factor.requires_grad, self.shift.requires_grad))
        source, target = batch.source.mean((2, 3)), batch.target.mean((2, 3))
        found = source * self.factor + self.shift + 0.01 * draw.noise
        terms = {
            "near": ((found - target - 0.5) ** 2).mean(),
            "small": 0.1 * (found**2).mean(),
        }
        dark = int((source.mean(1) < 0).sum())
        return self.spoil(Outcome(terms, found, {"dark": dark}))

    def save_memory(self):
        self.memory_saved += 1

    def edit_samples(self, requests, generators):
        return [EditOutput((Edit(request.image),)) for request in requests]

    def save(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        torch.save({"factor": self.factor, "shift": self.shift}, folder / "colour.pt")


def weights_of(objective) -> dict[str, Tensor]:
    """Copies of all that an objective trains, by name."""
    return {
        name: parameter.detach().clone()
        for group in objective.groups
        for name, parameter in group.items()
    }
