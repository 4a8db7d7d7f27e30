"""What an edit by FlexIT takes of one core, and which of its parts take it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from editing.parts import Parts
from editing.regions.segmenter_spec import SEGMENTER, SegmenterSettings
from support.edit_cells import Cell, maker_of, seeded
from support.flexit_rows import DEFAULT, list_cells
from support.region_tasks import RegionTask

LEFT_OUT = {
    "the captioner": "flexit, no captioner",
    "the diffusion model's direction": "flexit, no prior",
}
"""Parts by the rows that are made without them."""


def time_edits(tasks: Sequence[RegionTask], parts: Parts) -> dict[str, object]:
    """CPU seconds of an edit, one at a time: whole, and by its parts.

    A part that a row is made without is what that row takes less; the rest is encoding, decoding
    and the encoders with the way back. `parts` must compute on the CPU.
    """
    rows = list_cells(1)

    def seconds_of(row: str) -> float:
        (cell,) = rows[row].values()
        return _time(_edit_by(cell, parts), tasks)

    (default,) = rows[DEFAULT].values()
    short = replace(default, settings={**default.settings, "steps": 1})
    _edit_by(short, parts)(tasks[0], 0)  # what is made once, when networks are first used
    finder = SEGMENTER.load(parts, SegmenterSettings())
    found = _time(lambda task, number: finder.find([task.request], [seeded(0, number)]), tasks)
    whole = seconds_of(DEFAULT)
    shares = {name: max(0.0, whole - seconds_of(row)) for name, row in LEFT_OUT.items()}
    shares["finding the region"] = found
    shares["autoencoder and encoders"] = whole - sum(shares.values())
    return {"edit": whole, "parts": shares, "edits": len(tasks), "dtype": parts.dtype}


def _edit_by(cell: Cell, parts: Parts) -> Callable[[RegionTask, int], object]:
    make = maker_of(cell, parts)
    return lambda task, number: make([task.request], [seeded(0, number)])


def _time(edit: Callable[[RegionTask, int], object], tasks: Sequence[RegionTask]) -> float:
    """CPU seconds of one."""
    began = time.process_time()
    for number, task in enumerate(tasks):
        edit(task, number)
    return (time.process_time() - began) / len(tasks)
