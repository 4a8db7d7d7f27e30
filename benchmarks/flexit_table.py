"""FlexIT on still lifes: the thesis's form, the form found best, and what each part brings.

    python benchmarks/flexit_table.py [--edits N] [--steps N] [--dtype NAME] [--device NAME]
        [--rows NAME ...] [--work DIR] [--together N] [--timed N] [--sheet FILE] [--fooled FILE]
        [--seed N] [--json]

Edits of colour, noun and size in pictures of one thing (40%) and of two (60%), in combinations that
no network was trained on. Source and target of an edit are of one cluster: two colours, sizes, or
nouns of one family. Beside what the tables of the other editors have, each cell is measured as in
section 4.4 of Couairon's thesis, by the judge of the still life, which no editor sees:

| figure | what it is |
|---|---|
| `both` | the attribute that was asked for and all others are right |
| `accuracy` | the attribute that was asked for is |
| `error` | what changed outside of the true thing |
| `fooled` | CLIP finds the prompt nearest of its cluster's, and the attribute is not right |
| `lpips` | LPIPS from the source by the judge's layers, without learned weights |
| `csfid`, `sfid` | simplified FID of each target class (the mean), and of all, by its features |

| row | what it is |
|---|---|
| `copy`, `retrieve` | the source; the nearest of 2 000 real pictures, by CLIP |
| `sdedit`, `sdedit, segmenter` | noised to a strength and denoised; in the same masks |
| `flexit` | as it is by default |
| `flexit, thesis` | as the thesis has it: no region, 160 steps, 8 views, CLIP alone |
| `flexit, thesis, dot product` | by the loss of its code |
| `flexit, thesis, codes` | in the latent of the masked-token model's quantiser |
| `flexit, thesis in a region` | in the default's masks |
| `flexit, ...` | the default with one thing changed |

Edits are kept as pictures in `--work`, so that an interrupted run goes on there, and edits that a
card made are measured where there is none. Seconds of a cell are those of one core's CPU where it
was made on one; `--timed` edits are made one at a time on the CPU for the time of an edit.
`--sheet` draws some edits, `--fooled` those that fool CLIP.
"""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import support.silent_libraries  # noqa: F401
import torch
from support.diffedit_rows import draw_mixed, retrieve_targets
from support.edit_cells import TOGETHER
from support.flexit_measures import EditMeter, describe, draw_real
from support.flexit_rows import ALWAYS, RETRIEVE, list_cells
from support.flexit_sheet import draw_fooled, draw_page
from support.flexit_targets import Cell, list_targets, stand_all
from support.flexit_time import time_edits
from support.kept_edits import keep_edits
from support.reporting import add_report_flags, finish

from editing.diffusion.settings import DTYPES
from editing.parts import Parts
from pipelines.terminal.console import print_table
from stilllife.judge import load_judge
from transforms.dataset.files import write_bytes
from transforms.pictures.decoding import encode_png
from transforms.presets import load_preset

TWO_OBJECTS_PERCENT = 60


def measure(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """All figures; draws the pages that are asked for."""
    preset, seed = load_preset(arguments.preset), arguments.seed
    here = Parts(preset=preset, dtype=arguments.dtype)
    there = Parts(preset=preset, dtype=arguments.dtype, device=arguments.device)
    judge = load_judge()
    tasks = draw_mixed(seed, arguments.edits)
    if RETRIEVE in arguments.rows:
        tasks = retrieve_targets(tasks, here.encoder, seed)
    meter = EditMeter(tasks, here.encoder, judge)
    rows: dict[str, dict[float, Cell]] = {}
    for row, cells in list_cells(arguments.steps).items():
        if row not in (*ALWAYS, *arguments.rows):
            continue
        rows[row] = {}
        for value, cell in cells.items():
            kept = keep_edits(cell, tasks, there, seed=seed, work=work, together=arguments.together)
            rows[row][value] = kept, meter.measure(kept)
    real = draw_real(judge, seed, two_objects_percent=TWO_OBJECTS_PERCENT)
    for path, draw in ((arguments.sheet, draw_page), (arguments.fooled, draw_fooled)):
        if path is not None:
            write_bytes(path, encode_png(draw(tasks, rows, judge)))
    return {
        "edits": len(tasks),
        "steps": arguments.steps,
        "dtype": arguments.dtype,
        "rows": {
            row: {
                f"{value:g}": describe(found, kept, tasks, real)
                for value, (kept, found) in cells.items()
            }
            for row, cells in rows.items()
        },
        "beside": stand_all(rows),
        "time": time_edits(tasks[: arguments.timed], here),
    }


def print_figures(figures: Mapping[str, Any]) -> None:
    """Two tables of all cells, and the time of an edit."""
    cells = [
        (row, value, found)
        for row, cells in figures["rows"].items()
        for value, found in cells.items()
    ]
    print_table(
        "edits",
        [
            (
                row,
                value,
                f"{found['both']:.3f}",
                "{:.2f} to {:.2f}".format(*found["both_interval"]),
                f"{found['error']:.3f}",
                f"{found['fooled']:.3f}",
                f"{found['seconds']:.2f}",
            )
            for row, value, found in cells
        ],
        columns=("row", "dial", "both", "95%", "error", "fooled", "s"),
    )
    names = ("accuracy", "lpips", "csfid", "sfid")
    print_table(
        "the thesis's figures, and `both` by kind",
        [
            (
                row,
                *(f"{found[name]:.2f}" for name in names),
                *(f"{each['both']:.2f}" for each in found["kinds"].values()),
            )
            for row, _, found in cells
        ],
        columns=("row", *names, "colour", "noun", "size"),
    )
    taken = figures["time"]
    print_table(
        "seconds of one core for an edit",
        [
            ("whole", f"{taken['edit']:.2f}"),
            *((name, f"{each:.2f}") for name, each in taken["parts"].items()),
        ],
        columns=("", "s"),
    )


def main() -> None:
    """Measures, prints tables and ends with a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edits", type=int, default=300)
    parser.add_argument("--steps", type=int, default=20, help="of SDEdit, from pure noise")
    parser.add_argument("--preset", default="stilllife")
    parser.add_argument("--dtype", choices=DTYPES, default="bfloat16")
    parser.add_argument("--device", default="cpu", help="where edits are made, such as cuda")
    parser.add_argument("--together", type=int, default=TOGETHER, help="edits in one pass")
    parser.add_argument("--timed", type=int, default=5, help="edits that are made to time them")
    parser.add_argument(
        "--rows",
        nargs="+",
        choices=tuple(list_cells(1)),
        default=tuple(list_cells(1)),
        metavar="NAME",
        help=f"rows besides {', '.join(ALWAYS)} (default all)",
    )
    parser.add_argument("--work", type=Path, help="where edits are kept")
    parser.add_argument("--sheet", type=Path, help="write a page of edits, a PNG file")
    parser.add_argument("--fooled", type=Path, help="write a page of those that fool CLIP")
    add_report_flags(parser)
    arguments = parser.parse_args()
    if arguments.edits < 10:
        parser.error("--edits must be at least 10")
    for name in ("together", "timed"):
        if getattr(arguments, name) < 1:
            parser.error(f"--{name} must be at least 1")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        figures = measure(arguments, arguments.work or Path(temporary))
    print_figures(figures)
    finish(arguments, figures=figures, targets=list_targets(figures))


if __name__ == "__main__":
    main()
