"""How many of the pairs are right, and for how many sources there is one, on still lifes.

    python benchmarks/pair_quality.py [--seed N] [--json] [--sweep] [--work DIR] [--workers N]
        [--structure-weight W]

A pool of still lifes, half of them with two objects, is indexed. Sources drawn from the pool go
through the build as it is by default: those with one object, and those with two; and those with one
object once more as the paper does it (query `mean`, one edit, nearest neighbour, no selection). No
stage is told the truth; afterwards the renderer says of each pair whether it is RIGHT: the caption
is what is in the source, the edit prompt what is in the target, and they differ in one attribute.

`--seed` draws the pool, the sources and every choice. `--work DIR` keeps index and pairs, so that
another run with other thresholds starts from there. `--sweep` shows what other thresholds on the
captions' confidence would have given, from the stored candidates, without a model.
"""

import argparse
import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import support.silent_libraries  # noqa: F401
from support.confidence_sweep import print_sweep
from support.intervals import bootstrap_mean, wilson
from support.pair_truth import JudgedPair, judge_folder
from support.reporting import Bound, Target, at_least, at_most, finish
from support.still_life_job import Job, add_job_flags, open_job, open_work

from pipelines.build.job import run_build
from pipelines.build.plan import BuildOptions
from pipelines.index.command import print_index_summary
from pipelines.running.execution import Execution
from pipelines.still_life.source import StillLifeSubset
from pipelines.terminal.console import format_seconds, print_table
from pipelines.terminal.thresholds import change_thresholds
from stilllife.truth import PictureId, possible_edits
from transforms.dataset.shards import Counts
from transforms.retrieve import RetrieveOptions
from transforms.rewrite import RewriteOptions
from transforms.select import SelectionThresholds, baseline

ATTEMPTS = 4
CAUSES_SHOWN = 15


@dataclass(frozen=True, kw_only=True)
class Case:
    """One of the measured builds: its name, its sources, and how it chooses."""

    name: str
    source: StillLifeSubset
    options: BuildOptions


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a case came to: the data set's counts, its judged pairs, and seconds by stage."""

    case: Case
    folder: Path
    counts: Counts
    pairs: list[JudgedPair]
    seconds: dict[str, float]

    @property
    def right_pairs(self) -> int:
        """How many of the pairs are right."""
        return sum(pair.right for pair in self.pairs)

    @property
    def gaps_px(self) -> list[float]:
        """Mean distance in pixels of the objects, of each right pair that has as many in both."""
        gaps = [pair.position_px for pair in self.pairs if pair.right]
        return [gap for gap in gaps if gap is not None]

    def as_dict(self) -> dict[str, object]:
        """The figures as plain data; None for a share or mean of nothing."""
        pairs, gaps = len(self.pairs), self.gaps_px
        return {
            "right": self.right_pairs / pairs if pairs else None,
            "right_pairs": self.right_pairs,
            "yield": pairs / self.counts.sources,
            "pairs": pairs,
            "sources": self.counts.sources,
            "position_px": sum(gaps) / len(gaps) if gaps else None,
            "position_px_interval": bootstrap_mean(gaps),
        }


def plan_cases(
    job: Job,
    *,
    sources: int,
    seed: int,
    attempts: int,
    thresholds: SelectionThresholds,
    structure_weight: float | None = None,
) -> list[Case]:
    """The three builds; with a `structure_weight` the first two look for structure as well."""
    one, two = (
        StillLifeSubset(collection=job.pool, objects=objects, drawn=sources, draw_seed=seed)
        for objects in (1, 2)
    )
    usual = BuildOptions(
        seed=seed,
        captions=job.captions,
        rewrite=RewriteOptions(seed=seed, edits=attempts),
        retrieve=RetrieveOptions(structure_weight=structure_weight),
        thresholds=thresholds,
    )
    paper = dataclasses.replace(
        usual,
        rewrite=RewriteOptions(seed=seed, edits=1),
        retrieve=RetrieveOptions(query="mean", candidates="search"),
        thresholds=baseline(),
    )
    return [
        Case(name="one_object", source=one, options=usual),
        Case(name="two_objects", source=two, options=usual),
        Case(name="mean_baseline", source=one, options=paper),
    ]


def measure(job: Job, case: Case, *, workers: int) -> Outcome:
    """Builds the pairs of `case` and judges them."""
    pool = job.index_folder.name.removeprefix("index-")
    folder = job.work / f"pairs-{pool}-sources{case.source.drawn}-{case.name}"
    print(f"{case.name}: {case.source.drawn} sources", flush=True)
    plan = job.plan(case.source, case.options, folder)
    summary = run_build(plan, Execution(workers=workers), overwrite=True)
    return Outcome(
        case=case,
        folder=folder,
        counts=summary.counts,
        pairs=judge_folder(folder),
        seconds=summary.seconds,
    )


def answerable(job: Job, source: StillLifeSubset) -> float:
    """Share of the sources for which the pool holds a picture of some true edit of theirs."""
    pool = job.pool
    scenes = {
        index: PictureId(pool.seed, pool.two_objects_percent, index).scene()
        for index in range(pool.start, pool.start + pool.count)
    }
    captions = {scene.caption() for scene in scenes.values()}
    answered = sum(
        not captions.isdisjoint(possible_edits(scenes[index])) for index in source.indices
    )
    return answered / len(source.indices)


