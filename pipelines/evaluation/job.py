"""Evaluating editors on a data set of pairs: `pairloom evaluate`, without its flags.

Every cell (an editor at a value of its dial with a seed) becomes a Parquet file with a row and a
picture for each edit; figures are made of those files, so that an interrupted evaluation goes on
cell by cell, and editors can be added to one later.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from editing.evaluation.cases import EditCase
from editing.evaluation.measurer import (
    EXPLANATION,
    MASK,
    REJECTED,
    REMARKS,
    Cell,
    Measurer,
    Row,
    plan_cells,
)
from editing.evaluation.metrics import Statistics
from editing.evaluation.overlap import PAIR_MASK_IOU, LayoutOverlap, MaskOverlap, pair_mask
from editing.evaluation.similarity import LpipsNetwork, PerceptualDistance
from editing.evaluation.statistics import Kept, PromptAgreement, SourceDistance
from editing.parts import Parts
from pipelines.evaluation.cases import draw_cases, shown_places
from pipelines.running.job_folder import JobFolder, require_same, require_whole
from pipelines.still_life.edit_truth import MASK_IOU, load_truth, true_mask
from pipelines.terminal.console import CommandError, show_progress
from pipelines.terminal.editor_arguments import ChosenEditor
from transforms.dataset.files import dump_json, hash_file, make_folder, write_bytes, write_table
from transforms.dataset.manifest import MANIFEST, hash_configuration
from transforms.dataset.rows import image_struct
from transforms.dataset.schema import IMAGE, Column, make_schema
from transforms.presets import Preset

RECORD = "evaluation.json"
CELLS, EDITORS = "cells", "editors"
_TEXTS = (
    Column("key", pa.string(), "key of the pair that asked for the edit"),
    Column("source_key", pa.string(), "key of the source picture"),
)
_IMAGE = Column("image", IMAGE, "the edited picture")
_SOMETIMES = (
    Column(MASK, IMAGE, "the mask that was found for the edit, bright where it may change"),
    Column(EXPLANATION, IMAGE, "how the edit came about, drawn; of edits that the page shows"),
    Column(REMARKS, pa.string(), "what there is to say of the edit, in names with blanks between"),
    Column(REJECTED, pa.string(), "why the edit could not be made; it has no picture"),
)
"""Columns of the cells that have something to put into them."""

_NO_NUMBERS = tuple(column.name for column in (*_TEXTS, _IMAGE, *_SOMETIMES))


@dataclass(frozen=True, kw_only=True)
class EvaluatePlan:
    """All that decides an evaluation.

    `editors` are measured at the values that `dial_values` has for the flag of their dial, at the
    dial's own where it has none. `edits` pairs are drawn from the data set by `draw_seed`; with
    `balanced` every target word has as many of them as every other, as far as there are so many.
    `lpips` names LPIPS's network, None for no LPIPS.
    """

    dataset: Path
    folder: Path
    preset: Preset
    editors: tuple[ChosenEditor, ...]
    seeds: tuple[int, ...]
    dial_values: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    edits: int = 500
    draw_seed: int = 0
    balanced: bool = False
    batch_size: int = 16
    lpips: LpipsNetwork | None = None

    def values(self, editor: ChosenEditor) -> tuple[float, ...]:
        """What the dial of an editor is turned to; empty where it has none."""
        dial = editor.choice.spec.dial
        return () if dial is None else self.dial_values.get(dial.flag, dial.values)

    @property
    def cells(self) -> list[Cell]:
        """What is measured."""
        return [
            cell
            for editor in self.editors
            for cell in plan_cells(
                editor.choice.spec, self.seeds, values=self.values(editor) or None
            )
        ]

    def description(self) -> dict[str, Any]:
        """What the measurements depend on, whoever edits, as plain data."""
        return {
            "dataset": {"manifest_sha256": hash_file(self.dataset / MANIFEST)},
            "models": self.preset.identities(("encoder", "segmenter")),
            "edits": self.edits,
            "draw_seed": self.draw_seed,
            "balanced": self.balanced,
            "batch_size": self.batch_size,
            "lpips": self.lpips,
        }


def describe_editor(editor: ChosenEditor) -> dict[str, Any]:
    """What an editor's cells depend on but their dial and seed, as plain data.

    Raises:
        PresetError, ModelError: a part of it is not there.
    """
    about = editor.choice.describe_edits(editor.settings)
    if editor.choice.spec.dial is not None:
        about["settings"].pop(editor.choice.spec.dial.setting)
    return about


def evaluate(plan: EvaluatePlan) -> list[EditCase]:
    """Makes every cell of the plan that is not there yet; the edits that they are of.

    Raises:
        CommandError: the data set is not whole, or the folder holds another evaluation.
        EditingError, ModelError: in one line each.
    """
    require_whole(plan.dataset)
    description = begin_evaluation(plan)
    cases = draw_cases(plan.dataset, count=plan.edits, seed=plan.draw_seed, balanced=plan.balanced)
    require_same(plan.dataset, description)  # from here on all that is measured is in memory
    waiting = [cell for cell in plan.cells if not cell_path(plan.folder, cell).is_file()]
    if not waiting:
        return cases
    measurer = load_measurer(plan, cases, {cell.editor for cell in waiting})
    shown = {cases[place].key for place in shown_places(len(cases))}
    with show_progress("evaluating", len(waiting) * len(cases), unit="edits") as advance:
        for cell in waiting:
            rows: list[Row] = []
            explained = shown if cell.seed == plan.seeds[0] else set()
            for some in measurer.measure(cell, cases, explained=explained):
                rows += some
                advance(len(some))
            write_cell(plan.folder, cell, rows)
    return cases


def begin_evaluation(plan: EvaluatePlan) -> dict[str, Any]:
    """Makes the folder this evaluation's, or makes sure that it is, and so for every editor.

    Gives what the evaluation is of, as the folder says it.

    Raises:
        CommandError: it holds another one, or edits by an editor with other settings or weights.
        PresetError, ModelError: a part of an editor is not there.
    """
    description = plan.description()
    editors = {editor.name: describe_editor(editor) for editor in plan.editors}
    job = JobFolder(folder=plan.folder, name=RECORD, one="an evaluation", this="this evaluation")
    job.begin(description, hash_configuration(description))
    for name in (CELLS, EDITORS):
        make_folder(plan.folder / name)
    for name, about in editors.items():
        path = plan.folder / EDITORS / f"{name}.json"
        if path.is_file() and json.loads(path.read_bytes()) != about:
            raise CommandError(
                f"{plan.folder} holds edits by {name} with other settings or weights: give another"
            )
        write_bytes(path, dump_json(about))
    return description


def load_measurer(plan: EvaluatePlan, cases: Sequence[EditCase], names: Iterable[str]) -> Measurer:
    """The plan's editors of these names, and what measures them.

    Raises:
        ModelError: a model cannot be loaded.
    """
    parts = Parts(preset=plan.preset)
    wanted = set(names)
    statistics: list[Statistics] = [PromptAgreement(parts.encoder), Kept()]
    if plan.lpips is not None:
        statistics.append(SourceDistance(PerceptualDistance(plan.lpips)))
    if any("layout" in editor.choice.spec.needs for editor in plan.editors):
        statistics.append(LayoutOverlap(parts.segmenter))
    truth = load_truth(cases, parts.segmenter)
    found = MaskOverlap(MASK_IOU, true_mask) if truth else MaskOverlap(PAIR_MASK_IOU, pair_mask)
    return Measurer(
        editors={
            editor.name: (editor.choice.load(), editor.settings)
            for editor in plan.editors
            if editor.name in wanted
        },
        statistics=[*statistics, *([truth] if truth else [])],
        mask_statistics=[found],
        batch_size=plan.batch_size,
    )


def cell_path(folder: Path, cell: Cell) -> Path:
    """The file of a cell."""
    return folder / CELLS / f"{cell.name}.parquet"


def write_cell(folder: Path, cell: Cell, rows: Sequence[Row]) -> None:
    """Writes the rows of a cell, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    measured = (Column(name, pa.float64(), "measure of the edit") for name in numbers_of(names))
    more = [column for column in _SOMETIMES if column.name in names]
    pictures = [column.name for column in (_IMAGE, *more) if column.type == IMAGE]
    schema = make_schema((*_TEXTS, *measured, _IMAGE, *more))
    write_table(
        cell_path(folder, cell),
        schema,
        (row | {name: image_struct(row.get(name)) for name in pictures} for row in rows),
    )


def read_cell(folder: Path, cell: Cell) -> list[Row]:
    """The rows of a cell with their encoded pictures, in the order of the data set.

    The picture of an edit that could not be made is None.
    """
    rows: list[Row] = pq.read_table(cell_path(folder, cell)).to_pylist()
    return rows


def read_numbers(folder: Path, cell: Cell) -> dict[str, list[float]]:
    """What was measured of a cell, by name, in the order of the data set; NaN where nothing was."""
    path = cell_path(folder, cell)
    names = numbers_of(pq.read_schema(path).names)
    table = pq.read_table(path, columns=names)
    return {name: table[name].to_numpy().tolist() for name in names}


def numbers_of(columns: Iterable[str]) -> list[str]:
    """The names of what was measured, among a cell's columns."""
    return [name for name in columns if name not in _NO_NUMBERS]
