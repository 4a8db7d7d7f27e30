"""DiffEdit against other ways of editing by the same diffusion model, on still lifes.

    python benchmarks/diffedit_table.py [--edits N] [--steps N] [--dtype NAME] [--work DIR]
        [--no-peer] [--seed N] [--json]

Edits of colour, noun and size in pictures of one thing (40%) and of two (60%), in combinations that
no network was trained on. `right` are edits of which a judge reads the attribute that was asked for
and all others as they were; the error is what changed outside of the true thing. Editors are
compared at equal error: an editor's strongest setting that errs no more. Rows:

| row | what it is |
|---|---|
| `copy` | the source |
| `sdedit` | noised to a strength and denoised |
| `sdedit, segmenter` | the same in the segmenter's mask, grown: iedit-m with untrained weights |
| `encode-decode` | inverted to a ratio and denoised, without a mask |
| `diffedit` | the same in the mask of the difference, as it is by default |
| `diffedit, thesis` | with the thesis's numbers for the mask |
| `diffedit, noised` | without encoding: noised by one noise |
| `diffedit, segmenter` | with the segmenter's mask, grown |
| `diffusers` | its StableDiffusionDiffEditPipeline, untouched pixels put back |

Masks are compared with the true thing as they are before they are grown, beside the segmenter's and
beside what a mask at the latent's size can reach at most. Cells are kept in `--work`, so that an
interrupted run goes on there. Seconds are those of one core's CPU.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import support.silent_libraries  # noqa: F401
import torch
from support.diffedit_rows import (
    USUAL,
    draw_mixed,
    list_cells,
    mean_by_kind,
    measure_masks,
)
from support.edit_cells import Measured, measure_cell, measure_edits, strongest_within
from support.intervals import wilson
from support.peer_diffedit import edit_by_peer, load_peer
from support.region_tasks import KINDS, RegionTask
from support.reporting import Target, add_report_flags, at_least, at_most, finish

from editing.diffusion.settings import DTYPES
from editing.evaluation.intervals import bootstrap
from editing.parts import Parts
from pipelines.terminal.console import print_table
from stilllife.judge import Judge, load_judge
from transforms.presets import load_preset

MOST_ERROR = 0.045
PEER = "diffusers"


def measure(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """All figures."""
    parts = Parts(preset=load_preset(arguments.preset), dtype=arguments.dtype)
    judge, seed = load_judge(), arguments.seed
    tasks = draw_mixed(seed, arguments.edits)
    rows = {
        row: {
            value: measure_cell(cell, tasks, parts, judge, seed=seed, work=work)
            for value, cell in cells.items()
        }
        for row, cells in list_cells(arguments.steps).items()
    }
    if arguments.peer:
        rows[PEER] = measure_peer(arguments, tasks, parts, judge, work=work)
    figures = {
        "edits": len(tasks),
        "steps": arguments.steps,
        "rows": {
            row: {f"{value:g}": describe(found, tasks) for value, found in cells.items()}
            for row, cells in rows.items()
        },
        "masks": measure_masks(tasks, parts, seed=seed),
        "beside": stand_all(rows),
    }
    print_rows(figures["rows"])
    print_table(
        "masks, IoU with the thing",
        [
            (name, *(f"{each[kind]:.3f}" for kind in KINDS))
            for name, each in figures["masks"].items()
        ],
        columns=("", *KINDS),
    )
    return figures


def measure_peer(
    arguments: argparse.Namespace,
    tasks: Sequence[RegionTask],
    parts: Parts,
    judge: Judge,
    *,
    work: Path,
) -> dict[float, Measured]:
    """The peer's edits at the ratios of `diffedit, thesis`."""
    pipeline = load_peer(parts.diffusion)
    found = {}
    for ratio in (0.8, 0.9):
        how = {
            "ratio": ratio,
            "guidance_scale": 7.5,
            "num_inference_steps": arguments.steps,
        }
        facts = [how, [task.key for task in tasks], arguments.seed, parts.dtype]
        facts.append(parts.identities(["diffusion"]))

        def make(requests: Any, generators: Any, how: Any = how) -> Any:
            return edit_by_peer(pipeline, requests, generators, **how)

        found[ratio] = measure_edits(
            PEER, facts, make, tasks, judge, seed=arguments.seed, work=work
        )
    return found


