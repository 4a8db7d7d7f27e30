"""Writing an index or pairs in a process of its own: to the end, or killed on the way."""

import multiprocessing
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypeVar

import psutil

import support.silent_libraries  # noqa: F401
from indexes.layout import fingerprint
from indexes.life_cycle import begin_index
from pipelines.build.job import build_job, run_build
from pipelines.build.plan import BuildOptions, BuildPlan
from pipelines.index.job import IndexPlan, index_job, run_index
from pipelines.running.execution import Execution
from pipelines.running.sharded_job import ShardedJob, ShardUnit, run_unit
from pipelines.still_life.source import StillLifeSource
from support.still_life_job import BATCH_SIZE, Job
from transforms.dataset.folder import prepare_output
from transforms.rewrite import RewriteOptions

ShardT = TypeVar("ShardT")

SHARD_SIZE = 50
PICTURES_A_UNIT = 100
"""Few, so that a job is many small pipelines and a kill leaves some done and some not."""

SECONDS_TO_FOLLOW = 10.0


@dataclass(frozen=True, kw_only=True)
class FolderPlan:
    """One way to write the folder of an index or of pairs.

    With so many `workers`, or, where `order_seed` is given, by one and its shards in drawn order.
    """

    job: Job
    kind: str
    sources: int
    folder: Path
    workers: int = 1
    order_seed: int | None = None

    def index_plan(self) -> IndexPlan:
        """The index, written to this folder."""
        return replace(self.job.index_plan(), folder=str(self.folder))

    def build_plan(self) -> BuildPlan:
        """The pairs, written to this folder."""
        pool = self.job.pool
        source = StillLifeSource(
            count=self.sources, seed=pool.seed, shard_size=SHARD_SIZE, told=pool.told
        )
        options = BuildOptions(
            seed=pool.seed,
            captions=self.job.captions,
            batch_size=BATCH_SIZE,
            rewrite=RewriteOptions(seed=pool.seed, edits=4),
        )
        return self.job.plan(source, options, self.folder)


def write_folder(plan: FolderPlan) -> None:
    """Writes the folder, or what is missing of it, in this process."""
    if plan.order_seed is not None:
        _write_in_drawn_order(plan, random.Random(plan.order_seed))
    execution = Execution(workers=plan.workers, pictures_a_unit=PICTURES_A_UNIT)
    if plan.kind == "index":
        run_index(plan.index_plan(), execution)
    else:
        run_build(plan.build_plan(), execution)


def _write_in_drawn_order(plan: FolderPlan, rng: random.Random) -> None:
    """All shards, in pipelines of one to five."""
    if plan.kind == "index":
        index = plan.index_plan()
        description = index.description()
        begin_index(Path(index.folder), description)
        _run_in_drawn_order(index_job(index, fingerprint(description)), rng)
    else:
        build = plan.build_plan()
        prepare_output(Path(build.folder), build.configuration_hash)
        _run_in_drawn_order(build_job(build), rng)


def _run_in_drawn_order(job: ShardedJob[ShardT], rng: random.Random) -> None:
    for shards in _draw_units(list(job.shards), rng):
        pictures = sum(job.pictures(shard) for shard in shards)
        run_unit(ShardUnit(tuple(shards), pictures), job.graph)


def _draw_units(shards: list[ShardT], rng: random.Random) -> Iterator[list[ShardT]]:
    """All `shards`, in a drawn order, one to five at a time."""
    rng.shuffle(shards)
    while shards:
        size = rng.randint(1, 5)
        unit, shards = shards[:size], shards[size:]
        yield unit


def start(plan: FolderPlan) -> BaseProcess:
    """Starts a process of its own that writes the folder."""
    process = multiprocessing.get_context("spawn").Process(target=write_folder, args=(plan,))
    process.start()
    return process


def write_apart(plan: FolderPlan) -> float:
    """Writes the folder in a process of its own; the seconds from when the folder was there.

    Raises:
        RuntimeError: the process failed.
    """
    process = start(plan)
    _wait_for(plan.folder, process)
    began = time.perf_counter()
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"writing {plan.folder} ended with {process.exitcode}")
    return time.perf_counter() - began


def _wait_for(folder: Path, process: BaseProcess) -> None:
    while process.is_alive() and not folder.exists():
        time.sleep(0.02)


def kill_at(plan: FolderPlan, after: float, *, whole_family: bool) -> tuple[bool, int]:
    """Starts writing the folder and kills that `after` seconds from when the folder is there.

    Returns whether it was still running, and how many processes outlived the driver.
    """
    process = start(plan)
    _wait_for(plan.folder, process)
    process.join(timeout=after)
    if process.exitcode is not None:
        return False, 0
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    if whole_family:
        for member in family:
            _kill(member)
    process.join()
    _, left = psutil.wait_procs(family, timeout=SECONDS_TO_FOLLOW)
    for member in left:
        _kill(member)
    psutil.wait_procs(left, timeout=SECONDS_TO_FOLLOW)
    return True, len(left)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
