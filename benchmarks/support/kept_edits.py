"""The edits of a cell themselves, kept as pictures: made once, and measured in any way after."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from editing.parts import Parts
from pipelines.terminal.console import show_progress
from support.devices import describe_device, wait_for
from support.edit_cells import TOGETHER, Cell, facts_of, file_of, maker_of, seeded
from support.region_tasks import RegionTask
from transforms.pictures.decoding import encode_png


@dataclass(frozen=True, eq=False)
class KeptEdits:
    """Edited pictures of one size, one for each task, and how they were made.

    `seconds` of an edit: of CPU where they were made on a CPU, else of time; `device` says where.
    """

    pictures: npt.NDArray[np.uint8]
    seconds: float
    device: str

    @property
    def images(self) -> list[Image.Image]:
        """The pictures."""
        return [Image.fromarray(each) for each in self.pictures]


def keep_edits(
    cell: Cell,
    tasks: Sequence[RegionTask],
    parts: Parts,
    *,
    seed: int,
    work: Path,
    together: int = TOGETHER,
) -> KeptEdits:
    """A cell's edits of the tasks, from `work` where they were made before.

    `together` are edited in one pass of the networks; where they are made does not tell edits
    apart, so that edits of a card are measured elsewhere.
    """
    path = file_of(cell.editor, facts_of(cell, tasks, parts, seed=seed), work, suffix=".npz")
    if path.exists():
        return _read(path)
    make, device = maker_of(cell, parts), parts.device or "cpu"
    clock = time.process_time if device == "cpu" else time.perf_counter
    made: list[Image.Image] = []
    spent = 0.0
    with show_progress(path.stem[: -len("0123456789ab")], len(tasks), unit="edits") as advance:
        for start in range(0, len(tasks), together):
            some = tasks[start : start + together]
            generators = [seeded(seed, start + number) for number in range(len(some))]
            began = clock()
            made += make([task.request for task in some], generators)
            wait_for(device)
            spent += clock() - began
            advance(len(some))
    found = KeptEdits(
        np.stack([np.asarray(image) for image in made]),
        spent / len(tasks),
        describe_device(device),
    )
    work.mkdir(parents=True, exist_ok=True)
    _write(found, path)
    return found


def _write(kept: KeptEdits, path: Path) -> None:
    tall = Image.fromarray(np.concatenate(list(kept.pictures)))
    unfinished = path.with_suffix(".tmp")
    with unfinished.open("wb") as file:
        np.savez(
            file,
            png=np.frombuffer(encode_png(tall), np.uint8),
            count=len(kept.pictures),
            seconds=kept.seconds,
            device=kept.device,
        )
    unfinished.replace(path)


def _read(path: Path) -> KeptEdits:
    with np.load(path, allow_pickle=False) as fields:
        image = Image.open(BytesIO(fields["png"].tobytes()), formats=["PNG"])
        pictures = np.asarray(image.convert("RGB"))
        pictures = pictures.reshape(int(fields["count"]), -1, *pictures.shape[1:])
        return KeptEdits(pictures, float(fields["seconds"]), str(fields["device"]))
