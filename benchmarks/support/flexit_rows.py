"""The rows of the table of FlexIT, and its edits."""

from collections.abc import Mapping
from typing import Any

from editing.editors.flexit.settings import WAYS
from editing.editors.flexit.spec import FLEXIT
from editing.regions.registry import NO_REGIONS
from editing.regions.segmenter_spec import SEGMENTER
from support.edit_cells import Cell

GROW = FLEXIT.region_defaults["mask_grow"]

STRENGTHS = (0.1, 0.15, 0.2)
MASKED_STRENGTHS = (0.3, 0.5)
"""About where the default errs, and below."""

COPY, RETRIEVE, SDEDIT, MASKED = "copy", "retrieve", "sdedit", "sdedit, segmenter"
DEFAULT, THESIS = "flexit", "flexit, thesis"
OF_THESIS = (THESIS, "flexit, thesis, dot product", "flexit, thesis, codes")
"""Rows of the thesis's form: as it says, by its code's loss, and in a latent of codes."""

Cells = Mapping[str, Mapping[float, Cell]]


ALWAYS = (COPY, SDEDIT, MASKED, DEFAULT, THESIS)
"""Rows that targets are of."""


def list_cells(steps: int) -> Cells:
    """The cells of every row by the value of its dial; SDEdit makes `steps` from pure noise."""
    how = {"num_inference_steps": steps}
    grown = {"regions": SEGMENTER.name, "region_values": {"mask_grow": GROW}}

    def noised(strength: float, **more: Any) -> Cell:
        settings = {**how, "strength": strength, "paste": bool(more)}
        return Cell(editor="sdedit", settings=settings, **more)

    return {
        COPY: {0.0: Cell(editor="copy")},
        RETRIEVE: {0.0: Cell(editor="retrieve")},
        SDEDIT: {value: noised(value) for value in STRENGTHS},
        MASKED: {value: noised(value, **grown) for value in MASKED_STRENGTHS},
        **{row: {_step_of(cell): cell} for row, cell in _of_flexit().items()},
    }


def _step_of(cell: Cell) -> float:
    """The step of FlexIT's edits, which is their dial."""
    return WAYS[cell.settings.get("ways", "measured")].step_size


def _of_flexit() -> dict[str, Cell]:
    thesis: dict[str, Any] = {"ways": "thesis"}
    changes: dict[str, tuple[str, dict[str, Any]]] = {
        DEFAULT: (SEGMENTER.name, {}),
        **dict(
            zip(
                OF_THESIS,
                (
                    (NO_REGIONS, thesis),
                    (NO_REGIONS, {**thesis, "embedding": "dot"}),
                    (NO_REGIONS, {**thesis, "latent": "tokens"}),
                ),
                strict=True,
            )
        ),
        "flexit, no region": (NO_REGIONS, {}),
        "flexit, thesis in a region": (SEGMENTER.name, thesis),
        "flexit, no captioner": (SEGMENTER.name, {"weight_captioner": 0.0}),
        "flexit, no prior": (SEGMENTER.name, {"prior_share": 0.0}),
        "flexit, neither": (SEGMENTER.name, {"weight_captioner": 0.0, "prior_share": 0.0}),
        "flexit, prior alone": (SEGMENTER.name, {"prior_share": 1.0}),
        "flexit, no views": (SEGMENTER.name, {"views": 0}),
        "flexit, squared": (SEGMENTER.name, {"embedding": "squared"}),
        "flexit, constant steps": (SEGMENTER.name, {"schedule": "constant"}),
        "flexit, segmenter's tower": (SEGMENTER.name, {"encoders": "encoder,segmenter"}),
    }
    return {
        row: Cell(editor=FLEXIT.name, regions=regions, settings=settings)
        for row, (regions, settings) in changes.items()
    }
