"""How well inpainters edit the thing in a box around it, on still lifes, and how fast.

    python benchmarks/inpainting.py [--preset NAME] [--parts NAME ...] [--edits N] [--margin PX]
        [--strength X] [--guidance-scale X] [--steps N] [--pictures KIND] [--seed N] [--json]

Every task is an edit of colour, noun or size in a picture of one thing, in a combination that no
network was trained on; the box that is painted is the thing's own, larger by a margin on all sides.
A judge tells whether the asked attribute is right and all others are as they were. The error is
the root mean square outside of the true thing, of values in [0, 1]. Seconds are one core's.
"""

import argparse
import time
from typing import Any

import support.silent_libraries  # noqa: F401
import torch
from support.intervals import bootstrap_mean, wilson
from support.reporting import Target, add_report_flags, at_least, finish

from editing.evaluation.similarity import background_error
from editing.inpainting.inpainter import Inpainter, InpaintSettings
from editing.parts import Parts
from editing.tensors import PictureBatch
from pipelines.terminal.console import print_table
from stilllife.edits import judge_edit
from stilllife.judge import load_judge
from stilllife.recipes.box_edits import KINDS, MARGIN, BoxEdits, draw_edits
from stilllife.recipes.collection import HELD_OUT_SEEDS, collect
from stilllife.scene import Mix
from transforms.presets import load_preset

PARTS = ("inpainting", "masked_sdedit", "masked_token")
AT_ONCE = 50
TIMED = (1, 63)
"""Sizes of the batches that are timed; 63 boxes are 9 anchors in 7 sizes."""


def paint(
    inpainter: Inpainter, edits: BoxEdits, *, settings: InpaintSettings, seed: int
) -> PictureBatch:
    """The edited pictures; each edit's noise is drawn by the seed and its place."""
    made = []
    for start in range(0, len(edits), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        prompts = list(edits.prompts[some])
        generators = [
            torch.Generator().manual_seed(seed * 100_003 + start + row)
            for row in range(len(prompts))
        ]
        made.append(
            inpainter.inpaint(
                edits.pictures[some], edits.boxes[some], prompts, generators, settings=settings
            )
        )
    return torch.cat(made)


def measure(
    inpainter: Inpainter, edits: BoxEdits, settings: InpaintSettings, *, seed: int
) -> dict[str, Any]:
    """Shares right by kind, the error, and seconds an edit by size of batch."""
    made = paint(inpainter, edits, settings=settings, seed=seed)
    errors = background_error(made, edits.pictures, edits.things).tolist()
    verdicts = [
        judge_edit(reading, scene, prompt)
        for reading, scene, prompt in zip(
            load_judge().read(made), edits.scenes, edits.prompts, strict=True
        )
    ]
    both = {
        kind: [
            verdict.both
            for verdict, its in zip(verdicts, edits.kinds, strict=True)
            if kind in (its, "all")
        ]
        for kind in ("all", *KINDS)
    }
    return {
        "both": {kind: sum(right) / len(right) for kind, right in both.items()},
        "both_interval": wilson(sum(both["all"]), len(edits)),
        "edited": sum(verdict.edited for verdict in verdicts) / len(edits),
        "error": sum(errors) / len(errors),
        "error_interval": bootstrap_mean(errors),
        "settings": vars(settings),
        "seconds": {str(size): seconds_an_edit(inpainter, edits, settings, size) for size in TIMED},
    }


def seconds_an_edit(
    inpainter: Inpainter, edits: BoxEdits, settings: InpaintSettings, size: int
) -> float:
    """Processor seconds of an edit in a batch of so many, after one that is not counted."""
    rows = [place % len(edits) for place in range(size)]
    prompts = [edits.prompts[row] for row in rows]

    def run(count: int) -> None:
        inpainter.inpaint(
            edits.pictures[rows[:count]],
            edits.boxes[rows[:count]],
            prompts[:count],
            [torch.Generator().manual_seed(row) for row in rows[:count]],
            settings=settings,
        )

    run(1)
    rounds = 5 if size == 1 else 1
    began = time.process_time()
    for _ in range(rounds):
        run(size)
    return (time.process_time() - began) / (rounds * size)


def list_targets(figures: dict[str, Any]) -> list[Target]:
    """That the network that was trained to inpaint is right, and how the others do."""
    return [
        Target(
            name=f"edits right, {part}",
            value=found["both"]["all"],
            bound=at_least(0.85, kind="claim") if part == PARTS[0] else None,
            interval=found["both_interval"],
        )
        for part, found in sorted(figures["parts"].items())
    ]


def main() -> None:
    """Reads the arguments, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="stilllife")
    parser.add_argument("--parts", nargs="+", default=PARTS, help="parts of the preset that paint")
    parser.add_argument("--edits", type=int, default=300)
    parser.add_argument(
        "--margin", type=int, default=MARGIN, help=f"pixels beside the thing (default {MARGIN})"
    )
    parser.add_argument("--strength", type=float, help="instead of each part's own")
    parser.add_argument("--guidance-scale", type=float, help="instead of each part's own")
    parser.add_argument("--steps", type=int, help="instead of each part's own")
    parser.add_argument(
        "--pictures",
        choices=HELD_OUT_SEEDS,
        default="test",
        help="validation to choose settings by, test to report (default)",
    )
    add_report_flags(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    first = HELD_OUT_SEEDS[arguments.pictures] + arguments.seed
    scenes = collect(first, arguments.edits, Mix(two_objects=0.0, held_out=True))
    edits = draw_edits(scenes, seed=arguments.seed, margin=arguments.margin)
    parts = Parts(preset=load_preset(arguments.preset))
    figures: dict[str, Any] = {"edits": arguments.edits, "margin": arguments.margin, "parts": {}}
    for part in arguments.parts:
        inpainter = parts.load(part)
        settings = choose_settings(inpainter.defaults, arguments)
        figures["parts"][part] = measure(inpainter, edits, settings, seed=arguments.seed)
    rows = [row_of(part, found) for part, found in figures["parts"].items()]
    timed = (f"s in a batch of {size}" for size in TIMED)
    columns = ("", "both", *KINDS, "edited", "error", *timed)
    print_table("edits in boxes around things", rows, columns=columns)
    finish(arguments, figures=figures, targets=list_targets(figures))


def row_of(part: str, found: dict[str, Any]) -> tuple[Any, ...]:
    """The table's row of a part."""
    shares = (found["both"][kind] for kind in ("all", *KINDS))
    seconds = (found["seconds"][str(size)] for size in TIMED)
    return (part, *shares, found["edited"], found["error"], *seconds)


def choose_settings(defaults: InpaintSettings, arguments: argparse.Namespace) -> InpaintSettings:
    """The part's own settings, but for those that were typed."""
    typed = {
        "strength": arguments.strength,
        "guidance_scale": arguments.guidance_scale,
        "num_inference_steps": arguments.steps,
    }
    return InpaintSettings(
        **{
            name: getattr(defaults, name) if value is None else value
            for name, value in typed.items()
        }
    )


if __name__ == "__main__":
    main()
