"""DiffEdit against other ways of editing by the same diffusion model, on still lifes.

    python benchmarks/diffedit_table.py [--edits N] [--steps N] [--dtype NAME] [--work DIR]
        [--no-peer] [--no-trained] [--sheet FILE] [--seed N] [--json]

Edits of colour, noun and size in pictures of one thing (40%) and of two (60%), in combinations that
no network was trained on. `right` are edits of which a judge reads the attribute that was asked for
and all others as they were; the error is what changed outside of the true thing. Editors are
compared at equal error: with the best of another's settings that err no more, or its least erring
one where all err more. Rows:

| row | what it is |
|---|---|
| `copy` | the source |
| `retrieve` | the nearest of 2 000 real pictures, by CLIP |
| `sdedit` | noised to a strength and denoised |
| `sdedit, segmenter` | the same in the segmenter's mask, grown: iedit-m with untrained weights |
| `iedit-m, trained` | the same with weights trained as the row `ours` of `editor_table.py` |
| `encode-decode` | inverted to a ratio and denoised, without a mask |
| `diffedit` | the same in the mask of the difference, as it is by default |
| `diffedit, always guided` | with guidance in all steps down, not in the first half |
| `diffedit, thesis` | the same with the thesis's numbers for the mask too |
| `diffedit, noised` | without encoding: noised by one noise |
| `diffedit, segmenter` | with the segmenter's mask, grown |
| `diffusers` | its StableDiffusionDiffEditPipeline, untouched pixels put back |
| `sdedit` and `iedit-m, trained`, `half guided` | guided for as long as `diffedit` is |

Edits of backgrounds, one for five of the others, stand apart. Masks are compared with what truly
changes as they are before they are grown, beside the segmenter's and beside what a mask at the
latent's size can reach at most. Cells, and what is trained, are kept in `--work`, so that an
interrupted run goes on there. Seconds are those of one core's CPU. `--sheet` draws some edits.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import support.silent_libraries  # noqa: F401
import torch
from support.diffedit_rows import (
    PEER,
    USUAL,
    cells_of_backgrounds,
    draw_backgrounds,
    draw_mixed,
    list_cells,
    measure_masks,
    retrieve_targets,
)
from support.diffedit_sheet import draw_page
from support.diffedit_targets import describe_all, list_targets, stand_all
from support.edit_cells import MakeEdits, Measured, measure_cell, measure_edits
from support.peer_diffedit import edit_by_peer, load_peer
from support.region_tasks import BACKGROUND, KINDS, RegionTask
from support.reporting import add_report_flags, finish
from support.trained_iedit import train_iedit

from editing.diffusion.settings import DTYPES
from editing.parts import Parts
from pipelines.terminal.console import print_table
from stilllife.judge import load_judge
from transforms.dataset.files import write_bytes
from transforms.pictures.decoding import encode_png
from transforms.presets import load_preset

PEER_RATIOS = (0.5, 0.7, 0.8, 0.9)


def measure(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """All figures; draws the page that is asked for."""
    parts = Parts(preset=load_preset(arguments.preset), dtype=arguments.dtype)
    judge, seed = load_judge(), arguments.seed
    trained = train_iedit(work / "iedit", preset=arguments.preset) if arguments.trained else None
    cells = list_cells(arguments.steps, trained=trained)
    tasks = retrieve_targets(draw_mixed(seed, arguments.edits), parts.encoder, seed)
    backgrounds = draw_backgrounds(seed, arguments.edits)

    def measure_all(some: Any, tasks: Sequence[RegionTask]) -> dict[str, dict[float, Measured]]:
        return {
            row: {
                value: measure_cell(cell, tasks, parts, judge, seed=seed, work=work)
                for value, cell in values.items()
            }
            for row, values in some.items()
        }

    rows = measure_all(cells, tasks)
    make_by_peer = peer_makers(parts, arguments.steps) if arguments.peer else {}
    facts = [arguments.steps, [task.key for task in tasks], seed, parts.dtype]
    facts.append(parts.identities(["diffusion"]))
    if arguments.peer:
        rows[PEER] = {
            value: measure_edits(PEER, [value, *facts], make, tasks, judge, seed=seed, work=work)
            for value, make in make_by_peer.items()
        }
    if arguments.sheet is not None:
        peer = make_by_peer.get(USUAL)
        page = draw_page(tasks, cells, parts, seed=seed, peer=peer)
        write_bytes(arguments.sheet, encode_png(page))
    return {
        "edits": len(tasks),
        "steps": arguments.steps,
        "rows": describe_all(rows, tasks),
        "masks": measure_masks(tasks, parts, seed=seed),
        "beside": stand_all(rows),
        "backgrounds": {
            "edits": len(backgrounds),
            "rows": describe_all(
                measure_all(cells_of_backgrounds(cells), backgrounds), backgrounds
            ),
            "masks": measure_masks(backgrounds, parts, seed=seed),
        },
    }


def peer_makers(parts: Parts, steps: int) -> dict[float, MakeEdits]:
    """What makes the peer's edits, by its ratio."""
    pipeline = load_peer(parts.diffusion)

    def maker(ratio: float) -> MakeEdits:
        return lambda requests, generators: edit_by_peer(
            pipeline,
            requests,
            generators,
            ratio=ratio,
            guidance_scale=7.5,
            num_inference_steps=steps,
        )

    return {ratio: maker(ratio) for ratio in PEER_RATIOS}


