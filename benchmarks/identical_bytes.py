"""The same bytes, whoever writes them: one worker, two, another order, killed and resumed.

    python benchmarks/identical_bytes.py [--trials N] [--pool N] [--sources N] [--seed N] [--json]

Index and pairs are written by one worker, few pictures to a pipeline: these are the bytes that all
else is compared with. Then by two workers; then with the source's shards in a drawn order, in
pipelines of drawn sizes; then, 20 times by default, by one or two workers whose driver, or whole
family of processes, is killed (SIGKILL) at a moment drawn from the time that takes, and which
then go on to the end. Every file of a finished folder is hashed but the one that holds times.

After each kill the folder is looked at: it must not say that it is finished unless it is, and what
its receipts vouch for must be whole. Processes that outlive the driver by ten seconds are counted.
"""

import argparse
import hashlib
import random
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.intervals import wilson
from support.job_process import SHARD_SIZE, FolderPlan, kill_at, write_apart
from support.reporting import Target, at_least, at_most, finish
from support.still_life_job import Job, add_job_flags, open_job, open_work

from indexes.folder_lock import LOCK_FILE
from indexes.layout import Part, fingerprint
from indexes.parts import read_part
from pipelines.terminal.console import format_seconds, print_table
from transforms.dataset.folder import COMPLETED, RUN_SUMMARY
from transforms.dataset.shards import read_receipts

KINDS = ("index", "pairs")
RECEIPTS = {"index": "metadata/metadata_*.parquet", "pairs": "shard-*.json"}
"""What is written last of a shard."""
COUNTED = (
    "compared",
    "the same",
    "killed",
    "killed with some shards written",
    "ended before the kill",
    "false claims",
    "processes left over",
)

Hashes = dict[str, str]


def hash_folder(folder: Path) -> Hashes:
    """SHA-256 of every file below `folder` but times and locks, by its path there."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (RUN_SUMMARY, LOCK_FILE)
    }


def differing(found: Hashes, wanted: Hashes) -> list[str]:
    """The files that are not the same in both."""
    return sorted(name for name in found.keys() | wanted if found.get(name) != wanted.get(name))


def false_claims(plan: FolderPlan, wanted: Hashes) -> list[str]:
    """What the folder that a killed process left says is whole and is not."""
    found = hash_folder(plan.folder)
    if COMPLETED in found:
        return differing(found, wanted)
    vouched: list[str] = []
    if plan.kind == "pairs":
        for receipt in read_receipts(plan.folder):
            vouched += [file.name for file in receipt.files]
    else:
        index = plan.index_plan()
        mark, total = fingerprint(index.description()), len(index.source.shards())
        for number in range(total):
            part = Part(number, total)
            if read_part(plan.folder, part, fingerprint=mark) is not None:
                paths = part.paths(plan.folder)
                vouched += [str(path.relative_to(plan.folder)) for path in paths]
    return [name for name in vouched if found.get(name) != wanted[name]]


class Comparison:
    """Writes one kind of folder in all ways and keeps count of what differed."""

    def __init__(self, reference: FolderPlan) -> None:
        self.seconds = {1: write_apart(reference)}
        self.wanted = hash_folder(reference.folder)
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []

    def compare(self, name: str, plan: FolderPlan) -> None:
        """Writes the folder in another way, to the end, and compares."""
        seconds = write_apart(plan)
        if plan.order_seed is None:
            self.seconds.setdefault(plan.workers, seconds)
        self._check(name, plan)

    def interrupt(self, number: int, rng: random.Random, plan: FolderPlan) -> None:
        """Kills what writes the folder at a drawn moment, looks, finishes and compares."""
        after = rng.uniform(0, self.seconds[plan.workers])
        whole_family = rng.random() < 0.5
        killed, left = kill_at(plan, after, whole_family=whole_family)
        self.counts["killed" if killed else "ended before the kill"] += 1
        self.counts["processes left over"] += left
        claims = false_claims(plan, self.wanted)
        self.counts["false claims"] += len(claims)
        written = len(list(plan.folder.glob(RECEIPTS[plan.kind])))
        self.counts["killed with some shards written"] += killed and written > 0
        self.faults += [f"kill {number} of {plan.kind}: {name} is claimed" for name in claims]
        write_apart(plan)
        self._check(f"kill {number}", plan)

    def _check(self, name: str, plan: FolderPlan) -> None:
        differ = differing(hash_folder(plan.folder), self.wanted)
        self.faults += [f"{name} of {plan.kind}: {each} differs" for each in differ]
        self.counts["compared"] += 1
        self.counts["the same"] += not differ
        state = "the same" if not differ else f"{len(differ)} files differ"
        print(f"  {plan.kind}, {name}: {state}", flush=True)
        shutil.rmtree(plan.folder)


def measure(job: Job, *, sources: int, trials: int) -> dict[str, Comparison]:
    """Index and pairs in all ways."""
    comparisons = {}
    for kind in KINDS:
        folder = job.index_folder if kind == "index" else job.work / "pairs"
        reference = FolderPlan(job=job, kind=kind, sources=sources, folder=folder)
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


def read_figures(found: Mapping[str, Comparison]) -> dict[str, Any]:
    """Plain data: what differed, and counts of each kind of folder and of both together."""
    faults = [fault for one in found.values() for fault in one.faults]
    total = sum((one.counts for one in found.values()), Counter[str]())
    return {
        "identical": not faults,
        "faults": faults,
        "files": {kind: len(one.wanted) for kind, one in found.items()},
        "counts": {kind: dict(one.counts) for kind, one in found.items()},
        "total": {name: total[name] for name in COUNTED},
    }


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """All bytes are the same, and no folder says it is whole and is not."""
    total = figures["total"]
    compared, same = total["compared"], total["the same"]
    share = Target(
        name="share of comparisons in which all bytes are the same",
        value=same / compared if compared else None,
        bound=at_least(1),
        interval=wilson(same, compared),
    )
    # Figures that were taken over from a document do not say how many of these there were.
    counted = {"false claims": at_most(0), "processes left over": None}
    return [
        share,
        *(
            Target(name=name, value=total[name], bound=bound)
            for name, bound in counted.items()
            if name in total
        ),
    ]


def main() -> int:
    """Writes, kills, compares; the exit code is 1 where anything differs."""
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
    names = list(dict.fromkeys(name for one in found.values() for name in one.counts))
    print_table(
        "identical bytes",
        [("files compared each time", *(len(one.wanted) for one in found.values()))]
        + [(name, *(one.counts[name] for one in found.values())) for name in names],
        columns=("", *found),
    )
    settings = {name: getattr(arguments, name) for name in ("pool", "sources", "trials")}
    figures = read_figures(found) | settings
    faults = figures["faults"]
    for fault in faults:
        print(fault)
    print("all bytes are the same" if not faults else f"{len(faults)} faults")
    finish(arguments, figures=figures, targets=list_targets(figures))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
