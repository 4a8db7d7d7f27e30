"""Peak memory of a large collection against a small one, through the whole command line.

    python benchmarks/memory.py [--small N] [--large N] [--workers N] [--seed N] [--json]

For each size a collection of so many still lifes is indexed, and pairs are built with all of it as
sources, so that everything that could grow with the collection does. Each command runs in a process
of its own; the resident memory of it and of all processes below it is summed many times a second,
and the greatest sum counts. Memory that several processes share is counted for each of them.
"""

import argparse
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from support.reporting import Target, at_most, finish
from support.still_life_job import (
    SHARD_SIZE,
    add_job_flags,
    command,
    environment,
    open_work,
    source_file,
)

from pipelines.still_life.source import StillLifeSource
from pipelines.terminal.console import format_seconds, print_table

SECONDS_BETWEEN_LOOKS = 0.1
JOBS = ("index", "build")


@dataclass(frozen=True)
class Peak:
    """Greatest resident memory in MiB of a command and all below it, and how long it took."""

    mib: float
    seconds: float


def watch(words: list[str], log: Path) -> Peak:
    """Runs a command to its end and watches its memory; what it says goes to `log`.

    Raises:
        RuntimeError: it failed.
    """
    began, greatest = time.perf_counter(), 0
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output, env=environment())
        top = psutil.Process(process.pid)
        while process.poll() is None:
            greatest = max(greatest, resident_bytes(top))
            time.sleep(SECONDS_BETWEEN_LOOKS)
    if process.returncode != 0:
        lines = log.read_text(errors="replace").splitlines() or [""]
        raise RuntimeError(f"{' '.join(words[2:])} ended with {process.returncode}: {lines[-1]}")
    return Peak(mib=greatest / 2**20, seconds=time.perf_counter() - began)


def resident_bytes(top: psutil.Process) -> int:
    """Resident memory of a process and all below it, summed; 0 where it has just ended."""
    try:
        family = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    total = 0
    for process in family:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def measure(arguments: argparse.Namespace, work: Path, count: int) -> dict[str, Peak]:
    """Index and build of a collection of `count` pictures."""
    folder = work / f"pictures-{count}"
    folder.mkdir(exist_ok=True)
    collection = StillLifeSource(
        count=count, seed=arguments.seed, shard_size=SHARD_SIZE, told=arguments.told
    )
    source = source_file(folder / "source.yaml", collection)
    usual = (
        *("--preset", arguments.preset, "--workers", arguments.workers),
        *("--seed", arguments.seed, "--captions", "source" if arguments.told else "model"),
    )
    index = folder / "index"
    words = {
        "index": command("index", source, "--out", index, *usual),
        "build": command("build", source, "--index", index, "--out", folder / "pairs", *usual),
    }
    peaks = {}
    for job in JOBS:
        peaks[job] = watch(words[job], folder / f"{job}.log")
        peak = peaks[job]
        print(f"  {job}: {peak.mib:.0f} MiB in {format_seconds(peak.seconds)}", flush=True)
    return peaks


def main() -> None:
    """Measures both sizes and prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", type=int, default=5_000, help="default 5000")
    parser.add_argument("--large", type=int, default=50_000, help="default 50000")
    parser.add_argument("--workers", type=int, default=1)
    add_job_flags(parser)
    arguments = parser.parse_args()
    peaks = {}
    with open_work(arguments) as work:
        for size in ("small", "large"):
            count = getattr(arguments, size)
            print(f"{count} pictures", flush=True)
            peaks[size] = measure(arguments, work, count)
    ratios = {job: peaks["large"][job].mib / peaks["small"][job].mib for job in JOBS}
    print_table(
        "peak resident memory, MiB",
        [(job, peaks["small"][job].mib, peaks["large"][job].mib, ratios[job]) for job in JOBS],
        columns=("", f"{arguments.small} pictures", f"{arguments.large} pictures", "ratio"),
    )
    figures = {
        "workers": arguments.workers,
        "sources": {"small": arguments.small, "large": arguments.large},
        "peak_mib": {size: {job: found[job].mib for job in JOBS} for size, found in peaks.items()},
        "ratio": ratios,
        "greatest_ratio": max(ratios.values()),
    }
    finish(arguments, figures=figures, targets=list_targets(figures))


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """Memory hardly grows with the collection."""
    return [
        Target(
            name=f"peak memory of {job}, large / small",
            value=figures["ratio"][job],
            bound=at_most(1.25),
        )
        for job in JOBS
    ]


if __name__ == "__main__":
    main()