def print_figures(figures: Mapping[str, Any]) -> None:
    """Tables of all cells and masks, then those of backgrounds."""
    for name, some, kinds in (
        ("edits", figures, KINDS),
        ("edits of backgrounds", figures["backgrounds"], (BACKGROUND,)),
    ):
        print_rows(name, some["rows"], kinds)
        print_masks(f"masks of {name}, IoU with what changes", some["masks"], kinds)


def print_rows(name: str, rows: Mapping[str, Mapping[str, Any]], kinds: Sequence[str]) -> None:
    """A table of all cells."""
    print_table(
        name,
        [
            (
                row,
                value,
                f"{found['both']:.3f}",
                "{:.2f} to {:.2f}".format(*found["both_interval"]),
                f"{found['error']:.4f}",
                *(f"{found['kinds'][kind]:.2f}" for kind in kinds),
                f"{found['seconds']:.2f}",
            )
            for row, cells in rows.items()
            for value, found in cells.items()
        ],
        columns=("row", "dial", "both right", "95%", "error", *kinds, "s"),
    )


def print_masks(name: str, masks: Mapping[str, Any], kinds: Sequence[str]) -> None:
    """A table of masks."""
    print_table(
        name,
        [
            (
                row,
                *(f"{each['iou'][kind]:.3f}" for kind in kinds),
                "" if each["seconds"] is None else f"{each['seconds']:.3f}",
            )
            for row, each in masks.items()
        ],
        columns=("", *kinds, "s"),
    )


def main() -> None:
    """Measures, prints tables and ends with a line of JSON."""
    flag = argparse.BooleanOptionalAction
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edits", type=int, default=300)
    parser.add_argument("--steps", type=int, default=20, help="from pure noise")
    parser.add_argument("--preset", default="stilllife")
    parser.add_argument("--dtype", choices=DTYPES, default="bfloat16")
    parser.add_argument("--peer", action=flag, default=True)
    parser.add_argument("--trained", action=flag, default=True, help="train masked iEdit first")
    parser.add_argument("--work", type=Path, help="where measured cells are kept")
    parser.add_argument("--sheet", type=Path, help="write a page of edits, a PNG file")
    add_report_flags(parser)
    arguments = parser.parse_args()
    if arguments.edits < 10:
        parser.error("--edits must be at least 10")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        figures = measure(arguments, arguments.work or Path(temporary))
    print_figures(figures)
    finish(arguments, figures=figures, targets=list_targets(figures))


if __name__ == "__main__":
    main()
