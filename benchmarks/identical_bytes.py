"""The same bytes, whoever writes them: one worker, two, another order, killed and resumed.

    python benchmarks/identical_bytes.py [--only COMMAND ...] [--kills N] [--pool N] [--sources N]
        [--seed N] [--json]

Every command that goes on where it was is run to its end; these are the bytes that all else is
compared with. Each is run again; `index` and `build` by two workers as well, and with the source's
shards in a drawn order, in pipelines of drawn sizes. Then each command is killed at moments drawn
from the time that it takes, and run again to its end, until 20 kills by default came in time, of
three times as many tries at most: by SIGKILL, of itself or of all its processes, or, one time in
four, by SIGTERM. Compared is every file of the finished folder but what holds times:
`run_summary.json`, TensorBoard's curves, three fields of a fetched shard's sums. So of `train` the
weights, checkpoints and sheets of samples are compared, of `evaluate` edited pictures, figures and
page, of `fetch` the archives and their tables.

After each kill the folder is looked at: it must not say that it is finished unless it is, and what
it vouches for must be whole. Processes that outlive the command by ten seconds are counted, and so
are ends by SIGTERM that do not leave the exit code 143.
"""

import argparse
import random
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.command_plans import LINKS, PLANS
from support.folder_bytes import RECEIPTS, differing, false_claims, hash_folder
from support.intervals import wilson
from support.job_process import (
    SHARD_SIZE,
    CommandPlan,
    FolderPlan,
    Kill,
    kill_at,
    write_apart,
)
from support.picture_server import render, serve
from support.reporting import Target, at_least, at_most, finish
from support.still_life_job import Job, add_job_flags, open_job, open_work

from pipelines.terminal.arguments import whole_number
from pipelines.terminal.console import format_seconds, print_table

OF_SHARDS = ("index", "build")
MOST_TRIES = 3
"""So many tries for a kill: some commands end before the drawn moment."""
COMMANDS = (*OF_SHARDS, *PLANS)
COUNTED = (
    "compared",
    "the same",
    "killed",
    "killed with some of it done",
    "killed by SIGTERM",
    "ended before the kill",
    "false claims",
    "processes left over",
    "other exit codes",
)
AnyPlan = FolderPlan | CommandPlan


class Comparison:
    """Fills one kind of folder in all ways and keeps count of what differed."""

    def __init__(self, reference: AnyPlan) -> None:
        self.seconds = {reference.workers: write_apart(reference)}
        self.wanted = hash_folder(reference.folder)
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []

    def compare(self, name: str, plan: AnyPlan) -> None:
        """Writes the folder again or in another way, to the end, and compares."""
        seconds = write_apart(plan)
        if not (isinstance(plan, FolderPlan) and plan.order_seed is not None):
            known = self.seconds.get(plan.workers, seconds)
            self.seconds[plan.workers] = min(known, seconds)  # the first run has cold caches
        self._check(name, plan)

    def interrupt(self, number: int, rng: random.Random, plan: AnyPlan) -> bool:
        """Kills what fills the folder at a drawn moment, looks, finishes and compares.

        Whether the kill came before the end; if not, the next moments are drawn earlier.
        """
        kill = Kill(
            after=rng.uniform(0, self.seconds[plan.workers]),
            whole_family=rng.random() < 0.5,
            number=signal.SIGTERM if rng.random() < 0.25 else signal.SIGKILL,
        )
        killed = kill_at(plan, kill)
        self.counts["killed" if killed.in_time else "ended before the kill"] += 1
        self.counts["killed by SIGTERM"] += killed.in_time and kill.number == signal.SIGTERM
        self.counts["processes left over"] += killed.left
        if killed.in_time and killed.exit_code not in (kill.exit_code(), 0):
            self.counts["other exit codes"] += 1
            self.faults.append(f"kill {number} of {plan.kind}: exit code {killed.exit_code}")
        claims = false_claims(plan, self.wanted)
        self.counts["false claims"] += len(claims)
        self.faults += [f"kill {number} of {plan.kind}: {name} is claimed" for name in claims]
        done = any(plan.folder.glob(RECEIPTS[plan.kind]))
        self.counts["killed with some of it done"] += killed.in_time and done
        write_apart(plan)
        self._check(f"kill {number}", plan)
        if not killed.in_time:
            self.seconds[plan.workers] *= 0.8
        return killed.in_time

    def _check(self, name: str, plan: AnyPlan) -> None:
        differ = differing(hash_folder(plan.folder), self.wanted)
        self.faults += [f"{name} of {plan.kind}: {each} differs" for each in differ]
        self.counts["compared"] += 1
        self.counts["the same"] += not differ
        state = "the same" if not differ else f"{len(differ)} files differ"
        print(f"  {plan.kind}, {name}: {state}", flush=True)
        shutil.rmtree(plan.folder)


