"""Measuring an editing method: its edits at every strength and seed, a number for each of them.

A CELL is one method at one strength with one seed; it holds a row for each edit. Rows are what is
kept: figures and their intervals are made of them afterwards.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from editing.choices import METHODS, RETRIEVE
from editing.diffusion.sampling import Sampling
from editing.editors.sdedit.editor import Editor
from editing.errors import EditingError
from editing.evaluation.metrics import (
    PerceptualDistance,
    background_error,
    clip_scores,
    region_ssim,
)
from editing.pictures import mask_to_tensor, picture_to_tensor, places_by_size, resize
from editing.requests import Request
from transforms.pictures.decoding import encode_png
from transforms.protocols import Encoder

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class EditCase:
    """One edit to be made and measured.

    `edit_mask` is where the picture may change (L, bright inside), what SSIM and the background
    error are taken by; `source_phrase` names what is there, `target_phrase` what shall be.
    `target` is the real picture that stands for the result; it is compared with as a set (FID), and
    is what `retrieve` gives.
    """

    key: str
    source_key: str
    source: Image.Image
    target: Image.Image
    caption: str
    edit_prompt: str
    source_phrase: str
    target_phrase: str
    edit_mask: Image.Image


@dataclass(frozen=True, order=True)
class Cell:
    """A method at a strength with a seed; the strength of a method that has none is 0."""

    method: str
    strength: float
    seed: int

    @property
    def name(self) -> str:
        """What the cell's file is called."""
        return f"{self.method}-{self.strength:g}-{self.seed}"


def plan_cells(
    methods: Sequence[str], strengths: Sequence[float], seeds: Sequence[int]
) -> list[Cell]:
    """Every method at every strength with every seed; `copy` and `retrieve` once.

    Raises:
        EditingError: an unknown method, or nothing to measure.
    """
    known = (*METHODS, RETRIEVE)
    unknown = [method for method in methods if method not in known]
    if unknown:
        raise EditingError(f"method must be one of {', '.join(known)}, got {unknown[0]!r}")
    cells = []
    for method in methods:
        if method in ("copy", RETRIEVE):
            cells.append(Cell(method, 0.0, seeds[0]))
        else:
            cells += [Cell(method, strength, seed) for strength in strengths for seed in seeds]
    return cells


Judge = Callable[[Sequence[EditCase], Sequence[Image.Image]], Sequence[Mapping[str, float]]]
"""More numbers for each edit, from who knows the truth."""


@dataclass(frozen=True, eq=False)
class Measurer:
    """Makes the edits of cells and measures them.

    `editors` has an editor for each method but `retrieve`. `judge` adds numbers of its own, `lpips`
    the distance between an edited picture and its source.
    """

    editors: Mapping[str, Editor]
    encoder: Encoder
    guidance_scale: float = 7.5
    num_inference_steps: int = 50
    batch_size: int = 16
    judge: Judge | None = None
    lpips: PerceptualDistance | None = None

    def measure(self, cell: Cell, cases: Sequence[EditCase]) -> Iterator[list[Row]]:
        """The rows of a cell, a batch at a time, in the order of `cases`."""
        for start in range(0, len(cases), self.batch_size):
            some = cases[start : start + self.batch_size]
            images = self._edit(cell, some)
            rows = self._rows(some, images)
            yield [
                {"key": case.key, "source_key": case.source_key, **row, "image": encode_png(image)}
                for case, row, image in zip(some, rows, images, strict=True)
            ]

    def _edit(self, cell: Cell, cases: Sequence[EditCase]) -> list[Image.Image]:
        if cell.method == RETRIEVE:
            return [resize(case.target, case.source.size) for case in cases]
        requests = [
            Request(image=case.source, prompt=case.edit_prompt, mask_phrase=case.source_phrase)
            for case in cases
        ]
        sampling = Sampling(
            strength=cell.strength or 1.0,
            guidance_scale=self.guidance_scale,
            num_inference_steps=self.num_inference_steps,
        )
        generators = [key_generator(case.key, cell.seed) for case in cases]
        outputs = self.editors[cell.method].edit(requests, sampling, generator=generators)
        return [output.image for output in outputs]

    def _rows(self, cases: Sequence[EditCase], images: Sequence[Image.Image]) -> list[Row]:
        texts = self.encoder.encode_texts([case.edit_prompt for case in cases])
        cosines = (self.encoder.encode_images(images) * texts).sum(1).astype(np.float64)
        columns: dict[str, Any] = {"cosine": cosines, **clip_scores(cosines)}
        # Pictures of a set may differ in size; those of one size are measured together.
        rows: list[Row] = [{} for _ in cases]
        for places in places_by_size([case.source.size for case in cases]).values():
            for name, values in self._compare(cases, images, places).items():
                for place, value in zip(places, values, strict=True):
                    rows[place][name] = value
        for name, values in columns.items():
            for row, value in zip(rows, values, strict=True):
                row[name] = float(value)
        if self.judge is not None:
            for row, more in zip(rows, self.judge(cases, images), strict=True):
                row.update(more)
        return rows

    def _compare(
        self, cases: Sequence[EditCase], images: Sequence[Image.Image], places: Sequence[int]
    ) -> dict[str, list[float]]:
        """What two pictures and a mask tell, for the cases at `places`."""
        source = torch.stack([picture_to_tensor(cases[place].source) for place in places])
        edited = torch.stack([picture_to_tensor(images[place]) for place in places])
        inside = torch.stack([mask_to_tensor(cases[place].edit_mask) for place in places])
        found = {"background_error": background_error(edited, source, inside)}
        for side, region in (("inside", inside), ("outside", 1 - inside)):
            for name, values in region_ssim(edited, source, region).items():
                found[f"ssim_{side}_{name}"] = values
        if self.lpips is not None:
            found["lpips"] = self.lpips(edited, source)
        return {name: values.tolist() for name, values in found.items()}


def key_generator(key: str, seed: int) -> torch.Generator:
    """What draws the noise for the edit `key`: the same whatever is edited beside it."""
    digest = hashlib.sha256(f"{seed} {key}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
