"""The same bytes, whoever makes them: one worker, two, another order, killed and resumed.

    python benchmarks/identical_bytes.py [--trials N] [--pool N] [--sources N] [--seed N] [--json]

Index and pairs are made by one worker: these are the bytes that all else is compared with. Then by
two workers; then with the source's shards in a drawn order, in pipelines of drawn sizes; then, 20
times by default, by one or two workers whose driver, or whole family of processes, is killed
(SIGKILL) at a moment drawn from the time the run takes, and which then run again to the end. Every
file of a finished folder is hashed but the one that holds times.

After each kill the folder is looked at: it must not say that it is finished unless it is, and what
its receipts vouch for must be whole. Processes that outlive the driver by ten seconds are counted.
"""

import argparse
import hashlib
import multiprocessing
import random
import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
from still_life_job import BATCH_SIZE, Job, add_job_flags, open_job, open_work

from indexes.finish import begin_index
from indexes.layout import Part, fingerprint
from indexes.parts import read_part
from pipelines.build_job import BuildUnit, run_build, run_build_unit
from pipelines.build_plan import BuildOptions, BuildPlan
from pipelines.console import format_seconds, print_json_line, print_table, quieten
from pipelines.execution import Execution
from pipelines.index_job import IndexPlan, IndexUnit, run_index, run_index_unit
from pipelines.still_life_source import StillLifeSource
from transforms.index_parts import IndexShard
from transforms.output import COMPLETED, RUN_SUMMARY, prepare_output
from transforms.rewrite import RewriteOptions
from transforms.shards import OutputShard, read_receipts

KINDS = ("index", "pairs")
RECEIPTS = {"index": "metadata/metadata_*.parquet", "pairs": "shard-*.json"}
"""What is written last of a shard."""
SHARD_SIZE = 125
SECONDS_TO_FOLLOW = 10.0

Hashes = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Making:
    """One way to make one folder: how many workers, or a drawn order of shards."""

    job: Job
    kind: str
    sources: int
    folder: Path
    workers: int = 1
    order_seed: int | None = None

    def index_plan(self) -> IndexPlan:
        """The index, into this folder."""
        return replace(self.job.index_plan(), folder=str(self.folder))

    def build_plan(self) -> BuildPlan:
        """The pairs, into this folder."""
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


def make(making: Making) -> None:
    """Makes the folder, or what is missing of it."""
    quieten()
    if making.order_seed is not None:
        _make_in_drawn_order(making, random.Random(making.order_seed))
    execution = Execution(workers=making.workers)
    if making.kind == "index":
        run_index(making.index_plan(), execution)
    else:
        run_build(making.build_plan(), execution)


def _make_in_drawn_order(making: Making, rng: random.Random) -> None:
    """All shards, in pipelines of one to five."""
    plan = making.index_plan() if making.kind == "index" else making.build_plan()
    shards = list(enumerate(plan.source.shards()))
    total = len(shards)
    rng.shuffle(shards)
    if isinstance(plan, IndexPlan):
        begin_index(making.folder, plan.description())
    else:
        prepare_output(making.folder, plan.configuration_hash)
    while shards:
        size = rng.randint(1, 5)
        unit, shards = shards[:size], shards[size:]
        if isinstance(plan, IndexPlan):
            parts = tuple((IndexShard(n, total, shard.name), shard) for n, shard in unit)
            run_index_unit(IndexUnit(parts), plan, fingerprint(plan.description()))
        else:
            outputs = tuple((OutputShard(n, total, shard.name), shard) for n, shard in unit)
            run_build_unit(BuildUnit(outputs), plan)


def start(making: Making) -> BaseProcess:
    """A process of its own that makes the folder."""
    process = multiprocessing.get_context("spawn").Process(target=make, args=(making,))
    process.start()
    return process


def finish(making: Making) -> float:
    """Makes the folder in a process of its own; the seconds from when the folder was there.

    Raises:
        RuntimeError: the process failed.
    """
    process = start(making)
    _wait_for(making.folder, process)
    began = time.perf_counter()
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"making {making.folder} ended with {process.exitcode}")
    return time.perf_counter() - began


def _wait_for(folder: Path, process: BaseProcess) -> None:
    while process.is_alive() and not folder.exists():
        time.sleep(0.02)


