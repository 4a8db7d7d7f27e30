"""Measuring an editor: its edits at every turn of its dial and every seed, numbers for each.

A CELL is one editor at one value of its dial with one seed; it holds a row for each edit. Rows are
what is kept: figures and their intervals are made of them afterwards.
"""

import dataclasses
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from editing.editor import EditorSpec
from editing.errors import EditingError, NotFiniteError, SettingError
from editing.evaluation.cases import EditCase
from editing.evaluation.edit_layout import edit_layout
from editing.evaluation.metrics import MaskStatistics, Numbers, Statistics
from editing.loading import LoadedEditor
from editing.requests import EditOutput, Request
from editing.settings import require_numbers
from transforms.pictures.decoding import encode_png

Row = dict[str, Any]

REJECTED = "rejected"
"""What a row has in place of a picture and numbers where the edit could not be made: why."""

MASK = "mask"
"""What a row has where a mask was found for its edit: the mask, encoded."""

EXPLANATION = "explanation"
"""What a row that is asked to say so has: how its edit came about, drawn and encoded."""

REMARKS = "remarks"
"""What a row has where there is something to say of its edit: names of remarks, with blanks."""

_EDIT_ERRORS = (EditingError, RuntimeError, ValueError, IndexError, ArithmeticError)
# What an editor raises over an edit it cannot make. Anything else is a fault of the program.


@dataclass(frozen=True, order=True)
class Cell:
    """An editor at a value of its dial with a seed; the value is None where it has no dial."""

    editor: str
    value: float | None
    seed: int

    @property
    def name(self) -> str:
        """What the cell's file is called."""
        turned = "" if self.value is None else f"-{self.value:g}"
        return f"{self.editor}{turned}-{self.seed}"


def plan_cells(
    spec: EditorSpec[Any], seeds: Sequence[int], *, values: Sequence[float] | None = None
) -> list[Cell]:
    """An editor at every value of its dial with every seed; once where it has no dial.

    `values` None stands for the dial's own.
    """
    if spec.dial is None:
        return [Cell(spec.name, None, seeds[0])]
    turned = spec.dial.values if values is None else values
    return [Cell(spec.name, value, seed) for value in turned for seed in seeds]


def turn_dial(spec: EditorSpec[Any], settings: Any, value: float | None) -> Any:
    """`settings` with the dial of `spec` at `value`; as they are for None, where there is no dial.

    Raises:
        ValueError: the setting does not take that value.
    """
    if spec.dial is None or value is None:
        return settings
    turned = dataclasses.replace(settings, **{spec.dial.setting: value})
    require_numbers(turned)
    return turned


