"""`pairloom judge DIR`: a page on which people mark pairs as right or wrong, and what follows."""

import argparse
import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.terminal.arguments import JSON_HELP, any_path, local_path, whole_number
from pipelines.terminal.console import (
    EXIT_OK,
    EXIT_USAGE,
    CommandError,
    print_json_line,
    print_note,
    print_table,
)

if TYPE_CHECKING:
    from pipelines.marks.judged import JudgingSummary
    from pipelines.marks.precision import Estimate
    from pipelines.marks.strata import Design
    from transforms.dataset.reader import PairsDataset

JUDGE = "judge"
PAIRS = 200
MOST_PORT = 65_535


def add_parser(subparsers: Any) -> None:
    """Add `judge` to the command line."""
    parser = subparsers.add_parser(
        "judge",
        help="mark pairs as right or wrong on a local page, and tell the precision",
        description="Serve a page on this machine alone that shows pairs, drawn by strata of a "
        "score, and takes right, wrong and which part by keys. Marks are kept at once in a file "
        "beside the data set. At the end, or with --summary, the precision follows from them with "
        "its interval, as a whole and by stratum, and how far judges agree.",
    )
    parser.add_argument("dataset", type=any_path, metavar="DIR", help="folder of the data set")
    parser.add_argument(
        "--judge", default=JUDGE, metavar="NAME", help=f"who judges (default: {JUDGE})"
    )
    parser.add_argument(
        "--marks",
        type=local_path,
        metavar="FILE",
        help="the file of the marks (default: DIR.marks.jsonl)",
    )
    parser.add_argument(
        "--pairs",
        type=whole_number(1),
        default=PAIRS,
        metavar="N",
        help=f"ask about so many pairs at most (default: {PAIRS})",
    )
    parser.add_argument(
        "--score",
        metavar="NAME",
        help="the score that strata are made by (default: quality, by which candidates are ranked)",
    )
    parser.add_argument(
        "--strata", type=whole_number(1), metavar="N", help="how many strata (default: 5)"
    )
    parser.add_argument(
        "--seed", type=whole_number(0), metavar="N", help="draws the pairs (default: 0)"
    )
    parser.add_argument(
        "--port",
        type=whole_number(0, MOST_PORT),
        default=0,
        metavar="N",
        help="port of the page (default: one that is free)",
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument(
        "--summary", action="store_true", help="tell what the marks say, without the page"
    )
    parser.add_argument("--json", action="store_true", help=JSON_HELP)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve the page until it is finished, then tell what all marks say.

    Raises:
        CommandError: something was asked for wrongly, or the page cannot be served.
        DatasetError: the data set cannot be read.
        MarksError: the marks cannot be read or written.
    """
    from pipelines.marks.judged import open_judged, sum_up
    from pipelines.marks.marks_file import marks_path
    from transforms.dataset.reader import open_pairs

    pairs = open_pairs(args.dataset)
    if not len(pairs):
        raise CommandError(f"{args.dataset} holds no pair to judge")
    path = args.marks or marks_path(args.dataset)
    if not args.summary:
        judge_pairs(args, pairs, path)
        if not path.exists():
            print_note("no pair was marked")
            return EXIT_OK
    summary = sum_up(open_judged(pairs, path))
    print_summary(summary)
    if args.json:
        print_json_line({**summary.as_dict(), "marks": str(path)})
    return EXIT_OK


def judge_pairs(args: argparse.Namespace, pairs: "PairsDataset", path: Path) -> None:
    """Serve the page until the judge finishes.

    Raises:
        CommandError, DatasetError, MarksError: as `run`.
    """
    serve = load_server()
    from pipelines.judge.session import JudgingSession
    from pipelines.marks.judged import heading_of
    from pipelines.marks.marks_file import MarksFile, check_judge
    from pipelines.marks.strata import read_ranked

    try:
        check_judge(args.judge)
        design = choose_design(args, path)
    except ValueError as error:
        raise CommandError(str(error), exit_code=EXIT_USAGE) from error
    file = MarksFile(path, heading_of(pairs, design))
    session = JudgingSession(
        pairs, read_ranked(pairs.table, design), file=file, judge=args.judge, count=args.pairs
    )
    with serve(session, name=args.dataset.resolve().name, port=args.port) as page:
        print(f"judging {args.dataset} as {args.judge}, marks go to {path}", flush=True)
        print(f"page: {page.address}", flush=True)
        if args.open:
            webbrowser.open(page.address)
        page.wait()


def load_server() -> Any:
    """The function that serves the page.

    Raises:
        CommandError: Flask is not installed.
    """
    try:
        from pipelines.judge.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("flask", "werkzeug"):
            raise
        raise CommandError(
            "the page needs Flask: install pairloom[judge] (--summary does without)"
        ) from error
    return serve


def choose_design(args: argparse.Namespace, path: Path) -> "Design":
    """How pairs are drawn: as the marks that are there say, or by the flags.

    Raises:
        ValueError: a flag is out of its range.
        MarksError: the marks cannot be read.
    """
    from pipelines.marks.marks_file import read_marks
    from pipelines.marks.strata import Design

    begun = read_marks(path).heading.design if path.exists() else Design()
    flags = {name: getattr(args, name) for name in ("score", "strata", "seed")}
    return replace(begun, **{name: value for name, value in flags.items() if value is not None})


def print_summary(summary: "JudgingSummary") -> None:
    """Tell a person what the marks say."""
    rows = [
        (
            f"{_score(each.low_score)} to {_score(each.high_score)}",
            each.pairs,
            *_cells(each.estimate),
        )
        for each in summary.strata
    ]
    rows.append(("all", sum(each.pairs for each in summary.strata), *_cells(summary.precision)))
    if len(summary.by_judge) > 1:
        rows += [
            (f"all, by {judge} alone", found.pairs if found else 0, *_cells(found))
            for judge, found in summary.by_judge.items()
        ]
    columns = (summary.score, "pairs", "marked", "right", "95% interval")
    print_table("how many pairs are right", rows, columns=columns)
    if summary.unsure:
        print(f"{summary.unsure} pairs could not be told and are left out")
    if summary.parts:
        parts = sorted(summary.parts.items(), key=lambda each: -each[1])
        print_table("what was wrong", [(name.replace("_", " "), count) for name, count in parts])
    for found in summary.agreements:
        kappa = (
            "kappa cannot be told, each gave one verdict"
            if found.kappa is None
            else f"Cohen's kappa {found.kappa:.2f}, 95% interval {found.low:.2f} to "
            f"{found.high:.2f}"
        )
        print(
            f"{found.judges[0]} and {found.judges[1]} agree on {found.agreed} of {found.pairs} "
            f"pairs: {kappa}"
        )
    made = summary.calibration
    if made is not None:
        print(
            f"chance of being right by {made.score}: Brier score {made.brier:.4f} by "
            f"cross-validation, of the plain share {made.brier_constant:.4f}"
        )


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _cells(found: "Estimate | None") -> tuple[object, ...]:
    if found is None:
        return 0, "-", "-"
    return found.marked, f"{found.value:.1%}", f"{found.low:.1%} to {found.high:.1%}"
