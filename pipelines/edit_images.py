"""`pentimento edit-images DIR --out EDITS`: every edit that a data set of pairs asks for."""

import argparse
from pathlib import Path
from typing import Any

from pipelines.arguments import (
    add_execution_flags,
    existing_folder,
    read_execution,
    whole_number,
)
from pipelines.console import EXIT_USAGE, CommandError, print_json_line, print_table
from pipelines.editor_models import MASKED, METHODS, model_of
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
    parser.add_argument("--strength", type=float, default=0.7, help="in (0, 1] (default 0.7)")
    parser.add_argument("--guidance-scale", type=float, default=7.5, help="default 7.5")
    parser.add_argument("--steps", type=whole_number(1), default=50, help="default 50")
    parser.add_argument("--seed", type=whole_number(0), default=0)
    parser.add_argument("--device", default="cpu", help="torch device (default cpu)")
    add_execution_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Makes the edits and tells how many."""
    try:
        from editing.sampling import Sampling
        from pipelines.edit_images_job import EditPlan, LoadEditor, edit_images
    except ModuleNotFoundError as error:
        raise CommandError(
            f"editing needs the extra `editing` ({error.name} is missing): "
            "pip install 'pentimento[editing]'"
        ) from error
    try:
        sampling = Sampling(
            strength=arguments.strength,
            guidance_scale=arguments.guidance_scale,
            num_inference_steps=arguments.steps,
        )
    except ValueError as error:
        raise CommandError(str(error), exit_code=EXIT_USAGE) from error
    execution, preset = read_execution(arguments), load_preset(arguments.preset)
    plan = EditPlan(
        dataset=arguments.dataset,
        folder=arguments.out,
        load=LoadEditor(
            arguments.method,
            model_of(arguments.method, preset, model=arguments.model, device=arguments.device),
            preset.segmenter if arguments.method in MASKED else None,
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
