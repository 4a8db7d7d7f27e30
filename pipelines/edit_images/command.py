"""`pairloom edit-images DIR --out EDITS`: every edit that a data set of pairs asks for."""

import argparse
from typing import Any

from editing.registry import DEFAULT, EDITORS
from editing.remarks import in_words
from pipelines.running.execution_arguments import add_execution_flags, read_execution
from pipelines.sources import open_source
from pipelines.terminal.arguments import any_path, existing_folder, whole_number
from pipelines.terminal.console import fail, print_json_line, print_table
from pipelines.terminal.editor_arguments import (
    add_editing_flags,
    add_editor_flag,
    add_model_flags,
    editing_extra,
    read_editor,
)
from pipelines.terminal.nothing_made import nothing_made
from transforms.presets import load_preset


def add_parser(subparsers: Any) -> None:
    """Adds `edit-images` to the command line."""
    parser = subparsers.add_parser(
        "edit-images",
        help="make every edit that a data set of pairs asks for",
        description="Edit the source picture of every pair of DIR by its edit prompt and write "
        "Parquet shards of results. Run again after an interruption, it goes on where it was.",
    )
    parser.add_argument("dataset", type=existing_folder, metavar="DIR", help="made by build")
    parser.add_argument("--out", required=True, type=any_path, metavar="EDITS")
    add_editor_flag(parser, list(EDITORS), DEFAULT)
    add_model_flags(parser)
    parser.add_argument("--seed", type=whole_number(0), default=0)
    add_execution_flags(parser)
    add_editing_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Makes the edits and tells how many."""
    with editing_extra():
        from pipelines.edit_images.job import EditPlan, edit_images

    execution = read_execution(arguments)
    chosen = read_editor(arguments, load_preset(arguments.preset), open_source=open_source)
    plan = EditPlan(
        dataset=arguments.dataset,
        folder=arguments.out,
        choice=chosen.choice,
        settings=chosen.settings,
        seed=arguments.seed,
    )
    counts = edit_images(plan, execution)
    print_table(
        f"edits {counts['folder']}",
        [
            ("edits", counts["edits"]),
            *((f"with {in_words(name)}", n) for name, n in counts["remarks"].items()),
            *((f"rejected: {reason}", number) for reason, number in counts["rejects"].items()),
            ("shards", counts["shards"]),
            ("of these already there", counts["shards_skipped"]),
        ],
    )
    if arguments.json:
        print_json_line(counts)
    if counts["edits"]:
        return 0
    return fail(nothing_made("edit could be made", counts["rejects"], where=counts["folder"]))
