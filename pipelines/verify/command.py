"""`pairloom verify DIR`: whether a data set is whole and holds what its manifest says."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.terminal.console import (
    EXIT_FAILED,
    EXIT_OK,
    CommandError,
    print_json_line,
    print_table,
    show_progress,
)
from transforms.dataset.checks import check_folder
from transforms.dataset.shards import KINDS

SHOW_SHARDS = partial(show_progress, "verify", unit="shards")
"""Shows how many of the shards are checked, given how many there are."""


def add_parser(subparsers: Any) -> None:
    """Add `verify` to the command line."""
    parser = subparsers.add_parser(
        "verify",
        help="check a data set against its manifest",
        description="Check every file of a data set against its manifest: sizes, hashes, rows, "
        "sums, keys, and that every picture and mask decodes. Exit code 1 if anything is wrong.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of the data set")
    parser.add_argument("--quick", action="store_true", help="sizes and hashes only")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check the folder, print a table and one line for each problem; 1 if there is any."""
    if not args.folder.is_dir():
        raise CommandError(f"{args.folder} must be a folder that holds a data set")
    findings = check_folder(args.folder, quick=args.quick, show_progress=SHOW_SHARDS)
    print_table(
        f"{args.folder}",
        [(kind, findings.files[kind], findings.rows[kind], findings.bytes[kind]) for kind in KINDS],
        columns=("table", "files", "rows", "bytes"),
    )
    for problem in findings.problems:
        print(f"problem: {problem}")
    print("whole" if not findings.problems else f"problems: {len(findings.problems)}")
    if args.json:
        print_json_line(
            {
                "bytes": findings.bytes,
                "files": findings.files,
                "ok": not findings.problems,
                "problems": findings.problems,
                "rows": findings.rows,
            }
        )
    return EXIT_FAILED if findings.problems else EXIT_OK
