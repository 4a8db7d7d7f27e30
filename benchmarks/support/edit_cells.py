"""Cells of a table of editors: some edits by one editor at one setting, measured once and kept."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from editing.loading import EditorChoice, choose_editor
from editing.parts import Parts
from editing.pictures import picture_to_tensor
from editing.regions.registry import NO_REGIONS
from editing.requests import Request
from pipelines.terminal.console import show_progress
from stilllife.judge import Judge
from support.region_tasks import RegionTask, judge_edits

TOGETHER = 30
"""Edits in one pass of the networks."""

MakeEdits = Callable[[Sequence[Request], Sequence[torch.Generator]], list[Image.Image]]
"""Edited pictures, one for each request."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One editor at one setting; `regions` and `region_values` say who finds its masks.

    `model` is a run of `train` whose weights it has, None for the preset's.
    """

    editor: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    regions: str = NO_REGIONS
    region_values: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None


@dataclass(frozen=True)
class Measured:
    """What became of the edits of a cell, a number each; `seconds` of CPU an edit.

    `both` 1 where an edit is right in all, `error` what changed outside of the thing.
    """

    both: list[float]
    error: list[float]
    seconds: float

    @property
    def right(self) -> float:
        """The share of edits that are right."""
        return float(np.mean(self.both))

    @property
    def mean_error(self) -> float:
        """The mean error outside."""
        return float(np.mean(self.error))


def measure_cell(
    cell: Cell, tasks: Sequence[RegionTask], parts: Parts, judge: Judge, *, seed: int, work: Path
) -> Measured:
    """A cell's edits of the tasks, from `work` where they were measured before."""
    facts = facts_of(cell, tasks, parts, seed=seed)
    make = maker_of(cell, parts)
    return measure_edits(cell.editor, facts, make, tasks, judge, seed=seed, work=work)


def facts_of(cell: Cell, tasks: Sequence[RegionTask], parts: Parts, *, seed: int) -> list[Any]:
    """What tells a cell's edits of some tasks from all others, as plain data."""
    chosen = _choose(cell, parts)
    described = chosen.describe_edits(chosen.spec.settings(**cell.settings))
    return [asdict(cell), [task.key for task in tasks], seed, parts.dtype, described]


def file_of(name: str, facts: Sequence[Any], work: Path, *, suffix: str = ".json") -> Path:
    """Where in `work` is kept what `facts` tell from all else."""
    digest = hashlib.sha256(json.dumps(list(facts), sort_keys=True).encode()).hexdigest()[:16]
    return work / f"{name}-{digest}{suffix}"


def maker_of(cell: Cell, parts: Parts) -> MakeEdits:
    """What makes a cell's edits."""
    chosen = _choose(cell, parts)
    settings, editor = chosen.spec.settings(**cell.settings), chosen.load()

    def make(
        requests: Sequence[Request], generators: Sequence[torch.Generator]
    ) -> list[Image.Image]:
        return [output.image for output in editor.edit(requests, settings, generators)]

    return make


def _choose(cell: Cell, parts: Parts) -> EditorChoice:
    return choose_editor(
        cell.editor,
        parts,
        model=None if cell.model is None else Path(cell.model),
        regions=cell.regions,
        region_values=cell.region_values,
    )


def measure_edits(
    name: str,
    facts: Sequence[Any],
    make: MakeEdits,
    tasks: Sequence[RegionTask],
    judge: Judge,
    *,
    seed: int,
    work: Path,
) -> Measured:
    """The edits that `make` makes of tasks; `facts` tell them from all others in `work`."""
    path = file_of(name, facts, work)
    if path.exists():
        return Measured(**json.loads(path.read_text(encoding="utf-8")))
    columns: dict[str, list[float]] = {"both": [], "error": []}
    spent = 0.0
    with show_progress(f"{name} {path.stem[-16:-12]}", len(tasks), unit="edits") as advance:
        for start in range(0, len(tasks), TOGETHER):
            some = tasks[start : start + TOGETHER]
            generators = [seeded(seed, start + number) for number in range(len(some))]
            began = time.process_time()
            made = make([task.request for task in some], generators)
            spent += time.process_time() - began
            for task, image in zip(some, made, strict=True):
                verdicts = judge_edits(task, picture_to_tensor(image)[None], judge)
                columns["both"].append(verdicts.both.item())
                columns["error"].append(verdicts.error.item())
            advance(len(some))
    work.mkdir(parents=True, exist_ok=True)
    fields: dict[str, Any] = {**columns, "seconds": spent / len(tasks)}
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(fields), encoding="utf-8")
    unfinished.replace(path)
    return Measured(**fields)


def seeded(seed: int, number: int) -> torch.Generator:
    """The generator of an edit."""
    words = np.random.default_rng([seed, number]).integers(2**63)
    return torch.Generator().manual_seed(int(words))
