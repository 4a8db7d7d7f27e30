"""An editor that a test registers: `tint` blends a picture with a colour.

It is all that an editor can be: settings, a dial, a part of its own in the preset, regions heeded,
and a recipe that trains the one small network it has. `SPEC` and `LOADER` are its two lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from editing.editor import EditorSpec, Recipe
from editing.parts import PartLoader, Parts
from editing.pictures import picture_to_tensor, tensor_to_picture
from editing.requests import Edit, EditOutput, OnStep, Request
from editing.settings import Dial, setting
from editing.trained_part import TrainedPart
from editing.training.objective import Columns, Outcome, PairBatch
from transforms.models.files import locate
from transforms.models.spec import ModelSpec

COLOURS = {"red": (1.0, -1.0, -1.0), "green": (-1.0, 1.0, -1.0), "blue": (-1.0, -1.0, 1.0)}
NAME = "tint"
FILE = "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class TintSettings:
    """The settings of `tint`. Its `--steps` is another one's `num_inference_steps` too."""

    amount: float = setting("how much of the colour, in [0, 1]; 1 is 100 %", default=0.5)
    colour: Literal["red", "green", "blue"] = setting("what is blended in", default="red")
    steps: int = setting("how often it is blended in", default=1)
    bold: bool = setting("twice as often", default=False)

    def __post_init__(self) -> None:
        if not 0 <= self.amount <= 1:
            raise ValueError(f"amount must be in [0, 1], got {self.amount}")
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")


@dataclass(frozen=True, kw_only=True)
class TintTraining:
    """The settings of its loss."""

    pull: float = setting("factor of the only term", default=1.0)

    def __post_init__(self) -> None:
        if not self.pull > 0:
            raise ValueError(f"pull must be above 0, got {self.pull}")


class TintNetwork(nn.Module):
    """How strong each channel of the colour is."""

    def __init__(self, strength: Tensor | None = None) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.ones(3) if strength is None else strength)

    def forward(self, pictures: Tensor, colour: str, amount: Tensor | float) -> Tensor:
        """Pictures (b, 3, h, w) in [-1, 1], blended with the colour."""
        wanted = torch.tensor(COLOURS[colour]) * self.strength
        return pictures * (1 - amount) + wanted.view(1, 3, 1, 1) * amount

    def save(self, folder: Path) -> None:
        """Writes its weights."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"strength": self.strength.detach().contiguous()}, str(folder / FILE))


def load_network(spec: ModelSpec) -> TintNetwork:
    """The network in a folder."""
    return TintNetwork(load_file(str(locate(spec) / FILE))["strength"])


@dataclass(frozen=True, eq=False)
class TintEditor:
    """Blends pictures with a colour, inside their masks alone."""

    network: TintNetwork

    @torch.no_grad()
    def edit(
        self,
        requests: Sequence[Request],
        settings: TintSettings,
        generators: Sequence[torch.Generator],
        on_step: OnStep,
    ) -> list[EditOutput]:
        """The blended pictures."""
        outputs = []
        for request in requests:
            blended = picture_to_tensor(request.image)[None]
            for _ in range(settings.steps * (1 + settings.bold)):
                blended = self.network(blended, settings.colour, settings.amount)
                on_step()
            image = tensor_to_picture(blended[0])
            if request.edit_mask is not None:
                image = Image.composite(image, request.image, request.edit_mask)
            outputs.append(EditOutput((Edit(image),)))
        return outputs


@dataclass(frozen=True, kw_only=True)
class TintDraw(Columns):
    """How much of the colour each pair is blended with in a step."""

    amounts: Tensor


@dataclass(frozen=True, eq=False)
class TintObjective:
    """Red blended in shall make the pseudo-target of the source."""

    network: TintNetwork
    settings: TintTraining
    picture_size: int = 16
    size_multiple: int = 1

    @property
    def groups(self) -> tuple[dict[str, nn.Parameter], ...]:
        """The one weight."""
        return (dict(self.network.named_parameters()),)

    def group_of(self, step: int) -> int:
        """Always the same."""
        return 0

    def draw(self, generator: torch.Generator, *, count: int, height: int, width: int) -> TintDraw:
        """An amount for each pair."""
        return TintDraw(amounts=torch.rand(count, generator=generator))

    def __call__(self, batch: PairBatch, draw: TintDraw) -> Outcome:
        """How far the blended pictures are from their pseudo-targets."""
        blended = self.network(batch.source, "red", draw.amounts.view(-1, 1, 1, 1))
        loss = self.settings.pull * (blended - batch.target).square().mean()
        return Outcome({"pull": loss}, blended)

    def keep_in(self, folder: Path) -> None:
        """Nothing is worth keeping."""

    def save_memory(self) -> None:
        """There is none to save."""

    def edit_samples(
        self, requests: Sequence[Request], generators: Sequence[torch.Generator]
    ) -> list[EditOutput]:
        """Edits by the weights of now."""
        return TintEditor(self.network).edit(requests, TintSettings(), generators, lambda: None)

    def save(self, folder: Path) -> None:
        """Writes the network."""
        self.network.save(folder)


def _load(parts: Parts) -> TintEditor:
    return TintEditor(parts.load(NAME))


def _load_objective(parts: Parts, settings: TintTraining) -> TintObjective:
    return TintObjective(parts.load(NAME), settings)


SPEC: EditorSpec[Any] = EditorSpec(
    name=NAME,
    summary="a colour blended in, up to 100 %",
    load=_load,
    settings=TintSettings,
    parts=(NAME,),
    dial=Dial(setting="amount", values=(0.0, 0.5, 1.0), flag="amounts"),
    model=TrainedPart(part=NAME, loader=NAME, inside="network"),
    recipe=Recipe(settings=TintTraining, parts=lambda _: (NAME,), load=_load_objective),
)
"""What goes into `EDITORS`."""

LOADER = PartLoader(load_network, NAME)
"""What goes into `PART_LOADERS`."""


def add_to_preset(preset: Path, *, name: str) -> Path:
    """A preset like the one in the file `preset`, with a network of `tint`; its file."""
    TintNetwork().save(preset.parent / NAME)
    part = f"{NAME}: {{loader: {NAME}, location: ./{NAME}, revision: null}}\n"
    path = preset.with_name(f"{name}.yaml")
    path.write_text(preset.read_text() + part)
    return path


def tinted(
    image: Image.Image, amount: float, colour: str, strength: Sequence[float] = (1.0, 1.0, 1.0)
) -> np.ndarray:
    """What blending in `amount` of a colour once makes of a picture, computed in another way."""
    wanted = (np.array(COLOURS[colour]) * np.array(strength) + 1) * 127.5
    blended = np.asarray(image, np.float64) * (1 - amount) + wanted * amount
    return np.clip(np.round(blended), 0, 255)
