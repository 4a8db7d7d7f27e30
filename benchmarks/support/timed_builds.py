"""Builds of pairs, timed: by a plain loop, by the Beam graph with one worker, and with two."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipelines.build.job import run_build
from pipelines.build.plain_loop import plain_build
from pipelines.build.plan import BuildOptions, BuildPlan
from pipelines.running.execution import Execution
from pipelines.still_life.source import StillLifeSource
from support.still_life_job import BATCH_SIZE, Job
from transforms.rewrite import RewriteOptions


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock, and of the processor in all processes together."""

    clock: float
    processor: float


def plan(job: Job, sources: int, folder: Path, *, shard_size: int) -> BuildPlan:
    """Pairs for the first `sources` pictures of the pool's seed."""
    source = StillLifeSource(
        count=sources, seed=job.pool.seed, shard_size=shard_size, told=job.pool.told
    )
    options = BuildOptions(
        seed=job.pool.seed,
        captions=job.captions,
        batch_size=BATCH_SIZE,
        rewrite=RewriteOptions(seed=job.pool.seed, edits=4),
    )
    return job.plan(source, options, folder)


def measure_way(way: str, build: BuildPlan) -> tuple[Spent, dict[str, float]]:
    """What one build took, and the seconds of its stages; of a plain loop these are not known."""
    if way != "plain loop":
        return measure_build(build, workers=2 if way == "two workers" else 1)
    before, began = _processor_seconds(), time.perf_counter()
    plain_build(build)
    return _spent_since(before, began), {}


def measure_build(build: BuildPlan, workers: int) -> tuple[Spent, dict[str, float]]:
    """What one build by the Beam graph took, and the seconds of its stages."""
    before, began = _processor_seconds(), time.perf_counter()
    seconds = run_build(build, Execution(workers=workers)).seconds
    return _spent_since(before, began), seconds


def _spent_since(before: float, began: float) -> Spent:
    clock = time.perf_counter() - began
    return Spent(clock=clock, processor=_processor_seconds() - before)


def _processor_seconds() -> float:
    """Of this process, of all that it started, and of the workers these started and saw end."""
    own = psutil.Process()
    return sum(sum(process.cpu_times()[:4]) for process in (own, *own.children()))


def shard_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every shard's files."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*-of-*"))
    }
