"""Build time against a plain loop, and of two workers against one.

    python benchmarks/throughput.py [--sources N] [--pool N] [--rounds N] [--seed N] [--json]

The pool is indexed once. Then, in each round, the same pairs are built three times, one after
another, each in a process of its own and into a fresh folder: by `pipelines.build.plain_loop` (a
`for` loop over the same functions and networks), by the Beam graph with one worker, and with two.
Times run from the plan to the last file, loading of networks included. Each ratio compares two runs
of one round, so that what else the machine does weighs on both; the median over the rounds is what
counts. Processor seconds (of all processes) are shown as well: a busy machine stretches the clock,
not them. All three builds must have made the same bytes.
"""

import argparse
import hashlib
import shutil
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from support.processes import call_apart
from support.reporting import Target, at_least, at_most, finish
from support.still_life_job import BATCH_SIZE, SHARD_SIZE, Job, add_job_flags, open_job, open_work

from pipelines.build.job import run_build
from pipelines.build.plain_loop import plain_build
from pipelines.build.plan import BuildOptions, BuildPlan
from pipelines.index.command import print_index_summary
from pipelines.running.execution import Execution
from pipelines.still_life.source import StillLifeSource
from pipelines.terminal.console import print_table
from transforms.rewrite import RewriteOptions

WAYS = ("plain loop", "one worker", "two workers")
RATIOS = {
    "one worker / plain loop": ("one worker", "plain loop"),
    "one worker / two workers": ("one worker", "two workers"),
}


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock, and of the processor in all processes together."""

    clock: float
    processor: float


def plan(job: Job, sources: int, folder: Path, *, shard_size: int = SHARD_SIZE) -> BuildPlan:
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


def run_way(way: str, job: Job, sources: int, folder: Path) -> Spent:
    """One build, timed; to be called in a process of its own."""
    return measure_way(way, plan(job, sources, folder))[0]


def measure_way(way: str, build: BuildPlan) -> tuple[Spent, dict[str, float]]:
    """What one build took, and the seconds of its stages; of a plain loop these are not known."""
    before, began = _processor_seconds(), time.perf_counter()
    seconds: dict[str, float] = {}
    if way == "plain loop":
        plain_build(build)
    else:
        seconds = run_build(build, Execution(workers=2 if way == "two workers" else 1)).seconds
    clock = time.perf_counter() - began
    return Spent(clock=clock, processor=_processor_seconds() - before), seconds


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


def measure_round(job: Job, sources: int) -> dict[str, Spent]:
    """The three builds, one after another; their bytes must be the same.

    Raises:
        RuntimeError: they are not.
    """
    spent, hashes = {}, {}
    for way in WAYS:
        folder = job.work / f"pairs-{way.replace(' ', '-')}"
        shutil.rmtree(folder, ignore_errors=True)
        spent[way] = call_apart(run_way, way, job, sources, folder)
        hashes[way] = shard_hashes(folder)
        print(f"  {way}: {spent[way].clock:.1f} s", flush=True)
        if hashes[way] != hashes[WAYS[0]]:
            raise RuntimeError(f"the bytes of {way} are not those of {WAYS[0]}")
        shutil.rmtree(folder)
    return spent


def main() -> None:
    """Indexes, builds in rounds, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=int, default=5_000, help="default 5000")
    parser.add_argument("--pool", type=int, default=5_000, help="pictures in it (default 5000)")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--workers", type=int, default=1, help="for making the index")
    add_job_flags(parser)
    arguments = parser.parse_args()
    with open_work(arguments) as work:
        job = open_job(arguments, work, pool=arguments.pool)
        print_index_summary(job.index(workers=arguments.workers))
        rounds = []
        for number in range(arguments.rounds):
            print(f"round {number + 1} of {arguments.rounds}", flush=True)
            rounds.append(measure_round(job, arguments.sources))
    rows = [(way, *(median(rounds, way, name) for name in ("clock", "processor"))) for way in WAYS]
    per_source = [(*row, row[1] / arguments.sources * 1000) for row in rows]
    print_table(
        f"{arguments.sources} sources, median of {arguments.rounds} rounds",
        per_source,
        columns=("", "seconds", "processor seconds", "ms a source"),
    )
    ratios = {
        name: [spent[above].clock / spent[below].clock for spent in rounds]
        for name, (above, below) in RATIOS.items()
    }
    processor = median(rounds, "one worker", "processor") / median(
        rounds, "plain loop", "processor"
    )
    print_table(
        "ratios",
        [(name, statistics.median(found), min(found), max(found)) for name, found in ratios.items()]
        + [("processor seconds, one worker / plain loop", processor)],
        columns=("", "median", "least", "greatest"),
    )
    figures = {
        "sources": arguments.sources,
        "pool": arguments.pool,
        "rounds": arguments.rounds,
        "seconds": {way: median(rounds, way, "clock") for way in WAYS},
        "processor_seconds": {way: median(rounds, way, "processor") for way in WAYS},
        "graph_to_plain_loop": statistics.median(ratios["one worker / plain loop"]),
        "graph_to_plain_loop_processor": processor,
        "two_workers_speedup": statistics.median(ratios["one worker / two workers"]),
    }
    finish(arguments, figures=figures, targets=list_targets(figures))


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """What the graph may cost beside a plain loop, and what two workers bring."""
    return [
        Target(
            name="seconds of the graph / of a plain loop, one worker",
            value=figures["graph_to_plain_loop"],
            bound=at_most(1.15),
        ),
        Target(
            name="seconds of one worker / of two",
            value=figures["two_workers_speedup"],
            bound=at_least(1.6),
        ),
    ]


def median(rounds: list[dict[str, Spent]], way: str, name: str) -> float:
    """The median over the rounds of one time of one way."""
    times: list[float] = [getattr(spent[way], name) for spent in rounds]
    return statistics.median(times)


if __name__ == "__main__":
    main()
