"""What a source costs as a build grows, with its pool.

    python benchmarks/growth.py [--sizes N ...] [--workers N] [--told] [--seed N] [--json]

A pool of still lifes, as many as the largest number of sources, is indexed once; then pairs are
built of the first so many of them, from the fewest to the most, each build in a process of its own
that starts its workers. Counted are processor seconds of all processes, which other work on the
machine stretches less than the clock, by a fifth all the same where it fills the other cores; of
every stage they are told apart, since most stages do the same in a build of any size. What a build
costs however small it is (libraries, models) makes a source of a small build dear, so the largest
build is compared with the smallest and with the cheapest of the others. Shards are of 1000 sources,
and search is what it is for such a pool: inverted lists above 50 000 pictures.
"""

import argparse
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.processes import call_apart
from support.reporting import Target, at_most, finish
from support.still_life_job import Job, add_job_flags, open_job, open_work
from support.timed_builds import measure_build, plan

from pipelines.terminal.console import print_table

SHARD_SIZE = 1_000


def index(job: Job, workers: int) -> float:
    """Seconds of indexing the job's pool, or what is missing of it."""
    began = time.perf_counter()
    job.index(workers=workers)
    return time.perf_counter() - began


def build(job: Job, sources: int, workers: int, folder: Path) -> dict[str, Any]:
    """What a build of so many sources took a source, in ms; to be called in its own process."""
    spent, stages = measure_build(plan(job, sources, folder, shard_size=SHARD_SIZE), workers)
    return {
        "sources": sources,
        "processor_ms": 1000 * spent.processor / sources,
        "clock_ms": 1000 * spent.clock / sources,
        "stage_ms": {name: 1000 * seconds / sources for name, seconds in sorted(stages.items())},
    }


def measure(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Indexes the largest pool, builds at each size."""
    sizes = sorted(arguments.sizes)
    job = open_job(arguments, work, pool=sizes[-1], shard_size=SHARD_SIZE)
    indexing = call_apart(index, job, arguments.workers)
    print(f"{sizes[-1]} pictures indexed in {indexing:.0f} s", flush=True)
    builds = []
    for sources in sizes:
        folder = work / f"pairs-{sources}"
        shutil.rmtree(folder, ignore_errors=True)
        builds.append(call_apart(build, job, sources, arguments.workers, folder))
        shutil.rmtree(folder)
        print(f"{sources} sources: {builds[-1]['processor_ms']:.1f} ms a source", flush=True)
    *smaller, largest = (one["processor_ms"] for one in builds)
    return {
        "workers": arguments.workers,
        "told": arguments.told,
        "index_seconds": indexing,
        "builds": builds,
        "growth": largest / min(smaller),
    }


def main() -> None:
    """Indexes, builds ever more, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=(1_000, 10_000, 100_000),
        help="sources (default 1000 10000 100000)",
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="default: one for each core"
    )
    add_job_flags(parser)
    arguments = parser.parse_args()
    if len(set(arguments.sizes)) < 2 or min(arguments.sizes) < 1 or arguments.workers < 1:
        parser.error("--sizes must be at least two numbers above 0, --workers at least 1")
    with open_work(arguments) as work:
        figures = measure(arguments, work)
    stages = list(figures["builds"][-1]["stage_ms"])
    print_table(
        f"ms a source, {arguments.workers} workers",
        [
            (
                one["sources"],
                one["clock_ms"],
                one["processor_ms"],
                *(one["stage_ms"].get(name, 0.0) for name in stages),
            )
            for one in figures["builds"]
        ],
        columns=("sources", "by the clock", "of processors", *stages),
    )
    finish(arguments, figures=figures, targets=list_targets(figures))


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """How a source's cost may grow."""
    few, *_, many = figures["builds"]
    return [
        Target(
            name=f"processor seconds a source, {many['sources']} sources / {beside}",
            value=value,
            bound=at_most(1.15, kind="aim"),
        )
        for beside, value in (
            (few["sources"], many["processor_ms"] / few["processor_ms"]),
            (f"the cheapest build from {few['sources']} on", figures["growth"]),
        )
    ]


if __name__ == "__main__":
    main()