def print_outcome(outcome: Outcome) -> None:
    """Where the sources of a case went, and what is wrong with the wrong pairs."""
    total = len(outcome.pairs)
    rows: list[tuple[object, ...]] = [("edits proposed", outcome.counts.queries)]
    rows += [
        (f"rejected, {stage}: {reason}", number)
        for stage, reasons in outcome.counts.rejects.items()
        for reason, number in reasons.items()
    ]
    rows += [(f"time in {name}", format_seconds(s)) for name, s in outcome.seconds.items()]
    print_table(f"{outcome.case.name}: {total} pairs of {outcome.counts.sources} sources", rows)
    causes = Counter(pair.cause for pair in outcome.pairs if not pair.right)
    if causes:
        wrong = [
            (cause, number, number / total, *_usual_confidence(outcome.pairs, cause))
            for cause, number in causes.most_common(CAUSES_SHOWN)
        ]
        columns = ("wrong", "pairs", "of all", "source sure", "target sure")
        print_table(f"{outcome.case.name}: what is wrong", wrong, columns=columns)
    if not outcome.pairs:
        return
    edited: dict[str, Counter[bool]] = {}
    for pair in outcome.pairs:
        edited.setdefault(pair.attribute, Counter())[pair.right] += 1
    by_edit = [(name, n.total(), n[True] / n.total()) for name, n in sorted(edited.items())]
    print_table(
        f"{outcome.case.name}: by what is edited", by_edit, columns=("edited", "pairs", "right")
    )


def _usual_confidence(pairs: list[JudgedPair], cause: str) -> tuple[object, object]:
    """Median confidence of source and target caption over the pairs with `cause`."""
    found: list[object] = []
    for side in ("source_confidence", "target_confidence"):
        values = sorted(
            value
            for pair in pairs
            if pair.cause == cause and (value := getattr(pair, side)) is not None
        )
        found.append(values[len(values) // 2] if values else "")
    return found[0], found[1]


def print_figures(figures: dict[str, dict[str, object]]) -> None:
    """The figures side by side."""
    names = ("right", "yield", "answerable", "pairs", "sources", "position_px")
    rows = [(name, *(_shown(case.get(name)) for case in figures.values())) for name in names]
    print_table("pair quality", rows, columns=("", *figures))


def _shown(value: object) -> object:
    return "" if value is None else value


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """What the documents say of right pairs, and of the sources that have one."""
    one, two, paper = (figures[name] for name in ("one_object", "two_objects", "mean_baseline"))
    return [
        _right("one object: right pairs", one, at_least(0.99)),
        _yield("one object: sources with a pair", one, at_least(0.99, kind="guard")),
        Target(
            name="one object: distance from where it was, px",
            value=one["position_px"],
            bound=at_most(4.5, kind="guard"),
            interval=one["position_px_interval"],
        ),
        _right("two objects: right pairs", two, at_least(0.96, kind="guard")),
        _yield("two objects: sources with a pair", two, at_least(0.55, kind="guard")),
        _right("query mean without selection: right pairs", paper, None),
    ]


def _right(name: str, case: Mapping[str, Any], bound: Bound | None) -> Target:
    interval = wilson(case["right_pairs"], case["pairs"])
    return Target(name=name, value=case["right"], bound=bound, interval=interval)


def _yield(name: str, case: Mapping[str, Any], bound: Bound | None) -> Target:
    interval = wilson(case["pairs"], case["sources"])
    return Target(name=name, value=case["yield"], bound=bound, interval=interval)


def main() -> None:
    """Indexes, builds, judges, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pool", type=int, default=20_000, help="pictures in it (default 20000)")
    parser.add_argument("--sources", type=int, default=1_000, help="of each kind (default 1000)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--attempts", type=int, default=ATTEMPTS, help="edits to try for a source")
    parser.add_argument("--threshold", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument(
        "--structure-weight", type=float, metavar="W", help="look for candidates by structure too"
    )
    parser.add_argument("--sweep", action="store_true", help="show other thresholds as well")
    add_job_flags(parser)
    arguments = parser.parse_args()
    thresholds = change_thresholds(dataclasses.asdict(SelectionThresholds()), arguments.threshold)
    with open_work(arguments) as work:
        job = open_job(arguments, work, pool=arguments.pool)
        print(f"indexing {arguments.pool} pictures in {job.index_folder}", flush=True)
        print_index_summary(job.index(workers=arguments.workers))
        cases = plan_cases(
            job,
            sources=arguments.sources,
            seed=arguments.seed,
            attempts=arguments.attempts,
            thresholds=thresholds,
            structure_weight=arguments.structure_weight,
        )
        outcomes = [measure(job, case, workers=arguments.workers) for case in cases]
        figures = {outcome.case.name: outcome.as_dict() for outcome in outcomes}
        for outcome in outcomes[:2]:
            figures[outcome.case.name]["answerable"] = answerable(job, outcome.case.source)
        for outcome in outcomes:
            print_outcome(outcome)
        if arguments.sweep:
            for outcome in outcomes[:2]:
                print_sweep(outcome.case.name, outcome.folder, outcome.case.options)
        print_figures(figures)
    everything = figures | {"pool": arguments.pool}
    finish(arguments, figures=everything, targets=list_targets(everything))


if __name__ == "__main__":
    main()
