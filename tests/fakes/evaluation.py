"""Evaluations on small random networks: still lifes and drawn pairs, and the command over them."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from fakes.command_line import Outcome, run
from fakes.editing import save_world
from fakes.pairs import drawn_row, write_pairs
from fakes.still_life import plan_index, plan_pairs, save_preset
from pipelines.build.job import run_build
from pipelines.index.job import run_index
from pipelines.running.execution import Execution
from stilllife.recipes.tokenizers import clip_tokenizer


def save_told_world(root: Path) -> Path:
    """The tiny preset with a diffusion model, and pairs of still lifes in `told`; gives `root`."""
    save_world(root, tokenizer=clip_tokenizer())
    preset = save_preset(root / "networks")
    run_index(plan_index(preset, root / "index"), Execution())
    run_build(plan_pairs(preset, root / "index", root / "told"), Execution())
    return root


SAMPLING = ("--steps", 3, "--strengths", 0.4, 0.8)


def evaluate(
    world: Path,
    out: Path,
    *more: object,
    pairs: Path | str = "told",
    settings: tuple[object, ...] = SAMPLING,
) -> Outcome:
    """`pairloom evaluate` of three editors at two turns of their dials with two seeds."""
    flags = ("--preset", world / "tiny.yaml", "--edits", 5, "--batch-size", 3)
    some = ("--editors", "copy", "sdedit", "iedit-m", "--seeds", 0, 1, *settings)
    model = ("--model", world / "model", "--features", "clip")
    return run("evaluate", world / pairs, "--out", out, *flags, *some, *model, "--json", *more)


def cell_rows(out: Path, name: str) -> list[dict]:
    """The rows of a cell."""
    return pq.read_table(out / "cells" / f"{name}.parquet").to_pylist()


def write_sized_pairs(folder: Path, sides: Sequence[int], count: int = 6) -> Path:
    """A data set of `count` drawn pairs whose pictures have these sides in turn."""
    numbers = iter(range(count))

    def change(row: dict) -> dict:
        number = next(numbers)
        return drawn_row(number, row["source_shard"], side=sides[number % len(sides)])

    write_pairs(folder, counts=(count,), change=change)
    return folder
