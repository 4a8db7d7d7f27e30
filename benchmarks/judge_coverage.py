"""Whether the intervals that follow from judges' marks cover what is true, on still lifes.

    python benchmarks/judge_coverage.py [--seed N] [--json] [--runs N] [--marks N ...] [--told]
                                        [--work DIR] [--workers N]

Pairs of still lifes are built with thresholds looser than usual, so that some are wrong; the
renderer knows which. Then so many judgings are made, each drawn by a seed of its own, in which the
truth stands in for the judge: of each the stratified precision of the first 60, 150 and 300
marks, with its 95% interval, and whether it holds the true precision of all pairs; the same of each
stratum; the calibration of the score; and the thresholds that `rethreshold --precision 0.95
--confidence 0.95` would choose, with the true precision of the pairs that these keep.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import support.silent_libraries  # noqa: F401
from support.intervals import wilson
from support.reporting import Target, at_least, at_most, finish
from support.still_life_job import Job, add_job_flags, open_job, open_work

from pipelines.build.job import run_build
from pipelines.build.plan import BuildOptions
from pipelines.marks.choosing import Wanted, keeps, passing, try_thresholds
from pipelines.marks.judged import JudgedPairs, sum_up
from pipelines.marks.marks_file import RIGHT, WRONG, Heading, Mark, Marks
from pipelines.marks.strata import Design, RankedPair, arrange, read_ranked
from pipelines.running.execution import Execution
from pipelines.still_life.pair_truth import judge_still_lifes
from pipelines.terminal.console import print_table
from transforms.dataset.reader import open_pairs
from transforms.rewrite import RewriteOptions
from transforms.select import SelectionThresholds

JUDGE = "truth"
WANTED = Wanted(precision=0.95, confidence=0.95)
LOOSE = SelectionThresholds(rest=0.8, word_order=0.8)


def build_pairs(
    job: Job, arguments: argparse.Namespace
) -> tuple[list[RankedPair], dict[str, bool]]:
    """The pairs of the loosened build, and whether each is right, by key."""
    folder = job.work / f"pairs-{job.index_folder.name.removeprefix('index-')}"
    options = BuildOptions(
        seed=arguments.seed,
        captions=job.captions,
        rewrite=RewriteOptions(seed=arguments.seed, edits=2),
        thresholds=LOOSE,
        edits=2,
    )
    plan = job.plan(job.pool, options, folder)
    run_build(plan, Execution(workers=arguments.workers), overwrite=True)
    truth = judge_still_lifes(folder)
    assert truth is not None, "the pairs are of still lifes"
    ranked = read_ranked(open_pairs(folder).table, Design())
    return ranked, {key: verdict.right for key, verdict in truth.verdicts.items()}


def judge(
    pairs: Sequence[RankedPair], right: Mapping[str, bool], *, marks: int, design: Design
) -> JudgedPairs:
    """The first so many pairs of a draw, marked by the truth."""
    drawn = arrange(pairs, design)
    found = Marks(Heading("", design))
    for pair in drawn[:marks]:
        verdict = RIGHT if right[pair.key] else WRONG
        found.take(Mark(pair.key, pair.target_key, JUDGE, verdict))
    return JudgedPairs(drawn, found)


def measure(
    pairs: Sequence[RankedPair], right: Mapping[str, bool], *, marks: int, runs: int, seed: int
) -> dict[str, Any]:
    """How often what `runs` judgings say is true."""
    true = sum(right.values()) / len(right)
    covered, widths, strata, covered_strata, better = 0, 0.0, 0, 0, 0
    chosen, kept_share, false = 0, 0.0, 0
    for run in range(runs):
        judged = judge(pairs, right, marks=marks, design=Design(seed=seed * runs + run))
        summary = sum_up(judged)
        found = summary.precision
        assert found is not None
        covered += found.low <= true <= found.high
        widths += found.high - found.low
        for number, stratum in enumerate(summary.strata):
            own = [right[pair.key] for pair in judged.pairs if pair.stratum == number]
            if stratum.estimate is not None:
                share = sum(own) / len(own)
                strata += 1
                covered_strata += stratum.estimate.low <= share <= stratum.estimate.high
        made = summary.calibration
        better += made is not None and made.brier < made.brier_constant
        trial = next(iter(passing(try_thresholds(judged, WANTED))), None)
        if trial is not None:
            stay = [pair for pair in pairs if keeps(pair, trial.score, trial.value)]
            chosen += 1
            kept_share += len(stay) / len(pairs)
            false += sum(right[pair.key] for pair in stay) / len(stay) < WANTED.precision
    return {
        "marks": marks,
        "covered": covered,
        "mean_width": widths / runs,
        "strata": strata,
        "covered_strata": covered_strata,
        "calibration_better_than_constant": better,
        "thresholds_chosen": chosen,
        "pairs_kept": kept_share / chosen if chosen else None,
        "thresholds_false": false,
    }


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """Coverage as a whole and by stratum, and false promises of thresholds."""
    runs = figures["runs"]
    targets = []
    for found in figures["judgings"]:
        name = f"{found['marks']} marks"
        targets += [
            Target(
                name=f"intervals that cover the true precision, {name}",
                value=found["covered"] / runs,
                bound=at_least(0.93),
                interval=wilson(found["covered"], runs),
            ),
            Target(
                name=f"intervals of strata that cover theirs, {name}",
                value=found["covered_strata"] / found["strata"],
                bound=at_least(0.93),
                interval=wilson(found["covered_strata"], found["strata"]),
            ),
            Target(
                name=f"chosen thresholds that miss the precision, {name}",
                value=found["thresholds_false"] / runs,
                bound=at_most(0.05),
                interval=wilson(found["thresholds_false"], runs),
            ),
            Target(
                name=f"judgings of which thresholds were chosen, {name}",
                value=found["thresholds_chosen"] / runs,
                interval=wilson(found["thresholds_chosen"], runs),
            ),
        ]
    return targets


def print_judgings(figures: Mapping[str, Any]) -> None:
    """The figures as a table."""
    print_table(
        f"{figures['right']} of {figures['pairs']} pairs are right, {figures['runs']} judgings",
        [
            (
                found["marks"],
                f"{found['covered'] / figures['runs']:.1%}",
                f"{found['mean_width']:.3f}",
                f"{found['covered_strata'] / found['strata']:.1%}",
                found["calibration_better_than_constant"],
                found["thresholds_chosen"],
                "-" if found["pairs_kept"] is None else f"{found['pairs_kept']:.1%}",
                found["thresholds_false"],
            )
            for found in figures["judgings"]
        ],
        columns=(
            "marks",
            "covered",
            "mean width",
            "strata covered",
            "calibration better",
            "thresholds chosen",
            "pairs kept",
            "false",
        ),
    )


def main() -> None:
    """Builds, judges over and over, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_job_flags(parser)
    parser.add_argument("--pool", type=int, default=1000, help="pictures (default 1000)")
    parser.add_argument("--runs", type=int, default=200, help="judgings (default 200)")
    parser.add_argument(
        "--marks",
        type=int,
        nargs="+",
        default=[60, 150, 300],
        help="marks of each (default 60 150 300)",
    )
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    arguments = parser.parse_args()
    if arguments.runs < 1 or min(arguments.marks) < 1:
        parser.error("--runs and --marks must be at least 1")
    with open_work(arguments) as work:
        job = open_job(arguments, Path(work), pool=arguments.pool)
        job.index(workers=arguments.workers)
        pairs, right = build_pairs(job, arguments)
    figures = {
        "pairs": len(pairs),
        "right": sum(right.values()),
        "runs": arguments.runs,
        "judgings": [
            measure(pairs, right, marks=marks, runs=arguments.runs, seed=arguments.seed)
            for marks in arguments.marks
        ],
    }
    print_judgings(figures)
    finish(arguments, figures=figures, targets=list_targets(figures))


if __name__ == "__main__":
    main()