@dataclass(frozen=True, eq=False)
class Measurer:
    """Makes the edits of cells and measures them.

    `editors` has an editor and its settings for each name; `statistics` give the numbers, and
    `mask_statistics` those of the masks that are found for edits. The mask of a layout was given.
    """

    editors: Mapping[str, tuple[LoadedEditor, Any]]
    statistics: Sequence[Statistics]
    mask_statistics: Sequence[MaskStatistics] = ()
    batch_size: int = 16

    def measure(
        self, cell: Cell, cases: Sequence[EditCase], *, explained: Collection[str] = ()
    ) -> Iterator[list[Row]]:
        """The rows of a cell, a batch at a time, in the order of `cases`.

        An edit that cannot be made has a row without numbers, which says why; the others of its
        batch are made. Cases whose keys are `explained` keep how their edit came about, where the
        editor has something to tell.

        Raises:
            SettingError: a setting that the editor cannot work with.
        """
        for start in range(0, len(cases), self.batch_size):
            some = cases[start : start + self.batch_size]
            outcomes = self._edit(cell, some)
            made = [place for place, one in enumerate(outcomes) if isinstance(one, EditOutput)]
            outputs = [one for one in outcomes if isinstance(one, EditOutput)]
            measured = iter(self._rows(cell, [some[place] for place in made], outputs))
            yield [
                _row(case, outcome, measured, explained=case.key in explained)
                for case, outcome in zip(some, outcomes, strict=True)
            ]

    def _edit(self, cell: Cell, cases: Sequence[EditCase]) -> list[EditOutput | str]:
        """An output for each case, or the line that says why there is none.

        A failing batch is halved until the guilty edits are alone, unless the error names them.
        """
        editor, settings = self.editors[cell.editor]
        try:
            return list(
                editor.edit(
                    [case_request(case, needs=editor.spec.needs) for case in cases],
                    turn_dial(editor.spec, settings, cell.value),
                    [key_generator(case.key, cell.seed) for case in cases],
                )
            )
        except SettingError:
            raise  # of no case, but of all
        except _EDIT_ERRORS as error:
            line = " ".join(str(error).split()) or type(error).__name__
            if len(cases) == 1:
                return [line]
            if isinstance(error, NotFiniteError) and error.places:
                others = [case for n, case in enumerate(cases) if n not in error.places]
                made = iter(self._edit(cell, others) if others else [])
                return [line if n in error.places else next(made) for n in range(len(cases))]
        middle = len(cases) // 2
        return [*self._edit(cell, cases[:middle]), *self._edit(cell, cases[middle:])]

    def _rows(
        self, cell: Cell, cases: Sequence[EditCase], outputs: Sequence[EditOutput]
    ) -> list[Row]:
        """What is measured of edits and of the masks that were found for them."""
        rows: list[Row] = [{} for _ in cases]
        if not cases:
            return rows
        images = [output.image for output in outputs]
        for statistics in self.statistics:
            _fill(rows, _numbers(statistics, cases, images))
        editor, _ = self.editors[cell.editor]
        if not editor.finds_masks:
            return rows
        masks = {p: each.edit_mask for p, each in enumerate(outputs) if each.edit_mask is not None}
        masked = [rows[place] for place in masks]
        for row, mask in zip(masked, masks.values(), strict=True):
            row[MASK] = encode_png(mask)
        for each in self.mask_statistics if masks else ():
            _fill(masked, each([cases[place] for place in masks], list(masks.values())))
        return rows


def _fill(rows: Sequence[Row], numbers: Mapping[str, Numbers]) -> None:
    for name, values in numbers.items():
        for row, value in zip(rows, values, strict=True):
            row[name] = float(value)


def _numbers(
    statistics: Statistics, cases: Sequence[EditCase], images: Sequence[Image.Image]
) -> Mapping[str, Numbers]:
    """What is measured; NaN of the edits that cannot be, such as those too small for a network."""
    try:
        return statistics(cases, images)
    except EditingError:
        if len(cases) == 1:
            return {metric.name: np.array([np.nan]) for metric in statistics.metrics}
    apart = [_numbers(statistics, [c], [i]) for c, i in zip(cases, images, strict=True)]
    return {name: np.concatenate([each[name] for each in apart]) for name in apart[0]}


def _row(
    case: EditCase, outcome: EditOutput | str, measured: Iterator[Row], *, explained: bool
) -> Row:
    """The row of an edit that was made, with the next of `measured`, or of one that was not."""
    keys = {"key": case.key, "source_key": case.source_key}
    if isinstance(outcome, str):
        return {**keys, "image": None, REJECTED: outcome}
    row = {**keys, **next(measured), "image": encode_png(outcome.image)}
    if outcome.remarks:
        row[REMARKS] = " ".join(remark.name for remark in outcome.remarks)
    if explained and outcome.explain is not None:
        row[EXPLANATION] = encode_png(outcome.explain(outcome.image))
    return row


def case_request(case: EditCase, *, needs: Sequence[str] = ()) -> Request:
    """What is asked of an editor for a case; `needs` are those of its spec.

    Raises:
        EditError: the case has not what the editor needs.
    """
    layout = None
    if "layout" in needs:
        layout = edit_layout(
            case.edit_mask,
            case.edit_prompt,
            phrase=case.target_phrase,
            source_prompt=case.caption,
        )
    return Request(
        image=case.source,
        prompt=case.edit_prompt,
        source_prompt=case.caption,
        mask_phrase=case.source_phrase,
        pseudo_target_image=case.target,
        layout=layout,
    )


def key_generator(key: str, seed: int) -> torch.Generator:
    """What draws the noise for the edit `key`: the same whatever is edited beside it."""
    digest = hashlib.sha256(f"{seed} {key}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
