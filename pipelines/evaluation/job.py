"""Evaluating editing methods on a data set of pairs: `pairloom evaluate`, without its flags.

Every cell (a method at a strength with a seed) becomes a Parquet file with a row and a picture for
each edit; figures are made of those files, so that an interrupted evaluation goes on cell by cell.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from editing.choices import RETRIEVE, TRAINED
from editing.diffusion.model import LatentDiffusion, load_diffusion
from editing.editors.sdedit.editor import Editor
from editing.evaluation.measurer import Cell, EditCase, Judge, Measurer, Row, plan_cells
from editing.evaluation.metrics import PerceptualDistance
from editing.regions.segmented import MaskUse
from pipelines.evaluation.cases import draw_cases
from pipelines.running.job_folder import JobFolder, require_whole
from pipelines.still_life.edit_truth import load_truth
from pipelines.terminal.console import show_progress
from pipelines.terminal.editor_models import editor_spec, model_of
from transforms.dataset.files import hash_file, make_folder, write_table
from transforms.dataset.manifest import MANIFEST, hash_configuration
from transforms.dataset.rows import image_struct
from transforms.dataset.schema import IMAGE, Column, make_schema
from transforms.models.loading import load_encoder, load_segmenter
from transforms.models.spec import identity
from transforms.presets import Preset

RECORD = "evaluation.json"
CELLS = "cells"
_TEXTS = (
    Column("key", pa.string(), "key of the pair that asked for the edit"),
    Column("source_key", pa.string(), "key of the source picture"),
)
_IMAGE = Column("image", IMAGE, "the edited picture")
_NO_NUMBERS = tuple(column.name for column in (*_TEXTS, _IMAGE))


@dataclass(frozen=True, kw_only=True)
class EvaluatePlan:
    """All that decides an evaluation.

    `model` is a run of `train` or a pipeline, used by `iedit` and `iedit-m`; `sdedit` uses the
    preset's diffusion model. `edits` pairs are drawn from the data set by `draw_seed`; with
    `balanced` every target word has as many of them as every other, as far as there are so many.
    """

    dataset: Path
    folder: Path
    preset: Preset
    model: Path | None
    methods: tuple[str, ...]
    strengths: tuple[float, ...]
    seeds: tuple[int, ...]
    edits: int = 500
    draw_seed: int = 0
    balanced: bool = False
    guidance_scale: float = 7.5
    num_inference_steps: int = 50
    masks: MaskUse = field(default_factory=MaskUse)
    batch_size: int = 16
    device: str = "cpu"
    dtype: str | None = None
    lpips: str | None = None

    @property
    def cells(self) -> list[Cell]:
        """What is measured."""
        return plan_cells(self.methods, self.strengths, self.seeds)

    def description(self) -> dict[str, Any]:
        """What the edits depend on, as plain data: cells may be added to an evaluation."""
        models = {
            "encoder": identity(self.preset.encoder),
            "segmenter": identity(self.preset.segmenter),
        }
        if self.preset.diffusion is not None:
            models["diffusion"] = identity(self.preset.diffusion)
        if self.model is not None:
            models["editor"] = identity(editor_spec(self.model))
        return {
            "dataset": {"manifest_sha256": hash_file(self.dataset / MANIFEST)},
            "models": models,
            "edits": self.edits,
            "draw_seed": self.draw_seed,
            "balanced": self.balanced,
            "guidance_scale": self.guidance_scale,
            "num_inference_steps": self.num_inference_steps,
            "masks": dataclasses.asdict(self.masks),
            "batch_size": self.batch_size,
            "dtype": self.dtype,
            "lpips": self.lpips,
        }


def evaluate(plan: EvaluatePlan) -> list[EditCase]:
    """Makes every cell of the plan that is not there yet; the edits that they are of.

    Raises:
        CommandError: the data set is not whole, or the folder holds another evaluation.
        DatasetError: a pair cannot be read, or has no mask.
        EditingError, ModelError: in one line each.
    """
    require_whole(plan.dataset)
    begin_evaluation(plan)
    cases = draw_cases(plan.dataset, count=plan.edits, seed=plan.draw_seed, balanced=plan.balanced)
    waiting = [cell for cell in plan.cells if not cell_path(plan.folder, cell).is_file()]
    if not waiting:
        return cases
    measurer = load_measurer(plan, cases)
    with show_progress("evaluating", len(waiting) * len(cases), unit="edits") as advance:
        for cell in waiting:
            rows: list[Row] = []
            for some in measurer.measure(cell, cases):
                rows += some
                advance(len(some))
            write_cell(plan.folder, cell, rows)
    return cases


def begin_evaluation(plan: EvaluatePlan) -> None:
    """Makes the folder this evaluation's, or makes sure that it is.

    Raises:
        CommandError: it holds another one.
    """
    description = plan.description()
    job = JobFolder(folder=plan.folder, name=RECORD, one="an evaluation", this="this evaluation")
    job.begin(description, hash_configuration(description))
    make_folder(plan.folder / CELLS)


def load_measurer(plan: EvaluatePlan, cases: Sequence[EditCase]) -> Measurer:
    """The editors of the plan's methods, and what measures them.

    Raises:
        CommandError: a method needs a model that is not named.
        ModelError: a model cannot be loaded.
    """
    segmenter = load_segmenter(plan.preset.segmenter)
    models: dict[str, LatentDiffusion] = {}
    editors = {}
    for method in plan.methods:
        if method == RETRIEVE:
            continue
        own = plan.model if method in TRAINED else None
        spec = model_of(method, plan.preset, model=own, device=plan.device, dtype=plan.dtype)
        if spec is not None and spec.location not in models:
            models[spec.location] = load_diffusion(spec)
        editors[method] = Editor(
            models[spec.location] if spec is not None else None,
            method=method,
            segmenter=segmenter,
            masks=plan.masks,
        )
    judge: Judge | None = load_truth(cases, segmenter)
    return Measurer(
        editors=editors,
        encoder=load_encoder(plan.preset.encoder),
        guidance_scale=plan.guidance_scale,
        num_inference_steps=plan.num_inference_steps,
        batch_size=plan.batch_size,
        judge=judge,
        lpips=PerceptualDistance(plan.lpips) if plan.lpips is not None else None,
    )


def cell_path(folder: Path, cell: Cell) -> Path:
    """The file of a cell."""
    return folder / CELLS / f"{cell.name}.parquet"


def write_cell(folder: Path, cell: Cell, rows: Sequence[Row]) -> None:
    """Writes the rows of a cell, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    measured = (Column(name, pa.float64(), "measure of the edit") for name in numbers_of(rows[0]))
    schema = make_schema((*_TEXTS, *measured, _IMAGE))
    write_table(
        cell_path(folder, cell),
        schema,
        (row | {"image": image_struct(row["image"])} for row in rows),
    )


def read_cell(folder: Path, cell: Cell) -> list[Row]:
    """The rows of a cell with their encoded pictures, in the order of the data set."""
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
