"""`pairloom verify FOLDER`: whether a data set or an index is whole, as it says of itself.

What lies in the folder decides what is checked, see `CHECKS`.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexes.checks import is_index
from indexes.signing import signature_file, signature_problem
from indexes.ssh_keys import TrustedKeys
from indexes.storage.paths import lies_at
from pipelines.terminal.arguments import any_path, local_path
from pipelines.terminal.console import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_USAGE,
    CommandError,
    print_json_line,
    print_table,
)
from pipelines.terminal.signing_arguments import (
    add_sign_flag,
    read_signing_key,
    read_trusted_keys,
    write_signature,
)
from pipelines.verify.dataset import check_dataset
from pipelines.verify.index import check_index_folder
from pipelines.verify.outcome import Outcome
from transforms.dataset.findings import printable
from transforms.dataset.manifest import MANIFEST

Check = Callable[..., Outcome]


@dataclass(frozen=True)
class FolderKind:
    """A kind of folder: how it is told from others, and how it is checked.

    `check(folder, quick=...)` gives the outcome.
    """

    is_one: Callable[[Path], bool]
    check: Check


CHECKS = (
    FolderKind(lambda folder: lies_at(folder / MANIFEST), check_dataset),
    FolderKind(is_index, check_index_folder),
)
"""What can be verified; a folder that is none of these is judged as a data set."""


def add_parser(subparsers: Any) -> None:
    """Add `verify` to the command line."""
    parser = subparsers.add_parser(
        "verify",
        help="check that a data set or an index is whole",
        description="Check every file of a data set against its manifest, every row against the "
        "schema, and every pair against the candidates and thresholds it was chosen by; or an "
        "index against its description. Exit code 1 if anything is wrong.",
    )
    parser.add_argument("folder", type=any_path, metavar="DIR", help="folder to check")
    parser.add_argument("--quick", action="store_true", help="names, sizes and hashes only")
    parser.add_argument(
        "--trust",
        type=local_path,
        metavar="FILE",
        help="want a signature by one of the keys in FILE: a public key of ssh, an "
        "authorized_keys or an allowed_signers file",
    )
    add_sign_flag(parser, what="what is found whole")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check the folder, print a table and one line for each problem; 1 if there is any.

    Raises:
        CommandError: the folder is none, or `--sign` was asked for with `--quick`.
        SigningError: a key cannot be used.
    """
    if not args.folder.is_dir():
        raise CommandError(f"{args.folder} must be a folder that holds a data set or an index")
    if args.sign and args.quick:
        raise CommandError("--sign wants the whole check, not --quick", exit_code=EXIT_USAGE)
    trusted, key = read_trusted_keys(args.trust), read_signing_key(args.sign)
    check = next((kind.check for kind in CHECKS if kind.is_one(args.folder)), check_dataset)
    outcome = check(args.folder, quick=args.quick)
    problems, notes, total = [*outcome.problems], [*outcome.notes], outcome.total
    if key is not None and not total:
        notes.append(f"signed: {write_signature(outcome.signed, key).name}")
    problem, note = _judge_signature(outcome.signed, trusted)
    if problem:
        problems.append(problem)
        total += 1
    if note and key is None:
        notes.append(note)
    print_table(printable(str(args.folder)), outcome.rows, columns=outcome.columns)
    for line in notes:
        print(printable(line))
    for line in problems:
        print(f"problem: {printable(line)}")
    print("whole" if not total else f"problems: {total}")
    if args.json:
        told = {"ok": not total, "problems": problems, "problems_total": total, "notes": notes}
        print_json_line({**outcome.counts, **told})
    return EXIT_FAILED if total else EXIT_OK


def _judge_signature(signed: Path, trusted: TrustedKeys | None) -> tuple[str, str]:
    """The problem with the signature, or else what there is to say of it; empty for nothing."""
    if trusted is not None:
        problem = signature_problem(signed, trusted)
        return (problem, "") if problem else ("", f"signed by a key of {trusted.path}")
    beside = signature_file(signed)
    if lies_at(beside):
        return "", f"{beside.name} is there and was not checked: --trust FILE checks it"
    return "", ""
