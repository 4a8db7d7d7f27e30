"""The same bytes, whoever makes them: one worker, two, another order, killed and resumed.

    python benchmarks/identical_bytes.py [--trials N] [--pool N] [--sources N] [--seed N] [--json]

Index and pairs are made by one worker, few pictures to a pipeline: these are the bytes that all
else is compared with. Then by two workers; then with the source's shards in a drawn order, in
pipelines of drawn sizes; then, 20 times by default, by one or two workers whose driver, or whole
family of processes, is killed (SIGKILL) at a moment drawn from the time the run takes, and which
then run again to the end. Every file of a finished folder is hashed but the one that holds times.

After each kill the folder is looked at: it must not say that it is finished unless it is, and what
its receipts vouch for must be whole. Processes that outlive the driver by ten seconds are counted.
"""

import argparse
import hashlib
import random
import shutil
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from support.job_process import SHARD_SIZE, Making, finish, kill_at
from support.still_life_job import Job, add_job_flags, open_job, open_work

from indexes.layout import Part, fingerprint
from indexes.parts import read_part
from pipelines.terminal.console import format_seconds, print_json_line, print_table
from transforms.dataset.folder import COMPLETED, RUN_SUMMARY
from transforms.dataset.shards import read_receipts

KINDS = ("index", "pairs")
RECEIPTS = {"index": "metadata/metadata_*.parquet", "pairs": "shard-*.json"}
"""What is written last of a shard."""

Hashes = dict[str, str]


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
    parser.add_argument("--pool", type=int, default=600, help="pictures in it (default 600)")
    parser.add_argument("--sources", type=int, default=600, help="default 600")
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
