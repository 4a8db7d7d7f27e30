r"""Seconds and memory of a step of iEdit's training, beside a plain diffusers training loop.

    python benchmarks/train_step.py [--rounds N] [--steps N] [--batch-size N] [--seed N] [--json]
    python benchmarks/train_step.py --full-size [--gradient-checkpointing] [--precision fp16] \
        [--steps N] [--batch-size N] [--json]

Without --full-size: the still life's networks (of random weights where none are trained; time does
not depend on them), in rounds. Each round runs the same even number of steps of every way: a plain
loop, that is the text-to-image fine-tuning of the same weights of the same UNet; and our trainer
with one term of equation 12 more at a time. It also times alone what a term adds to a step: the
second picture's latent, the decoder, CLIP, the perceptual network, each forward and, where
gradients pass, backward. `explained` is the plain step and these pieces; what is left over is what
our loop costs.

With --full-size: Stable Diffusion v1.4, CLIP ViT-L/14 and VGG16 of random weights, saved as
published, loaded through a preset as `sd14` names them, two steps (one of each group of blocks) of
one pair at 384 pixels, in a process of its own, whose peak memory counts. Beside it stands what
weights, gradients and the optimiser's state take; the rest is activations and libraries. On a card
the card's memory counts, and the median of the steps after the first two.

It computes where `pairloom train` would: on a card where there is one, unless ACCELERATE_USE_CPU=1.
"""

import argparse
import copy
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import support.silent_libraries  # noqa: F401
import torch
from accelerate import PartialState
from support.devices import describe_device, device_peak_gib
from support.full_size_preset import write_full_size_preset
from support.processes import call_apart, peak_mib
from support.reporting import Target, add_report_flags, at_most, finish
from support.training_networks import (
    TRAINED_WITH,
    draw_batch,
    load_full_size,
    small_networks,
)
from support.training_steps import time_ours, time_pieces, time_plain

from editing.editors.iedit.blocks import alternating_groups
from editing.editors.iedit.training_settings import IEditTraining
from editing.training.loop_settings import LoopSettings
from pipelines.terminal.console import print_table

WAYS = {
    "paired": IEditTraining(
        weight_loc=0, weight_global=0, weight_mask=0, weight_paired=1, weight_perc=0
    ),
    "mask": IEditTraining(weight_loc=0, weight_global=0, weight_perc=0),
    "mask, global": IEditTraining(weight_loc=0, weight_perc=0),
    "mask, global, loc": IEditTraining(weight_perc=0),
    "mask, global, loc, perc": IEditTraining(),
}
PLAIN, WHOLE = "plain loop", "mask, global, loc, perc"
FULL_SIDE = 384
LEFT_OUT = 2
"""Steps before those that are timed."""


def training_device() -> str:
    """Where `pairloom train` would compute."""
    return str(PartialState().device)


def mean_step(seconds: Sequence[float]) -> float:
    """Mean of the steps that count: as many of one group of blocks as of the other."""
    return statistics.fmean(seconds[LEFT_OUT:])


