"""Planning a folder of more files than memory should hold: names are sorted in runs on disk."""

import heapq
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from indexes.search import Rows
from transforms.pictures.decoding import PictureLimits
from transforms.sources import folder_plan
from transforms.sources.folder_plan import (
    AnyPlan,
    FolderPlan,
    ScratchPlan,
    StoredPlan,
    plan_batch,
    write_plan,
)
from transforms.sources.same_content import find_duplicates

NAMES_HELD = 1 << 20
"""So many names are sorted in memory; of more the plan is a file."""
MOST_RUNS = 128
"""So many sorted runs are open at a time; of more, one is made."""
_READ_BYTES = 1 << 18
_ENDS = b"\0"
"""A name holds none."""
_NONE = -1


def plan_folder(
    folder: str, names: Iterable[bytes], limits: PictureLimits, *, held: int = NAMES_HELD
) -> AnyPlan:
    """The plan of a folder whose rows have `names`, in whatever order, relative to it.

    Of more than `held` names it is a file in a temporary folder, see `remove_scratch`, and what is
    held in memory does not grow with the folder.

    Raises:
        OSError: there is no room for temporary files.
        whatever `names` raises.
    """
    remaining = iter(names)
    waiting = list(islice(remaining, held + 1))
    if len(waiting) <= held:
        ordered = tuple(sorted(waiting))
        found = find_duplicates(len(ordered), lambda row: _path(folder, ordered[row]), limits)
        return FolderPlan(ordered, dict(found))
    scratch = Path(tempfile.mkdtemp(prefix="pairloom-folder-"))
    try:
        return _plan_on_disk(folder, waiting, remaining, limits, scratch=scratch, held=held)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def remove_scratch(plan: ScratchPlan) -> None:
    """Removes the file of a plan that `plan_folder` gave, and the folder made for it."""
    shutil.rmtree(Path(plan.path).parent, ignore_errors=True)


def _plan_on_disk(
    folder: str,
    waiting: list[bytes],
    remaining: Iterator[bytes],
    limits: PictureLimits,
    *,
    scratch: Path,
    held: int,
) -> ScratchPlan:
    runs: list[Path] = []
    while waiting:
        waiting.sort()
        runs.append(_write_run(waiting, scratch / f"{len(runs)}.run"))
        if len(runs) == MOST_RUNS:
            merged = _write_run(_merge(runs), scratch / "merged")
            for run in runs:
                run.unlink()
            runs = [merged.replace(scratch / "0.run")]
        waiting = list(islice(remaining, held))
    unchecked = write_plan(_without_repeats(_merge(runs)), scratch / "names")
    repeats = np.lib.format.open_memmap(
        scratch / "repeats.npy", mode="w+", dtype=np.int64, shape=(unchecked.rows,)
    )
    repeats[:] = _NONE
    for row, first in find_duplicates(
        unchecked.rows, lambda row: _path(folder, unchecked.name(row)), limits
    ):
        repeats[row] = first
    plan = write_plan(_with_repeats(unchecked, repeats), scratch)
    del repeats
    (scratch / "repeats.npy").unlink()
    for leftover in (*runs, Path(unchecked.path)):
        leftover.unlink()
    return ScratchPlan(plan.path, plan.sha256, plan.rows)


def _path(folder: str, name: bytes) -> Path:
    return Path(folder, os.fsdecode(name))


def _write_run(names: Iterable[bytes], path: Path) -> Path:
    with path.open("wb") as file:
        file.writelines(name + _ENDS for name in names)
    return path


def _merge(runs: list[Path]) -> Iterator[bytes]:
    """The names of all runs, each of which is sorted, in order."""
    with ExitStack() as opened:
        files = [opened.enter_context(run.open("rb")) for run in runs]
        yield from heapq.merge(*map(_read_run, files))


def _read_run(file: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while block := file.read(_READ_BYTES):
        *names, rest = (rest + block).split(_ENDS)
        yield from names


def _without_repeats(names: Iterator[bytes]) -> Iterator[pa.RecordBatch]:
    while some := list(islice(names, folder_plan.ROWS_A_BATCH)):
        yield plan_batch(some, [None] * len(some))


def _with_repeats(plan: StoredPlan, repeats: Rows) -> Iterator[pa.RecordBatch]:
    for start in range(0, plan.rows, folder_plan.ROWS_A_BATCH):
        some = repeats[start : start + folder_plan.ROWS_A_BATCH].tolist()
        yield plan_batch(
            [plan.name(start + number) for number in range(len(some))],
            [None if first == _NONE else first for first in some],
        )
