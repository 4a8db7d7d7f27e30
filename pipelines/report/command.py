"""`pairloom report DIR`: the page of a finished data set."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.terminal.arguments import any_path, local_path, require_file_place
from pipelines.terminal.console import EXIT_USAGE, CommandError, print_json_line
from pipelines.truth import FindTruth, TruthReport

if TYPE_CHECKING:
    from pipelines.marks.judged import JudgingSummary
    from pipelines.report.page import Page

PAGE = "report.html"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `report` and its arguments."""
    parser = subparsers.add_parser(
        "report",
        help="make a page with pairs, masks, scores and rejects of a data set",
        description="Make one HTML page, which needs nothing else, of a finished data set: how "
        "many pictures became pairs and why the others did not, a sheet of pairs with their masks, "
        "a sheet of rejects, how the scores lie and what each threshold costs.",
    )
    parser.add_argument("dataset", type=any_path, metavar="DIR", help="folder of the data set")
    parser.add_argument(
        "--out",
        type=any_path,
        metavar="FILE",
        help=f"where to write the page (default: DIR/{PAGE})",
    )
    parser.add_argument(
        "--pairs", type=int, default=36, metavar="N", help="most pairs to show (default: 36)"
    )
    parser.add_argument(
        "--sheet",
        type=any_path,
        metavar="FILE",
        help="also draw up to 12 pairs as a PNG, for places that show pictures but no pages",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="which pairs are drawn (default: 0)"
    )
    parser.add_argument(
        "--marks",
        type=local_path,
        metavar="FILE",
        help="marks of pairloom judge to show (default: DIR.marks.jsonl, if it is there)",
    )
    parser.add_argument(
        "--json", action="store_true", help="end with one line of JSON with the counts"
    )


def run(args: argparse.Namespace, *, find_truth: FindTruth | None = None) -> int:
    """Write the page; `find_truth` says which pairs are right where that is known.

    Raises:
        CommandError: the data set was not completed, the page cannot be written, an argument is
            out of range, or there is no pair to draw.
        DatasetError: the data set cannot be read.
        MarksError: the marks cannot be read.
        OutputError: the sheet cannot be written.
    """
    if args.pairs < 1:
        raise CommandError(f"--pairs must be >= 1, got {args.pairs}", exit_code=EXIT_USAGE)
    out = args.out or args.dataset / PAGE
    for flag, place in (("--out", args.out), ("--sheet", args.sheet)):
        if place is not None:
            require_file_place(flag, place)
    truth = find_truth(args.dataset) if find_truth and args.dataset.is_dir() else None
    judged = find_marks(args.dataset, args.marks)
    page = write_report(
        args.dataset, out, pairs=args.pairs, seed=args.seed, truth=truth, judged=judged
    )
    print(f"wrote {out}: {page.shown} of {page.funnel.pairs} pairs shown")
    if args.sheet:
        from pipelines.report.sheet import write_sheet

        print(f"wrote {args.sheet}: {write_sheet(args.dataset, args.sheet, seed=args.seed)} pairs")
    if args.json:
        print_json_line({**count_page(page, out, truth), **count_marks(judged)})
    return 0


def find_marks(folder: Path, marks: Path | None) -> "JudgingSummary | None":
    """What the marks of the data set say, if there are any.

    Raises:
        MarksError, DatasetError: they, or the data set, cannot be read.
    """
    from pipelines.report.judged import find_judged
    from transforms.dataset.folder import is_completed

    return find_judged(folder, marks) if is_completed(folder) else None


def count_marks(judged: "JudgingSummary | None") -> dict[str, object]:
    """The share that judges find right, for a script; nothing without marks."""
    if judged is None or judged.precision is None:
        return {}
    found = judged.precision
    return {"judged_right": found.value, "judged_interval": [found.low, found.high]}


def write_report(
    folder: Path,
    out: Path,
    *,
    pairs: int = 36,
    seed: int = 0,
    truth: TruthReport | None = None,
    judged: "JudgingSummary | None" = None,
) -> "Page":
    """Make the page of the data set in `folder` and write it to `out`, whole or not at all.

    Raises:
        CommandError: the data set was not completed or the page cannot be written.
        DatasetError: the data set cannot be read.
    """
    from pipelines.report.dataset import open_dataset
    from pipelines.report.page import PageOptions, make_page
    from transforms.dataset.files import OutputError, write_bytes

    page = make_page(open_dataset(folder), PageOptions(pairs, seed), truth, judged)
    try:
        write_bytes(out, page.html.encode())
    except OutputError as error:
        raise CommandError(str(error)) from error
    return page


def count_page(page: "Page", out: Path, truth: TruthReport | None) -> dict[str, object]:
    """The counts for a script."""
    funnel = page.funnel
    rejects = {
        f"{step.stage}: {reason}": number
        for step in (*funnel.picture_steps, *funnel.edit_steps)
        for reason, number in step.reasons.items()
    }
    return {
        "page": str(out),
        "sources": funnel.sources,
        "queries": funnel.queries,
        "pairs": funnel.pairs,
        "rejects": rejects,
        "shown": page.shown,
        "problems": list(funnel.problems),
        "right": truth.pairs.right if truth else None,
    }
