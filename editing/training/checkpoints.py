"""States of a training run that it can go on from, whole or not there."""

import json
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file

from editing.errors import EditingError

_NAME = re.compile(r"checkpoint-(\d{8})")
_WEIGHTS, _OPTIMISERS, _STATE = "trained.safetensors", "optimisers.pt", "state.json"


class CheckpointError(EditingError):
    """A checkpoint that cannot be gone on from, in one line that names it and the rule."""


@dataclass(frozen=True)
class Checkpoint:
    """What a run is after `step` steps: the trained weights, and the optimisers' states.

    `identity` tells what the run is of; another run's state is not gone on from.
    """

    step: int
    identity: str
    weights: Mapping[str, torch.Tensor]
    optimisers: tuple[Mapping[str, Any], ...]


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, keep: int = 2) -> Path:
    """Writes a checkpoint below `folder`, removes all but the last `keep`, and gives its path."""
    place = folder / f"checkpoint-{checkpoint.step:08d}"
    unfinished = folder / f".{place.name}.tmp"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    weights = {
        name: value.detach().cpu().contiguous() for name, value in checkpoint.weights.items()
    }
    save_file(weights, str(unfinished / _WEIGHTS))
    torch.save(list(checkpoint.optimisers), unfinished / _OPTIMISERS)
    state = {"step": checkpoint.step, "identity": checkpoint.identity}
    (unfinished / _STATE).write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(place, ignore_errors=True)
    unfinished.replace(place)
    for old in list_checkpoints(folder)[:-keep]:
        shutil.rmtree(old)
    return place


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints below `folder`, by step."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def load_last_checkpoint(folder: Path, *, identities: Collection[str]) -> Checkpoint | None:
    """The last checkpoint below `folder`, on the CPU; None where there is none.

    It must be of a run with one of `identities`.

    Raises:
        CheckpointError: it is of another run, or damaged.
    """
    places = list_checkpoints(folder)
    if not places:
        return None
    place = places[-1]
    try:
        state = json.loads((place / _STATE).read_text(encoding="utf-8"))
        weights = load_file(str(place / _WEIGHTS))
        optimisers = torch.load(place / _OPTIMISERS, map_location="cpu", weights_only=True)
    except (OSError, ValueError, RuntimeError, EOFError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{place} is damaged ({type(error).__name__}): remove it") from error
    for name, value in weights.items():
        if not bool(torch.isfinite(value).all()):
            raise CheckpointError(f"{place} is damaged ({name} holds no finite numbers): remove it")
    if state.get("identity") not in identities:
        raise CheckpointError(
            f"{place} is of a run with other settings or data: give another --out, or remove it"
        )
    return Checkpoint(int(state["step"]), state["identity"], weights, tuple(optimisers))