def run_rounds(arguments: argparse.Namespace) -> dict[str, Any]:
    """Medians over the rounds: seconds of a step of each way, and of the pieces."""
    torch.set_num_threads(1)
    networks = small_networks(arguments.seed, training_device())
    batch = draw_batch(arguments.batch_size, networks.model.picture_size, seed=arguments.seed)
    options = LoopSettings(
        steps=arguments.steps + LEFT_OUT,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        checkpoint_every=10**9,
        sample_every=10**9,
        gradients_every=10**9,
    )
    rounds: list[dict[str, float]] = []
    for number in range(arguments.rounds):
        found = {}
        for way in (PLAIN, *WAYS):
            fresh = replace(networks.model, unet=copy.deepcopy(networks.model.unet))
            own = replace(networks, model=fresh)
            seconds = (
                time_plain(own, batch, options)
                if way == PLAIN
                else time_ours(own, batch, options, WAYS[way])
            )
            found[way] = mean_step(seconds)
        pieces = time_pieces(networks, batch, times=arguments.steps)
        found |= {f"piece: {name}": value for name, value in pieces.items()}
        found["explained"] = found[PLAIN] + sum(pieces.values())
        found["ratio"] = found[WHOLE] / found["explained"]
        rounds.append(found)
        print(f"round {number}: {found['ratio']:.3f} of what the pieces explain", flush=True)
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def step_at_full_size(preset_file: str, options: LoopSettings, side: int) -> dict[str, Any]:
    """Seconds of the steps, peak memory, and what of it is known; in a process of its own."""
    torch.set_num_threads(1)
    device = training_device()
    networks = load_full_size(preset_file, device)
    loaded = device_peak_gib(device) or peak_mib() / 1024
    batch = draw_batch(options.batch_size, side, seed=options.seed)
    seconds = time_ours(networks, batch, options, IEditTraining())
    unet = networks.model.unet
    trained = [sum(map(torch.numel, group.values())) for group in alternating_groups(unet)]
    return {
        "device": describe_device(device),
        "precision": options.precision,
        "side": side,
        "seconds": seconds,
        "median_s": statistics.median(seconds[LEFT_OUT:] or seconds),
        "peak_gib": device_peak_gib(device) or peak_mib() / 1024,
        "loaded_gib": loaded,
        "parameters": {
            name: sum(map(torch.numel, network.parameters()))
            for name, network in networks.model.networks().items()
        },
        "trained": trained,
        # Only one group has gradients at a time; Adam keeps two numbers for each weight of both.
        "gradients_gib": 4 * max(trained) / 2**30,
        "optimiser_gib": 8 * sum(trained) / 2**30,
        "gradient_checkpointing": options.gradient_checkpointing,
    }


def run_full_size(arguments: argparse.Namespace) -> dict[str, Any]:
    """Builds, loads, takes some steps, deletes."""
    options = LoopSettings(
        steps=arguments.steps,
        precision=arguments.precision,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        gradient_checkpointing=arguments.gradient_checkpointing,
        checkpoint_every=10**9,
        sample_every=10**9,
        gradients_every=10**9,
    )
    with tempfile.TemporaryDirectory(prefix="pairloom-train-step-") as name:
        preset = write_full_size_preset(Path(name), TRAINED_WITH)
        return call_apart(step_at_full_size, str(preset), options, FULL_SIDE)


def main() -> None:
    """Reads the arguments, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--steps", type=int, help="timed, an even number (default 8, with --full-size 2)"
    )
    parser.add_argument("--batch-size", type=int, help="default 8, with --full-size 1")
    parser.add_argument("--full-size", action="store_true")
    parser.add_argument("--gradient-checkpointing", action="store_true", help="at full size")
    parser.add_argument(
        "--precision", choices=("no", "fp16", "bf16"), default="no", help="at full size, mixed"
    )
    add_report_flags(parser)
    arguments = parser.parse_args()
    arguments.steps = arguments.steps or (2 if arguments.full_size else 8)
    if arguments.rounds < 1 or arguments.steps < 2 or arguments.steps % 2:
        parser.error("--rounds must be at least 1, --steps even and at least 2")
    arguments.batch_size = arguments.batch_size or (1 if arguments.full_size else 8)
    found = run_full_size(arguments) if arguments.full_size else run_rounds(arguments)
    title = "a step at full size" if arguments.full_size else "seconds a step"
    print_table(title, [(name, _show(value)) for name, value in found.items()])
    figures = found | {"full_size": arguments.full_size, "batch_size": arguments.batch_size}
    finish(arguments, figures=figures, targets=list_targets(figures))


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """At full size the memory of the paper's cards; else what our own loop costs."""
    if figures["full_size"]:
        return [Target(name="peak memory, GiB", value=figures["peak_gib"], bound=at_most(16))]
    return [
        Target(
            name="seconds of a step / of what explains them",
            value=figures["ratio"],
            bound=at_most(1.1, kind="guard"),
        ),
        Target(name="seconds of a step", value=figures[WHOLE]),
        Target(name="seconds of a step of a plain loop", value=figures[PLAIN]),
    ]


def _show(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