def describe(found: Measured, tasks: Sequence[RegionTask]) -> dict[str, Any]:
    """A cell as figures."""
    return {
        "both": found.right,
        "both_interval": wilson(round(sum(found.both)), len(found.both)),
        "error": found.mean_error,
        "kinds": mean_by_kind(found.both, tasks),
        "seconds": found.seconds,
    }


def stand(ours: Measured, others: Mapping[float, Measured], value: float) -> dict[str, Any]:
    """How many more of a hundred edits are right than at `value` of others, of the same edits."""
    other = others[value]
    more = bootstrap([ours.both, other.both], lambda a, b: 100 * (a - b))
    points = {"value": more.value, "low": more.low, "high": more.high}
    return {"at": value, "error": other.mean_error, "points": points}


def stand_all(rows: Mapping[str, Mapping[float, Measured]]) -> dict[str, dict[str, Any]]:
    """Pairs of rows at equal error: which settings, and how many points one has more."""
    default, free = rows["diffedit"][USUAL], rows["encode-decode"][0.5]
    compared = {
        "diffedit over sdedit": (default, "sdedit"),
        "diffedit over sdedit in the segmenter's mask": (default, "sdedit, segmenter"),
        "diffedit over diffusers": (default, PEER),
        "encode-decode over sdedit": (free, "sdedit"),
    }
    found = {
        name: stand(ours, rows[row], strongest_within(rows[row], ours.mean_error))
        for name, (ours, row) in compared.items()
        if row in rows
    }
    found["encoding over none"] = stand(rows["diffedit"][0.9], rows["diffedit, noised"], 0.9)
    return found


def list_targets(figures: Mapping[str, Any]) -> list[Target]:
    """What was to be reached."""
    default = figures["rows"]["diffedit"][f"{USUAL:g}"]
    targets = [
        Target(
            name="diffedit: both right",
            value=default["both"],
            bound=at_least(0.93, kind="aim"),
            interval=tuple(default["both_interval"]),
        ),
        Target(
            name="diffedit: error outside",
            value=default["error"],
            bound=at_most(MOST_ERROR, kind="aim"),
        ),
    ]
    for name, least in (
        ("diffedit over sdedit in the segmenter's mask", 8.0),
        ("diffedit over sdedit", 55.0),
        ("encoding over none", 10.0),
        ("encode-decode over sdedit", 4.0),
        ("diffedit over diffusers", 0.0),
    ):
        if name in figures["beside"]:
            more = figures["beside"][name]["points"]
            targets.append(
                Target(
                    name=f"{name}: points of both right",
                    value=more["value"],
                    bound=at_least(least, kind="aim"),
                    interval=(more["low"], more["high"]),
                )
            )
    masks = figures["masks"]["difference"]
    for kind, least in zip(KINDS, (0.65, 0.58, 0.50), strict=True):
        name = f"difference masks: IoU with the thing, {kind}"
        targets.append(Target(name=name, value=masks[kind], bound=at_least(least, kind="aim")))
    targets.append(Target(name="diffedit: seconds of an edit", value=default["seconds"]))
    return targets


def print_rows(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """A table of all cells."""
    print_table(
        "edits",
        [
            (
                row,
                value,
                f"{found['both']:.3f}",
                "{:.2f} to {:.2f}".format(*found["both_interval"]),
                f"{found['error']:.4f}",
                *(f"{found['kinds'][kind]:.2f}" for kind in KINDS),
                f"{found['seconds']:.2f}",
            )
            for row, cells in rows.items()
            for value, found in cells.items()
        ],
        columns=("row", "dial", "both right", "95%", "error", *KINDS, "s"),
    )


def main() -> None:
    """Measures, prints tables and ends with a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edits", type=int, default=300)
    parser.add_argument("--steps", type=int, default=20, help="from pure noise")
    parser.add_argument("--preset", default="stilllife")
    parser.add_argument("--dtype", choices=DTYPES, default="bfloat16")
    parser.add_argument("--peer", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--work", type=Path, help="where measured cells are kept")
    add_report_flags(parser)
    arguments = parser.parse_args()
    if arguments.edits < 10:
        parser.error("--edits must be at least 10")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        figures = measure(arguments, arguments.work or Path(temporary))
    finish(arguments, figures=figures, targets=list_targets(figures))


if __name__ == "__main__":
    main()
