"""`pairloom clean DIR --out DIR2`: a clean data set made of another."""

import argparse
from typing import Any

from pipelines.cleaning.deciding import STAGES
from pipelines.cleaning.making import add_making_flags, add_preset_flag, read_making
from pipelines.cleaning.plan import CleanPlan
from pipelines.cleaning.reading import (
    print_clean_summary,
    read_clean_options,
    read_encoder_preset,
    summarise,
)
from pipelines.terminal.arguments import existing_folder, local_path, whole_number
from pipelines.terminal.clean_arguments import add_clean_flags
from pipelines.terminal.console import (
    EXIT_OK,
    EXIT_USAGE,
    CommandError,
    print_json_line,
    print_note,
)
from pipelines.terminal.nothing_made import nothing_made
from transforms.dataset.manifest import load_manifest


def add_parser(subparsers: Any) -> None:
    """Adds `clean` to the command line."""
    parser = subparsers.add_parser(
        "clean",
        help="filter pairs, find near-copies, cut splits that don't leak, balance",
        description="Make a clean data set of the one in DIR, without a new edit: what is dropped "
        "becomes a reject with its value and rule. Run again after an interruption, it goes on "
        "where it was.",
    )
    parser.add_argument("folder", type=existing_folder, metavar="DIR", help="made by build")
    parser.add_argument("--out", type=local_path, required=True, metavar="DIR2")
    add_clean_flags(parser)
    parser.add_argument("--seed", type=whole_number(0), default=0)
    add_preset_flag(parser)
    parser.add_argument(
        "--index",
        type=existing_folder,
        metavar="DIR",
        help="the index of the pairs, whose groups (index --near-copies) stay together",
    )
    add_making_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Cleans, and tells what was dropped.

    Raises:
        CommandError: something was asked for wrongly.
        whatever `run_clean` raises.
    """
    making = read_making(arguments)
    options = read_clean_options(arguments, seed=arguments.seed)
    if options.is_nothing:
        raise CommandError(
            "say what to clean: --splits, --filter, --cap or --one-a-group", exit_code=EXIT_USAGE
        )
    looks = options.needs_groups or options.needs_measures
    parent = load_manifest(arguments.folder)
    plan = CleanPlan(
        folder=arguments.folder,
        out=arguments.out,
        options=options,
        preset=read_encoder_preset(arguments.preset, parent, arguments.folder) if looks else None,
        index=None if arguments.index is None else str(arguments.index),
        aesthetic=arguments.aesthetic_head,
    )
    manifest = making.run(plan)
    print_clean_summary(manifest, arguments.out, STAGES)
    if not manifest.counts.pairs:
        what = f"pair of {manifest.configuration['clean']['pairs_before']} is left"
        print_note(nothing_made(what, manifest.counts.rejects, where=arguments.out))
    if arguments.json:
        print_json_line(summarise(manifest, arguments.out))
    return EXIT_OK
