"""What a build costs beside its networks: by stage, beside a plain loop, with two workers, grown.

    python benchmarks/host_work.py [--sizes N N] [--rounds N] [--told] [--seed N] [--json]

A pool of still lifes, as many as the larger number of sources, is indexed once. In each round pairs
are built of the smaller number by a plain loop over the same functions, by the Beam graph with one
worker and with two, and of the larger number with one worker and with two, each in a process of its
own and into a fresh folder. Shards are of 1000 sources, as a folder's are, so that two workers have
to share them out. The bytes must be the same whoever made them. Ratios are of one round, and their
medians count; of the graph and of growth they are of processor seconds of all processes, which
other work on the machine does not stretch, of two workers of the clock, with their starting, and of
the larger build. `--told` leaves captioning out, and with it most of what networks do here.
"""

import argparse
import shutil
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.processes import call_apart
from support.reporting import Target, at_least, at_most, finish
from support.still_life_job import Job, add_job_flags, open_job, open_work
from support.timed_builds import Spent, measure_way, plan, shard_hashes

from pipelines.terminal.console import print_table

WAYS = ("plain loop", "one worker", "two workers")
LARGER = ("one worker, larger", "two workers, larger")
SHARD_SIZE = 1_000


@dataclass(frozen=True)
class Round:
    """What one round took, by way, and the seconds of each stage of the larger build."""

    spent: dict[str, Spent]
    stages: dict[str, float]

    def ratio(self, above: str, below: str, what: str) -> float:
        """Of the seconds of two ways, by the `clock` or of the `processor`."""
        ratio: float = getattr(self.spent[above], what) / getattr(self.spent[below], what)
        return ratio


def run_way(way: str, job: Job, sources: int, folder: Path) -> tuple[Spent, dict[str, float]]:
    """One build, timed; to be called in a process of its own."""
    return measure_way(
        way.removesuffix(", larger"), plan(job, sources, folder, shard_size=SHARD_SIZE)
    )


def measure_round(job: Job, small: int, large: int) -> Round:
    """All builds of a round, one after another.

    Raises:
        RuntimeError: the bytes of those of the same sources differ.
    """
    spent: dict[str, Spent] = {}
    stages: dict[str, float] = {}
    for ways, sources in ((WAYS, small), (LARGER, large)):
        hashes: list[dict[str, str]] = []
        for way in ways:
            folder = job.work / "pairs"
            shutil.rmtree(folder, ignore_errors=True)
            spent[way], found = call_apart(run_way, way, job, sources, folder)
            if way == LARGER[0]:
                stages = found
            hashes.append(shard_hashes(folder))
            print(f"  {way}: {spent[way].clock:.1f} s", flush=True)
            shutil.rmtree(folder)
            if hashes[-1] != hashes[0]:
                raise RuntimeError(f"the bytes of {way} are not those of {ways[0]}")
    return Round(spent, stages)


def main() -> None:
    """Indexes, builds in rounds, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sizes", type=int, nargs=2, default=(1_000, 4_000), help="sources (default 1000 4000)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    add_job_flags(parser)
    arguments = parser.parse_args()
    small, large = arguments.sizes
    with open_work(arguments) as work:
        job = open_job(arguments, work, pool=large)
        job.index(workers=1)
        rounds = []
        for number in range(arguments.rounds):
            print(f"round {number + 1} of {arguments.rounds}", flush=True)
            rounds.append(measure_round(job, small, large))
    counts = {**dict.fromkeys(WAYS, small), **dict.fromkeys(LARGER, large)}
    per_source = {
        way: {
            what: 1000
            * statistics.median(getattr(one.spent[way], what) for one in rounds)
            / sources
            for what in ("clock", "processor")
        }
        for way, sources in counts.items()
    }
    stages = {
        name: 1000 * statistics.median(one.stages[name] for one in rounds) / large
        for name in sorted(rounds[0].stages)
    }
    print_table(
        f"ms a source, median of {arguments.rounds} rounds",
        [(way, counts[way], *found.values()) for way, found in per_source.items()],
        columns=("", "sources", "by the clock", "of processors"),
    )
    print_table(f"ms a source in each stage, {LARGER[0]}", list(stages.items()))
    figures = {
        "sizes": [small, large],
        "rounds": arguments.rounds,
        "told": arguments.told,
        "ms_a_source": per_source,
        "stage_ms_a_source": stages,
        "graph_to_plain_loop": _median(rounds, "one worker", "plain loop", "processor"),
        "two_workers_speedup": _median(rounds, *LARGER, "clock"),
        "two_workers_speedup_smaller": _median(rounds, "one worker", "two workers", "clock"),
        "growth": _median(rounds, LARGER[0], "one worker", "processor") * small / large,
    }
    finish(arguments, figures=figures, targets=list_targets(figures))


def _median(rounds: list[Round], above: str, below: str, what: str) -> float:
    return statistics.median(one.ratio(above, below, what) for one in rounds)


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """What the graph may cost, what two workers bring, and how a source's cost may grow."""
    return [
        Target(
            name="processor seconds of the graph / of a plain loop, one worker",
            value=figures["graph_to_plain_loop"],
            bound=at_most(1.10, kind="aim"),
        ),
        Target(
            name="seconds of one worker / of two, larger build",
            value=figures["two_workers_speedup"],
            bound=at_least(1.8, kind="aim"),
        ),
        Target(
            name="processor seconds a source, larger / smaller",
            value=figures["growth"],
            bound=at_most(1.15, kind="aim"),
        ),
    ]


if __name__ == "__main__":
    main()
