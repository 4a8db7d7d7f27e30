"""`pairloom train DIR --out RUN`: an editor trained on a data set of pairs."""

import argparse
from pathlib import Path
from typing import Any

from editing.choices import MASK_COMBINES, OPTIMISERS, PAPER_WEIGHTS, PRECISIONS, PROMPTS
from pipelines.terminal.arguments import JSON_HELP, choices, existing_folder, whole_number
from pipelines.terminal.console import EXIT_USAGE, CommandError, print_json_line, print_table
from pipelines.terminal.editor_arguments import editing_extra
from pipelines.terminal.editor_models import PIPELINE
from transforms.dataset.schema import SCORE_MEANINGS
from transforms.presets import load_preset

METHODS = ("iedit",)


def add_parser(subparsers: Any) -> None:
    """Adds `train` to the command line."""
    parser = subparsers.add_parser(
        "train",
        help="train an editor on a data set of pairs",
        description="Fine-tune a latent diffusion model on the pairs of DIR, which is verified "
        "first, and write it as a diffusers pipeline. Run again after an interruption, it goes on "
        "from its last checkpoint and ends with the same weights. On several GPUs: accelerate "
        "launch -m pairloom train DIR ...",
    )
    parser.add_argument("dataset", type=existing_folder, metavar="DIR", help="made by build")
    parser.add_argument("--out", required=True, type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("--method", choices=METHODS, default="iedit")
    parser.add_argument("--preset", default="stilllife", help="networks to use (default stilllife)")
    _add_length_flags(parser)
    _add_loss_flags(parser)
    _add_machine_flags(parser)
    parser.add_argument("--json", action="store_true", help=JSON_HELP)
    parser.set_defaults(run=run)


def _add_length_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=whole_number(1), default=10_000, help="default 10000")
    parser.add_argument(
        "--batch-size", type=whole_number(1), default=1, help="pairs at once on a device"
    )
    parser.add_argument(
        "--accumulation", type=whole_number(1), default=1, help="batches added up to a step"
    )
    parser.add_argument("--learning-rate", type=float, default=2e-4, help="default 2e-4")
    parser.add_argument("--seed", type=whole_number(0), default=0)
    parser.add_argument(
        "--size", type=whole_number(1), help="side of the pictures in pixels (default the model's)"
    )
    parser.add_argument("--checkpoint-every", type=whole_number(1), default=500, metavar="STEPS")
    parser.add_argument("--sample-every", type=whole_number(1), default=500, metavar="STEPS")


def _add_loss_flags(parser: argparse.ArgumentParser) -> None:
    for term, weight in PAPER_WEIGHTS.items():
        parser.add_argument(
            f"--weight-{term}",
            type=float,
            default=weight,
            metavar="W",
            help=f"of the term {term} of the loss, 0 leaves it out (default {weight:g})",
        )
    parser.add_argument(
        "--mask-combine",
        choices=MASK_COMBINES,
        default="paper",
        help="inside and outside of a pair: paper: target mask, and all but the source mask; "
        "union: union of both, and all but that",
    )
    parser.add_argument(
        "--snr-cap",
        type=float,
        metavar="RATIO",
        help="weigh the terms mask and paired down where the signal-to-noise ratio is above this "
        "(default: as in the paper, not)",
    )
    parser.add_argument(
        "--prompts",
        choices=PROMPTS,
        default="edit",
        help="train under the edit prompt, or, as a baseline, the pseudo-target's own caption",
    )
    parser.add_argument(
        "--empty-share",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="of pairs that are trained without text, to leave the source as it is (default 0)",
    )
    parser.add_argument(
        "--quality",
        choices=tuple(SCORE_MEANINGS),
        metavar="SCORE",
        help=f"weigh pairs by one of their scores: {choices(tuple(SCORE_MEANINGS))}",
    )
    parser.add_argument(
        "--align",
        action="store_true",
        help="move each pseudo-target until the centre of its mask is where the source's is",
    )


def _add_machine_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--precision", choices=PRECISIONS, default="no")
    parser.add_argument("--gradient-checkpointing", action="store_true", help="less memory, slower")
    parser.add_argument(
        "--optimiser",
        choices=OPTIMISERS,
        default="adamw",
        help="adamw8bit needs the package bitsandbytes",
    )


def run(arguments: argparse.Namespace) -> int:
    """Trains, and tells where the editor is."""
    with editing_extra():
        from pipelines.train.job import train
    summary = train(read_plan(arguments))
    if summary is None:
        return 0  # one of several processes; another speaks for all
    print_table(
        f"run {summary.folder}",
        [
            ("steps", summary.steps),
            ("made now", summary.steps_made),
            *((f"{name}, last", value) for name, value in summary.terms.items()),
            ("empty masks", summary.empty_masks),
        ],
    )
    print(f"editor: {summary.folder}/{PIPELINE}")
    if arguments.json:
        print_json_line(summary.as_dict())
    return 0


def read_plan(arguments: argparse.Namespace) -> Any:
    """The run that the flags ask for.

    Raises:
        CommandError: a value that breaks a rule.
    """
    from editing.editors.iedit.losses import TermWeights
    from editing.training.trainer import TrainOptions
    from pipelines.train.job import TrainPlan

    try:
        terms = [term for term in PAPER_WEIGHTS if term != "global"]
        weights = {term: getattr(arguments, f"weight_{term}") for term in terms}
        return TrainPlan(
            dataset=arguments.dataset,
            folder=arguments.out,
            preset=load_preset(arguments.preset),
            options=TrainOptions(
                steps=arguments.steps,
                batch_size=arguments.batch_size,
                accumulation=arguments.accumulation,
                empty_share=arguments.empty_share,
                learning_rate=arguments.learning_rate,
                seed=arguments.seed,
                precision=arguments.precision,
                gradient_checkpointing=arguments.gradient_checkpointing,
                optimiser=arguments.optimiser,
                checkpoint_every=arguments.checkpoint_every,
                sample_every=arguments.sample_every,
            ),
            weights=TermWeights(
                global_=arguments.weight_global, snr_cap=arguments.snr_cap, **weights
            ),
            mask_combine=arguments.mask_combine,
            prompts=arguments.prompts,
            quality=arguments.quality,
            align=arguments.align,
            size=arguments.size,
        )
    except ValueError as error:
        raise CommandError(str(error), exit_code=EXIT_USAGE) from error
