"""`pairloom evaluate DIR --out EVAL`: editing methods measured on a data set of pairs."""

import argparse
from pathlib import Path
from typing import Any

from editing.choices import FID_FEATURES, LPIPS_NETWORKS, METHODS, RETRIEVE, STRENGTHS
from pipelines.terminal.arguments import JSON_HELP, existing_folder, whole_number
from pipelines.terminal.console import print_json_line, print_table
from pipelines.terminal.editor_arguments import (
    add_mask_flags,
    add_sampling_flags,
    editing_extra,
    read_mask_use,
    read_sampling,
)
from transforms.presets import load_preset

PAGE, FIGURES = "evaluation.html", "figures.json"


def add_parser(subparsers: Any) -> None:
    """Adds `evaluate` to the command line."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure editing methods on a data set of pairs",
        description="Make the edits that the pairs of DIR ask for by several methods, at several "
        "strengths and with several seeds, measure them, and write figures and a page. Run again "
        "after an interruption, it goes on where it was; more methods can be added later.",
    )
    parser.add_argument("dataset", type=existing_folder, metavar="DIR", help="made by build")
    parser.add_argument("--out", required=True, type=Path, metavar="EVAL")
    parser.add_argument("--methods", nargs="+", choices=(*METHODS, RETRIEVE), default=list(METHODS))
    parser.add_argument("--model", type=Path, metavar="DIR", help="a run of train, for iedit")
    parser.add_argument("--preset", default="stilllife", help="networks to use (default stilllife)")
    parser.add_argument("--strengths", nargs="+", type=float, default=list(STRENGTHS))
    parser.add_argument("--seeds", nargs="+", type=whole_number(0), default=[0, 1, 2])
    parser.add_argument("--edits", type=whole_number(1), default=500, help="default 500")
    parser.add_argument(
        "--balanced",
        action="store_true",
        help="as many edits to every target word as to every other, as far as there are so many",
    )
    parser.add_argument("--batch-size", type=whole_number(1), default=16)
    parser.add_argument(
        "--features",
        choices=FID_FEATURES,
        default=None,
        help="what FID compares: the still life's judge, the preset's CLIP, or InceptionV3, which "
        "is fetched (default: the judge with the stilllife preset, else CLIP)",
    )
    parser.add_argument(
        "--lpips",
        choices=LPIPS_NETWORKS,
        default=None,
        help="measure LPIPS from the source too, by this network, which is fetched",
    )
    add_sampling_flags(parser)
    add_mask_flags(parser)
    parser.add_argument("--json", action="store_true", help=JSON_HELP)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measures, writes figures and page, prints each method at its best."""
    with editing_extra():
        from pipelines.evaluation.job import evaluate, read_numbers
        from pipelines.evaluation.page import WORDS, make_page
        from pipelines.evaluation.summary import load_distance, measure_fid, summarise
    from transforms.dataset.files import dump_json, write_bytes

    plan = read_plan(arguments)
    cells = plan.cells
    name = arguments.features or ("judge" if plan.preset.name == "stilllife" else "clip")
    distance = load_distance(name, plan.preset.encoder)
    cases = evaluate(plan)
    fid = measure_fid(plan.folder, cells, cases, distance=distance)
    summary = summarise({cell: read_numbers(plan.folder, cell) for cell in cells}, fid=fid)
    write_bytes(plan.folder / FIGURES, dump_json(summary.as_dict()))
    page = make_page(plan, summary, cases, features=name)
    write_bytes(plan.folder / PAGE, page.encode())
    shown = [
        measure
        for measure in WORDS
        if any(measure in summary.figures[setting] for setting in summary.best.values())
    ]
    print_table(
        f"each method at its best strength (by {summary.by})",
        [
            (
                WORDS[measure],
                *(
                    str(summary.figures[setting].get(measure, ""))
                    for setting in summary.best.values()
                ),
            )
            for measure in shown
        ],
        columns=("", *map(str, summary.best.values())),
    )
    print(f"page: {plan.folder / PAGE}")
    if arguments.json:
        print_json_line(summary.as_dict())
    return 0


def read_plan(arguments: argparse.Namespace) -> Any:
    """The evaluation that the flags ask for.

    Raises:
        CommandError: a value that breaks a rule.
    """
    from pipelines.evaluation.job import EvaluatePlan

    for strength in arguments.strengths:
        read_sampling(arguments, strength=strength)  # raises where a value breaks a rule
    return EvaluatePlan(
        dataset=arguments.dataset,
        folder=arguments.out,
        preset=load_preset(arguments.preset),
        model=arguments.model,
        methods=tuple(dict.fromkeys(arguments.methods)),
        strengths=tuple(sorted(set(arguments.strengths))),
        seeds=tuple(dict.fromkeys(arguments.seeds)),
        edits=arguments.edits,
        balanced=arguments.balanced,
        guidance_scale=arguments.guidance_scale,
        num_inference_steps=arguments.steps,
        masks=read_mask_use(arguments),
        batch_size=arguments.batch_size,
        device=arguments.device,
        dtype=arguments.dtype,
        lpips=arguments.lpips,
    )
