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
from collections.abc import Sequence
from typing import Any

import support.silent_libraries  # noqa: F401
import torch
from support.intervals import bootstrap_mean, wilson
from support.reporting import Target, add_report_flags, at_least, finish

from editing.evaluation.similarity import background_error
from editing.inpainting.inpainter import Inpainter, InpaintSettings
from editing.parts import Parts
from editing.tensors import MaskBatch, PictureBatch
from pipelines.terminal.console import print_table
from stilllife.edits import judge_edit
from stilllife.judge import load_judge
from stilllife.recipes.boxes import thing_boxes
from stilllife.recipes.collection import HELD_OUT_SEEDS, Collection, collect, to_input
from stilllife.recipes.inpainting_edits import KINDS, WantedEdit, draw_edits
from stilllife.scene import Mix
from transforms.presets import load_preset

PARTS = ("inpainting", "masked_sdedit")
AT_ONCE = 50
TIMED = (1, 63)
"""Sizes of the batches that are timed; 63 boxes are 9 anchors in 7 sizes."""


def paint(
    inpainter: Inpainter,
    pictures: PictureBatch,
    masks: MaskBatch,
    edits: Sequence[WantedEdit],
    *,
    settings: InpaintSettings,
    seed: int,
) -> PictureBatch:
    """The edited pictures; each edit's noise is drawn by the seed and its place."""
    made = []
    for start in range(0, len(edits), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        generators = [torch.Generator().manual_seed(seed * 100_003 + e.place) for e in edits[some]]
        prompts = [edit.prompt for edit in edits[some]]
        made.append(
            inpainter.inpaint(pictures[some], masks[some], prompts, generators, settings=settings)
        )
    return torch.cat(made)


def measure(
    inpainter: Inpainter, scenes: Collection, settings: InpaintSettings, *, margin: int, seed: int
) -> dict[str, Any]:
    """Shares right by kind, the error, and seconds an edit by size of batch."""
    edits = draw_edits(scenes, len(scenes), seed=seed)
    pictures = to_input(scenes.pixels)
    things = torch.from_numpy(scenes.regions == 1)
    masks = thing_boxes(things, margin=margin)
    made = paint(inpainter, pictures, masks, edits, settings=settings, seed=seed)
    errors = background_error(made, pictures, things.float().unsqueeze(1)).tolist()
    verdicts = [
        judge_edit(reading, edit.scene, edit.prompt)
        for reading, edit in zip(load_judge().read(made), edits, strict=True)
    ]
    both = {
        kind: [
            v.both for v, edit in zip(verdicts, edits, strict=True) if kind in (edit.kind, "all")
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
        "seconds": {
            str(size): seconds_an_edit(inpainter, pictures, masks, edits, settings, size)
            for size in TIMED
        },
    }


def seconds_an_edit(
    inpainter: Inpainter,
    pictures: PictureBatch,
    masks: MaskBatch,
    edits: Sequence[WantedEdit],
    settings: InpaintSettings,
    size: int,
) -> float:
    """Processor seconds of an edit in a batch of so many, after one that is not counted."""
    rows = [place % len(edits) for place in range(size)]
    prompts = [edits[row].prompt for row in rows]

    def run(count: int) -> None:
        inpainter.inpaint(
            pictures[rows[:count]],
            masks[rows[:count]],
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
    parser.add_argument("--margin", type=int, default=6, help="pixels beside the thing (default 6)")
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
    parts = Parts(preset=load_preset(arguments.preset))
    figures: dict[str, Any] = {"edits": arguments.edits, "margin": arguments.margin, "parts": {}}
    for part in arguments.parts:
        inpainter = parts.load(part)
        settings = choose_settings(inpainter.defaults, arguments)
        figures["parts"][part] = measure(
            inpainter, scenes, settings, margin=arguments.margin, seed=arguments.seed
        )
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
