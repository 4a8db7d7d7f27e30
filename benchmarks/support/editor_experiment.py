"""Editors trained on still lifes, and their edits measured, all by the command line."""

import argparse
import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

import support.silent_libraries  # noqa: F401
from editing.evaluation.figures import DialPoint
from editing.evaluation.intervals import Interval
from editing.evaluation.measurer import Cell, plan_cells
from editing.registry import BASELINE, EDITORS
from pipelines.evaluation.cases import draw_cases, spread_evenly
from pipelines.evaluation.job import read_cell, read_numbers
from pipelines.evaluation.summary import Summary
from pipelines.still_life.source import StillLifeSource
from support.editor_rows import BUILDS, MASKED, REAL, ROWS, editors_of
from support.still_life_job import command, environment, source_file
from transforms.dataset.files import write_bytes
from transforms.models.files import locate
from transforms.pictures.contact_sheet import SheetEntry, draw_sheet
from transforms.pictures.decoding import decode_kept, encode_png
from transforms.presets import load_preset

SHARD_SIZE = 500
LOW_STRENGTHS = (0.1, 0.2)
"""Where SDEdit changes so little that it can be compared with methods that look where they edit."""


class EditorExperiment:
    """The folders of one `--work`: pairs, trained editors and their edits; and what fills them."""

    def __init__(self, arguments: argparse.Namespace, work: Path) -> None:
        self._arguments = arguments
        self._work = work
        self._preset = load_preset(arguments.preset)

    def make_training_pairs(self, names: Sequence[str]) -> None:
        """Indexes the pictures to train on, and builds the pairs that are named."""
        if names:
            self._build("seen", {name: BUILDS[name] for name in names})

    def make_new_pairs(self) -> None:
        """Indexes the pictures to edit, and builds the pairs that are evaluated."""
        self._build("held-out", {"new": ()})

    def _build(self, kind: str, builds: Mapping[str, tuple[str, ...]]) -> None:
        arguments = self._arguments
        trained_on = kind == "seen"
        pictures = StillLifeSource(
            count=arguments.pool if trained_on else arguments.new,
            seed=arguments.seed + (1000 if trained_on else 2000),
            shard_size=SHARD_SIZE,
            combinations=kind,
        )
        file = source_file(self._work / f"{kind}.yaml", pictures)
        index = self._work / f"index-{kind}"
        self._run("index", file, "--out", index, "--workers", arguments.workers)
        for name, flags in builds.items():
            words = ("build", file, "--index", index, "--out", self._pairs(name), *flags)
            self._run(*words, "--seed", arguments.seed, "--workers", arguments.workers)

    def train(self, row: str) -> None:
        """Trains a row's editor into `trained(row)`, if it has one."""
        arguments, pairs = self._arguments, ROWS[row].pairs
        if pairs is None:
            return
        steps = ("--steps", arguments.steps, "--batch-size", arguments.batch_size)
        rate = ("--learning-rate", arguments.learning_rate, "--seed", arguments.seed)
        folder = ("train", self._pairs(pairs), "--out", self.trained(row))
        self._run(*folder, *steps, *rate, *ROWS[row].flags)

    def trained(self, row: str) -> Path:
        """Where a row's weights are."""
        return self._work / f"run-{row}"

    def evaluate(self, row: str) -> dict[Cell, dict[str, list[float]]]:
        """What was measured of a row's edits, without and with a mask."""
        arguments = self._arguments
        folder, names = self._evaluation(row), editors_of(row)
        words = ("evaluate", self._pairs("new"), "--out", folder, "--edits", arguments.edits)
        strengths, seeds = arguments.few_strengths, arguments.seeds[:1]
        if ROWS[row].headline:
            strengths, seeds = arguments.strengths, arguments.seeds
        if row == BASELINE:
            strengths = [*LOW_STRENGTHS, *strengths]
        how = () if row == REAL else self._how_to_edit(row, strengths)
        which = ("--balanced", "--batch-size", 50, "--editors", *names, "--seeds", *seeds)
        self._run(*words, *which, *how)
        return {
            replace(cell, editor=names[cell.editor]): read_numbers(folder, cell)
            for name in names
            for cell in plan_cells(EDITORS[name], seeds, values=strengths)
        }

    def _how_to_edit(self, row: str, strengths: Sequence[float]) -> tuple[object, ...]:
        """The flags of what edits with a diffusion model."""
        arguments = self._arguments
        if ROWS[row].pairs is None:
            model = locate(self._preset.part("diffusion"))
        else:
            model = self.trained(row)
        weights = ("--model", model, "--dtype", arguments.dtype)
        steps = ("--steps", arguments.sampling_steps, "--guidance-scale", arguments.guidance_scale)
        masks = ("--mask-grow", arguments.mask_grow, "--paste")
        return (*weights, *steps, *masks, "--strengths", *strengths)

    def fid(self, row: str) -> dict[DialPoint, Interval]:
        """FID of a row's points, as `evaluate` wrote it."""
        path = self._evaluation(row) / "figures.json"
        names = editors_of(row)
        return {
            DialPoint(names[each["editor"]], each["value"]): Interval(*each["fid"])
            for each in json.loads(path.read_text(encoding="utf-8"))["points"]
        }

    def draw_sheet(self, path: Path, summary: Summary, *, count: int = 8) -> None:
        """Writes a sheet of edits, spread evenly over those that were evaluated."""
        arguments, best = self._arguments, summary.best
        masked = max(
            (name for name in best if name.endswith(MASKED)),
            key=lambda name: summary.figures[best[name]][summary.by].value,
        )
        shown = (best[BASELINE], summary.matched[masked], best[masked])
        edits = [self._read(point) for point in shown]
        cases = draw_cases(self._pairs("new"), count=arguments.edits, seed=0, balanced=True)
        rows = [
            SheetEntry(
                (cases[place].source, *(some[place] for some in edits)),
                (f"{cases[place].source_phrase} -> {cases[place].target_phrase}",),
            )
            for place in spread_evenly(len(cases), count)
        ]
        write_bytes(path, encode_png(draw_sheet(rows, ("source", *map(str, shown)))))

    def _read(self, point: DialPoint) -> list[Image.Image]:
        """The pictures of a point of the table, first seed."""
        row = point.editor.removesuffix(MASKED)
        editor = "iedit" if row == point.editor else "iedit-m"
        cell = Cell(editor, point.value, self._arguments.seeds[0])
        return [
            decode_kept(each["image"]["bytes"]) for each in read_cell(self._evaluation(row), cell)
        ]

    def _evaluation(self, row: str) -> Path:
        return self._work / f"evaluation-{row}"

    def _pairs(self, name: str) -> Path:
        return self._work / f"pairs-{name}"

    def _run(self, *words: object) -> None:
        print("pairloom", *words, flush=True)
        flags = ("--preset", self._arguments.preset)
        subprocess.run(command(*words, *flags), env=environment(), check=True)
