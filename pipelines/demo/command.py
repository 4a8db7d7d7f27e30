"""`pairloom demo`: the main job on the built-in world, offline, in minutes."""

import argparse
import os
from typing import Any

from pipelines.build.command import print_build_summary
from pipelines.build.job import run_build
from pipelines.build.plan import BuildOptions, plan_build
from pipelines.index.command import print_index_summary
from pipelines.index.job import run_index
from pipelines.index.plan import IndexPlan
from pipelines.report.command import write_report
from pipelines.running.execution import Execution
from pipelines.sources import open_source
from pipelines.still_life.pair_truth import judge_still_lifes
from pipelines.still_life.source import StillLifeSource
from pipelines.terminal.arguments import JSON_HELP, any_path, whole_number
from pipelines.terminal.console import EXIT_FAILED, print_json_line, print_table
from pipelines.verify.dataset import find_problems
from transforms.presets import load_preset
from transforms.rewrite import RewriteOptions

SHARD_SIZE = 250
ATTEMPTS = 4


def add_parser(subparsers: Any) -> None:
    """Adds `demo` to the command line."""
    parser = subparsers.add_parser(
        "demo",
        help="the whole job on the built-in still lifes, offline",
        description="Render a pool of still lifes, index it, make edit pairs, verify them and "
        "write a report. Needs no network and no pictures of yours.",
    )
    parser.add_argument("--out", default="demo_output", type=any_path, metavar="DIR")
    parser.add_argument("--sources", type=whole_number(1), default=1700, help="default 1700")
    parser.add_argument("--pool", type=whole_number(2), default=6000, help="default 6000")
    parser.add_argument("--seed", type=whole_number(0), default=0)
    parser.add_argument(
        "--workers",
        type=whole_number(1),
        default=min(2, os.cpu_count() or 1),
        help="processes (default: 2 where there are two cores)",
    )
    parser.add_argument("--json", action="store_true", help=JSON_HELP)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Index, build, verify, report; ends by naming the report."""
    out = arguments.out
    execution = Execution(workers=arguments.workers)
    preset = load_preset("stilllife")
    pool = StillLifeSource(count=arguments.pool, seed=arguments.seed, shard_size=SHARD_SIZE)
    sources = StillLifeSource(count=arguments.sources, seed=arguments.seed, shard_size=SHARD_SIZE)
    index = run_index(IndexPlan(source=pool, preset=preset, folder=str(out / "index")), execution)
    print_index_summary(index)
    plan = plan_build(
        source=sources,
        index_folder=str(out / "index"),
        open_pool=open_source,
        preset=preset,
        options=BuildOptions(
            seed=arguments.seed,
            rewrite=RewriteOptions(seed=arguments.seed, edits=ATTEMPTS),
        ),
        folder=str(out / "pairs"),
    )
    built = run_build(plan, execution, overwrite=True)
    print_build_summary(built)
    problems = find_problems(out / "pairs").problems
    truth = judge_still_lifes(out / "pairs")
    report = out / "report.html"
    write_report(out / "pairs", report, truth=truth)
    right = truth.pairs if truth else None
    print_table(
        "demo",
        [
            ("pairs", built.counts.pairs),
            ("truly right", right.right if right else "unknown"),
            ("verified", "yes" if not problems else problems[0]),
        ],
    )
    print(f"report: {report.resolve()}")
    if arguments.json:
        counts = built.as_dict() | {"index": index.as_dict(), "report": str(report)}
        print_json_line(counts | {"right": right.right if right else None})
    return EXIT_FAILED if problems else 0
