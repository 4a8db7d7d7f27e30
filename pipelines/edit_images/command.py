"""`pairloom edit-images DIR --out EDITS`: every edit that a data set of pairs asks for."""

import argparse
from pathlib import Path
from typing import Any

from editing.choices import MASKED, METHODS
from pipelines.running.execution_arguments import add_execution_flags, read_execution
from pipelines.terminal.arguments import (
    existing_folder,
    whole_number,
)
from pipelines.terminal.console import print_json_line, print_table
from pipelines.terminal.editor_arguments import (
    add_mask_flags,
    add_sampling_flags,
    add_strength_flag,
    editing_extra,
    read_mask_use,
    read_model,
    read_sampling,
)
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
    parser.add_argument("--out", required=True, type=Path, metavar="EDITS")
    parser.add_argument("--method", choices=METHODS, default="iedit-m")
    parser.add_argument("--model", type=Path, metavar="DIR", help="a run of train, or a pipeline")
    parser.add_argument("--preset", default="stilllife", help="networks to use (default stilllife)")
    add_strength_flag(parser)
    add_sampling_flags(parser)
    add_mask_flags(parser)
    parser.add_argument("--seed", type=whole_number(0), default=0)
    add_execution_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Makes the edits and tells how many."""
    with editing_extra():
        from pipelines.edit_images.job import EditPlan, LoadEditor, edit_images

        sampling = read_sampling(arguments, strength=arguments.strength)
        masks = read_mask_use(arguments)
    execution, preset = read_execution(arguments), load_preset(arguments.preset)
    plan = EditPlan(
        dataset=arguments.dataset,
        folder=arguments.out,
        load=LoadEditor(
            arguments.method,
            read_model(arguments, preset),
            preset.segmenter if arguments.method in MASKED else None,
            masks,
        ),
        sampling=sampling,
        seed=arguments.seed,
    )
    counts = edit_images(plan, execution)
    print_table(
        f"edits {counts['folder']}",
        [
            ("edits", counts["edits"]),
            *((f"rejected: {reason}", number) for reason, number in counts["rejects"].items()),
            ("shards", counts["shards"]),
            ("of these already there", counts["shards_skipped"]),
        ],
    )
    if arguments.json:
        print_json_line(counts)
    return 0
