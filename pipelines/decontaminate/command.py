"""`pairloom decontaminate DIR --against PICTURES --out DIR2`: without a test set's pictures."""

import argparse
from typing import Any

from pipelines.cleaning.deciding import DECONTAMINATE
from pipelines.cleaning.making import add_making_flags, add_preset_flag, read_making
from pipelines.cleaning.options import CleanOptions
from pipelines.cleaning.plan import CleanPlan
from pipelines.cleaning.reading import print_clean_summary, read_encoder_preset, summarise
from pipelines.sources import open_source
from pipelines.terminal.arguments import existing_folder, local_path
from pipelines.terminal.console import (
    EXIT_OK,
    print_json_line,
    print_table,
)
from transforms.dataset.manifest import load_manifest
from transforms.dataset.reader import open_pairs

SHOWN = 20


def add_parser(subparsers: Any) -> None:
    """Adds `decontaminate` to the command line."""
    parser = subparsers.add_parser(
        "decontaminate",
        help="drop the pairs with near-copies of a test set's pictures",
        description="Make a data set of the one in DIR without the pairs one of whose pictures is "
        "a near-copy of one in PICTURES, and say which. Splits stay as they are.",
    )
    parser.add_argument("folder", type=existing_folder, metavar="DIR", help="made by build")
    parser.add_argument(
        "--against", required=True, metavar="PICTURES", help="the test set: a source as for build"
    )
    parser.add_argument("--out", type=local_path, required=True, metavar="DIR2")
    add_preset_flag(parser)
    add_making_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Drops the pairs, and says which.

    Raises:
        CommandError: something was asked for wrongly.
        whatever `run_clean` raises.
    """
    making = read_making(arguments)
    parent = load_manifest(arguments.folder)
    plan = CleanPlan(
        folder=arguments.folder,
        out=arguments.out,
        options=CleanOptions(),
        preset=read_encoder_preset(arguments.preset, parent, arguments.folder),
        against=open_source(arguments.against),
    )
    manifest = making.run(plan)
    columns = ("stage", "number", "key", "detail")
    dropped = [
        (f"{row['key']}-{row['number']}", row["detail"])
        for row in open_pairs(arguments.out).rejects.rows(columns)
        if row["stage"] == DECONTAMINATE
    ]
    if dropped:
        more = [("and others", len(dropped) - SHOWN)] if len(dropped) > SHOWN else []
        print_table("near-copies of the test set", [*dropped[:SHOWN], *more])
    print_clean_summary(manifest, arguments.out, (DECONTAMINATE,))
    if arguments.json:
        found = [{"pair": pair, "detail": detail} for pair, detail in dropped]
        print_json_line({**summarise(manifest, arguments.out), "dropped": found})
    return EXIT_OK