def hash_folder(folder: Path) -> Hashes:
    """SHA-256 of every file below `folder` but for the run's times, by its path there."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != RUN_SUMMARY
    }


def differing(found: Hashes, wanted: Hashes) -> list[str]:
    """The files that are not the same in both."""
    return sorted(name for name in found.keys() | wanted if found.get(name) != wanted.get(name))


def kill_at(making: Making, after: float, *, whole_family: bool) -> tuple[bool, int]:
    """Starts making and kills it `after` seconds from when its folder is there.

    Returns whether it was still running, and how many processes outlived the driver.
    """
    process = start(making)
    _wait_for(making.folder, process)
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


def false_claims(making: Making, wanted: Hashes) -> list[str]:
    """What a killed run's folder says is whole and is not."""
    found = hash_folder(making.folder)
    if COMPLETED in found:
        return differing(found, wanted)
    vouched: list[str] = []
    if making.kind == "pairs":
        for receipt in read_receipts(making.folder):
            vouched += [file.name for file in receipt.files]
    else:
        plan = making.index_plan()
        mark, total = fingerprint(plan.description()), len(plan.source.shards())
        for number in range(total):
            part = Part(number, total)
            if read_part(making.folder, part, fingerprint=mark) is not None:
                paths = part.paths(making.folder)
                vouched += [str(path.relative_to(making.folder)) for path in paths]
    return [name for name in vouched if found.get(name) != wanted[name]]


class Comparison:
    """Makes one kind of folder in all ways and keeps count of what differed."""

    def __init__(self, reference: Making) -> None:
        self._reference = reference
        self.seconds = {1: finish(reference)}
        self.wanted = hash_folder(reference.folder)
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []

    def compare(self, name: str, making: Making) -> None:
        """Makes the folder in another way, to the end, and compares."""
        seconds = finish(making)
        if making.order_seed is None:
            self.seconds.setdefault(making.workers, seconds)
        self._check(name, making)

    def interrupt(self, number: int, rng: random.Random, making: Making) -> None:
        """Kills the making of the folder at a drawn moment, looks, finishes and compares."""
        after = rng.uniform(0, self.seconds[making.workers])
        whole_family = rng.random() < 0.5
        killed, left = kill_at(making, after, whole_family=whole_family)
        self.counts["killed" if killed else "ended before the kill"] += 1
        self.counts["processes left over"] += left
        claims = false_claims(making, self.wanted)
        written = len(list(making.folder.glob(RECEIPTS[making.kind])))
        self.counts["killed with some shards written"] += killed and written > 0
        self.faults += [f"kill {number} of {making.kind}: {name} is claimed" for name in claims]
        finish(making)
        self._check(f"kill {number}", making)

    def _check(self, name: str, making: Making) -> None:
        differ = differing(hash_folder(making.folder), self.wanted)
        self.faults += [f"{name} of {making.kind}: {each} differs" for each in differ]
        self.counts["compared"] += 1
        state = "the same" if not differ else f"{len(differ)} files differ"
        print(f"  {making.kind}, {name}: {state}", flush=True)
        shutil.rmtree(making.folder)


def measure(job: Job, *, sources: int, trials: int) -> dict[str, Comparison]:
    """Index and pairs in all ways."""
    comparisons = {}
    for kind in KINDS:
        folder = job.index_folder if kind == "index" else job.work / "pairs"
        reference = Making(job=job, kind=kind, sources=sources, folder=folder)
        comparison = Comparison(reference)
        taken = format_seconds(comparison.seconds[1])
        print(f"{kind}: {len(comparison.wanted)} files in {taken}", flush=True)
        other = replace(reference, folder=job.work / f"other-{kind}")
        comparison.compare("two workers", replace(other, workers=2))
        comparison.compare("another order", replace(other, order_seed=job.pool.seed))
        rng = random.Random(f"{job.pool.seed} {kind}")
        for number in range(1, trials + 1):
            comparison.interrupt(number, rng, replace(other, workers=rng.choice((1, 2))))
        comparisons[kind] = comparison
    return comparisons


def main() -> int:
    """Makes, kills, compares; the exit code is 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20, help="kills of each kind (default 20)")
    parser.add_argument("--pool", type=int, default=1_500, help="pictures in it (default 1500)")
    parser.add_argument("--sources", type=int, default=1_500, help="default 1500")
    add_job_flags(parser)
    arguments = parser.parse_args()
    with open_work(arguments) as work:
        # What was begun before would spoil the times that kills are drawn from.
        place = work / "identical-bytes"
        shutil.rmtree(place, ignore_errors=True)
        job = open_job(arguments, place, pool=arguments.pool, shard_size=SHARD_SIZE)
        found = measure(job, sources=arguments.sources, trials=arguments.trials)
    faults = [fault for comparison in found.values() for fault in comparison.faults]
    names = list(dict.fromkeys(name for one in found.values() for name in one.counts))
    print_table(
        "identical bytes",
        [("files compared each time", *(len(one.wanted) for one in found.values()))]
        + [(name, *(one.counts[name] for one in found.values())) for name in names],
        columns=("", *found),
    )
    for fault in faults:
        print(fault)
    print("all bytes are the same" if not faults else f"{len(faults)} faults")
    if arguments.json:
        print_json_line(
            {
                "seed": arguments.seed,
                "identical": not faults,
                "faults": faults,
                "files": {kind: len(one.wanted) for kind, one in found.items()},
                "counts": {kind: dict(one.counts) for kind, one in found.items()},
            }
        )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
