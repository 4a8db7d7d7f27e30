"""Evaluating editing methods on a data set of pairs: `pairloom evaluate`, without its flags.

Every cell (a method at a strength with a seed) becomes a Parquet file with a row and a picture for
each edit; figures are made of those files, so that an interrupted evaluation goes on cell by cell.
"""

import dataclasses
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from editing.choices import RETRIEVE, TRAINED
from editing.diffusion.model import LatentDiffusion, load_diffusion
from editing.editors.sdedit.editor import Editor
from editing.evaluation.measurer import Cell, EditCase, Judge, Measurer, Row, plan_cells
from editing.evaluation.metrics import PerceptualDistance
from editing.regions.segmented import MaskUse
from pipelines.running.job_folder import JobFolder, require_whole
from pipelines.still_life.edit_truth import load_truth
from pipelines.terminal.console import CommandError, show_progress
from pipelines.terminal.editor_models import editor_spec, model_of
from transforms.dataset.files import hash_file, make_folder, write_table
from transforms.dataset.manifest import MANIFEST, hash_configuration, load_manifest
from transforms.dataset.rows import image_struct
from transforms.dataset.schema import IMAGE, MASK_COMPUTED, Column, make_schema
from transforms.dataset.shards import shard_file
from transforms.models.loading import load_encoder, load_segmenter
from transforms.models.spec import identity
from transforms.pictures.decoding import decode
from transforms.presets import Preset

RECORD = "evaluation.json"
CELLS = "cells"
_TEXTS = (
    Column("key", pa.string(), "key of the pair that asked for the edit"),
    Column("source_key", pa.string(), "key of the source picture"),
)
_IMAGE = Column("image", IMAGE, "the edited picture")
_NO_NUMBERS = tuple(column.name for column in (*_TEXTS, _IMAGE))

_COLUMNS = (
    "key",
    "source_key",
    "input_image",
    "edited_image",
    "caption",
    "edit_prompt",
    "source_phrase",
    "target_phrase",
    "source_mask",
    "mask_status",
)


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


def draw_cases(folder: Path, *, count: int, seed: int, balanced: bool = False) -> list[EditCase]:
    """`count` pairs of a data set, drawn by `seed`, in the order of the data set; all if fewer.

    With `balanced` every target word has as many as every other, as far as there are so many.

    Raises:
        CommandError: there are none, or one has no mask.
    """
    manifest = load_manifest(folder)
    total = manifest.counts.pairs
    if total == 0:
        raise CommandError(f"{folder}: the data set has no pairs to evaluate on")
    files = [folder / shard_file("pairs", receipt.shard) for receipt in manifest.shards]
    order = np.random.default_rng(seed).permutation(total).tolist()
    if balanced:
        order = take_turns(order, _target_words(files))
    wanted = set(order[:count])
    cases, number = [], 0
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=list(_COLUMNS)):
                here = [place for place in range(len(batch)) if number + place in wanted]
                cases += [
                    read_case(row) for row in batch.take(pa.array(here, pa.int64())).to_pylist()
                ]
                number += len(batch)
    return cases


def take_turns(order: Sequence[int], groups: Sequence[str]) -> list[int]:
    """`order` so that each group has its first member, then each its second, and so on.

    `groups` names the group of each member; within a group the order stays.
    """
    seen: Counter[str] = Counter()
    turns = []
    for member in order:
        turns.append(seen[groups[member]])
        seen[groups[member]] += 1
    return [member for _, member in sorted(zip(turns, order, strict=True), key=itemgetter(0))]


def _target_words(files: Sequence[Path]) -> list[str]:
    words: list[str] = []
    for path in files:
        words += pq.read_table(path, columns=["target_word"])["target_word"].to_pylist()
    return words


def read_case(row: Row) -> EditCase:
    """The edit that a row of the pairs asks for.

    Raises:
        CommandError: its masks were not computed.
    """
    if row["mask_status"] != MASK_COMPUTED:
        raise CommandError(
            f"pair {row['key']}: masks must be computed, got mask_status {row['mask_status']!r}"
        )
    with Image.open(io.BytesIO(row["source_mask"]["bytes"])) as mask:
        edit_mask = mask.convert("L")
    return EditCase(
        key=row["key"],
        source_key=row["source_key"],
        source=decode(row["input_image"]["bytes"]),
        target=decode(row["edited_image"]["bytes"]),
        caption=row["caption"],
        edit_prompt=row["edit_prompt"],
        source_phrase=row["source_phrase"],
        target_phrase=row["target_phrase"],
        edit_mask=edit_mask,
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
