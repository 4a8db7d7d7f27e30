r"""Seconds and memory of an edit at the published sizes, by any editor, with random weights.

    python benchmarks/full_size_edit.py [--editor NAME] [--device cuda] [--dtype float16] \
        [--width N] [--height N] [--edits N] [--seed N] [--json] [flags of `pairloom edit`]

The parts of the preset sd14 that the editor asks for are built with random weights, saved as
published and loaded through a preset file; then a picture of noise is edited, in a process of its
own, whose memory counts. Pictures come out as noise; what an edit costs does not depend on it. The
first edit of a process also finds out how to compute, so the median of the others is told, where
there are any, and the median of the processor's seconds, which other work on the machine changes
little. One torch thread.
"""

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import support.silent_libraries  # noqa: F401
import torch
from PIL import Image
from support.devices import describe_device, device_peak_gib, wait_for
from support.full_size_preset import write_full_size_preset
from support.processes import call_apart, peak_mib
from support.reporting import Target, add_report_flags, finish

from editing.layouts import Layout, Segment
from editing.parts import PART_LOADERS
from editing.registry import EDITORS
from editing.requests import Request
from pipelines.terminal.console import CommandError, print_table
from pipelines.terminal.editor_arguments import (
    ChosenEditor,
    add_editing_flags,
    add_editor_flag,
    add_model_flags,
    read_editor,
)
from transforms.presets import load_preset


def parts_of(chosen: ChosenEditor) -> list[str]:
    """The parts of a preset that the editor loads, by the preset's names."""
    choice = chosen.choice
    names = (*choice.part_names, *choice.spec.settings_parts(chosen.settings))
    return sorted({PART_LOADERS[name].of for name in names})


def picture_of_noise(width: int, height: int, *, seed: int) -> Image.Image:
    """An RGB picture, every pixel drawn."""
    generator = np.random.default_rng(seed)
    return Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8))


def left_half(size: tuple[int, int], phrase: str) -> Layout:
    """The layout in which a phrase is the left half, of at least one pixel."""
    mask = Image.new("L", size)
    mask.paste(255, (0, 0, -(-size[0] // 2), size[1]))
    return Layout((Segment(phrase, mask),))


def edit_some(arguments: argparse.Namespace, preset_file: str) -> dict[str, Any]:
    """What the edits cost, in a process of its own."""
    torch.set_num_threads(1)
    device = arguments.device
    chosen = read_editor(arguments, load_preset(preset_file))
    began = time.perf_counter()
    editor = chosen.choice.load()
    load_s = time.perf_counter() - began
    picture = picture_of_noise(arguments.width, arguments.height, seed=arguments.seed)
    request = Request(
        image=picture,
        prompt="a red apple",
        source_prompt="a green apple",
        layout=left_half(picture.size, "apple"),
    )
    seconds, cpu_seconds, changed, steps = [], [], [], [0]

    def count() -> None:
        steps[-1] += 1

    for number in range(arguments.edits):
        generator = torch.Generator().manual_seed(arguments.seed + number)
        began, cpu_began = time.perf_counter(), time.process_time()
        (output,) = editor.edit([request], chosen.settings, [generator], count)
        wait_for(device)
        seconds.append(time.perf_counter() - began)
        cpu_seconds.append(time.process_time() - cpu_began)
        changed.append(float((np.asarray(output.image) != np.asarray(picture)).mean()))
        print(f"edit {number + 1} of {arguments.edits}: {seconds[-1]:.2f} s", flush=True)
        steps.append(0)
    return {
        "device": describe_device(device),
        "load_s": load_s,
        "seconds": seconds,
        "median_s": statistics.median(seconds[1:] or seconds),
        "median_cpu_s": statistics.median(cpu_seconds[1:] or cpu_seconds),
        "steps_an_edit": steps[0],
        "changed": changed,
        "host_peak_gib": peak_mib() / 1024,
        "device_peak_gib": device_peak_gib(device),
        "settings": dataclasses.asdict(chosen.settings),
    }


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Builds the networks, edits, deletes them."""
    needed = parts_of(read_editor(arguments, load_preset("sd14")))
    with tempfile.TemporaryDirectory(prefix="pairloom-full-size-edit-") as name:
        preset = write_full_size_preset(Path(name), needed)
        found = call_apart(edit_some, arguments, str(preset))
    size = {"width": arguments.width, "height": arguments.height}
    chosen = {"editor": arguments.editor, "parts": needed, "dtype": arguments.dtype}
    return chosen | size | found


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """Memory and time, to inform: of the card where there is one."""
    memory = figures["device_peak_gib"] or figures["host_peak_gib"]
    return [
        Target(name="peak memory, GiB", value=memory),
        Target(name="seconds of an edit", value=figures["median_s"]),
    ]


def main() -> None:
    """Reads the arguments, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [name for name, spec in EDITORS.items() if not spec.needs_model]
    add_editor_flag(parser, names, "learned-regions")
    add_model_flags(parser)
    add_editing_flags(parser)
    parser.add_argument("--width", type=int, default=512, help="of the picture, pixels")
    parser.add_argument("--height", type=int, default=512, help="of the picture, pixels")
    parser.add_argument("--edits", type=int, default=1)
    add_report_flags(parser, seed_help="draws the picture, and noise (default 0)")
    arguments = parser.parse_args()
    if min(arguments.width, arguments.height, arguments.edits) < 1:
        parser.error("--width, --height and --edits must be at least 1")
    try:
        figures = run(arguments)
    except CommandError as error:
        parser.error(str(error))
    print_table(
        f"{figures['editor']} at full size",
        [(name, str(value)) for name, value in figures.items()],
    )
    finish(arguments, figures=figures, targets=list_targets(figures))


if __name__ == "__main__":
    main()