@contextmanager
def reference_plans(job: Job, *, sources: int, preset: str) -> Iterator[dict[str, AnyPlan]]:
    """What each command writes first, by its name; what one reads another writes before it."""
    index = FolderPlan(job=job, kind="index", sources=sources, folder=job.index_folder)
    seed = job.pool.seed
    with serve(render(LINKS, seed=seed)) as address:
        others = {
            name: make(job.work, address=address, preset=preset, seed=seed)
            for name, make in PLANS.items()
        }
        build = replace(index, kind="build", folder=job.work / "pairs")
        yield {"index": index, "build": build, **others}


def measure(
    plans: Mapping[str, AnyPlan], *, only: list[str], kills: int, seed: int
) -> dict[str, Comparison]:
    """The commands of `only` in all ways."""
    comparisons = {}
    for kind, reference in plans.items():
        if kind not in only:
            if kind in OF_SHARDS:
                write_apart(reference)  # the others read it
            continue
        comparison = Comparison(reference)
        taken = format_seconds(comparison.seconds[1])
        print(f"{kind}: {len(comparison.wanted)} files in {taken}", flush=True)
        folder = reference.folder.with_name(f"other-{kind}")
        other: AnyPlan = replace(reference, folder=folder)
        comparison.compare("again", other)
        if isinstance(other, FolderPlan):
            comparison.compare("two workers", replace(other, workers=2))
            comparison.compare("another order", replace(other, order_seed=seed))
        rng = random.Random(f"{seed} {kind}")
        kills_left = kills
        for number in range(1, MOST_TRIES * kills + 1):
            workers = rng.choice((1, 2)) if kind in OF_SHARDS else 1
            kills_left -= comparison.interrupt(number, rng, replace(other, workers=workers))
            if kills_left == 0:
                break
        comparisons[kind] = comparison
    return comparisons


def read_figures(found: Mapping[str, Comparison]) -> dict[str, Any]:
    """Plain data: what differed, and counts of each command and of all together."""
    faults = [fault for one in found.values() for fault in one.faults]
    total = sum((one.counts for one in found.values()), Counter[str]())
    return {
        "identical": not faults,
        "faults": faults,
        "commands": list(found),
        "files": {kind: len(one.wanted) for kind, one in found.items()},
        "counts": {kind: dict(one.counts) for kind, one in found.items()},
        "total": {name: total[name] for name in COUNTED},
    }


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """All bytes are the same, no folder says it is whole and is not, no process is left over."""
    total = figures["total"]
    compared, same = total["compared"], total["the same"]
    share = Target(
        name="share of comparisons in which all bytes are the same",
        value=same / compared if compared else None,
        bound=at_least(1),
        interval=wilson(same, compared),
    )
    # Figures that were taken over from a document do not say how many of these there were.
    counted = ("false claims", "processes left over", "other exit codes")
    bounded = (name for name in counted if name in total)
    targets = [share, *(Target(name=name, value=total[name], bound=at_most(0)) for name in bounded)]
    if "counts" in figures:
        least = min((each.get("killed", 0) for each in figures["counts"].values()), default=0)
        name = "kills of each command before its end"
        targets.append(Target(name=name, value=least, bound=at_least(figures["kills"])))
    return targets


def read_arguments() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", choices=COMMANDS, default=list(COMMANDS), help="default: all"
    )
    parser.add_argument(
        "--kills", type=whole_number(1), default=20, help="of each command (default 20)"
    )
    parser.add_argument(
        "--pool", type=whole_number(2), default=600, help="pictures in it (default 600)"
    )
    parser.add_argument("--sources", type=whole_number(1), default=600, help="default 600")
    add_job_flags(parser)
    return parser.parse_args()


def main() -> int:
    """Writes, kills, compares; the exit code is 1 where anything differs."""
    arguments = read_arguments()
    with open_work(arguments) as work:
        # What was begun before would spoil the times that kills are drawn from.
        place: Path = work / "identical-bytes"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        job = open_job(arguments, place, pool=arguments.pool, shard_size=SHARD_SIZE)
        with reference_plans(job, sources=arguments.sources, preset=arguments.preset) as plans:
            found = measure(plans, only=arguments.only, kills=arguments.kills, seed=arguments.seed)
    print_table(
        "identical bytes",
        [("files compared each time", *(len(one.wanted) for one in found.values()))]
        + [(name, *(one.counts[name] for one in found.values())) for name in COUNTED],
        columns=("", *found),
    )
    settings = {name: getattr(arguments, name) for name in ("pool", "sources", "kills")}
    figures = read_figures(found) | settings
    faults = figures["faults"]
    for fault in faults:
        print(fault)
    print("all bytes are the same" if not faults else f"{len(faults)} faults")
    finish(arguments, figures=figures, targets=list_targets(figures))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
