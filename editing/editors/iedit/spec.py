"""What `iedit` is, and `iedit-m`: the same weights with a region finder."""

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from editing.diffusion.settings import DIFFUSION_MODEL, STRENGTH_DIAL, SamplingSettings
from editing.editor import EditorSpec, Recipe
from editing.editors.iedit.training_settings import IEditTraining, upgrade_description

if TYPE_CHECKING:
    from editing.editors.iedit.editor import IEditEditor
    from editing.editors.iedit.objective import IEditObjective
    from editing.parts import Parts


@dataclass(frozen=True, kw_only=True)
class IEditSettings(SamplingSettings):
    """The settings of `iedit`: those of sampling."""


def _load(parts: "Parts") -> "IEditEditor":
    from editing.editors.iedit.editor import IEditEditor

    return IEditEditor(parts.diffusion)


def _training_parts(settings: IEditTraining) -> tuple[str, ...]:
    return ("diffusion", "clip_space") + ("perceptual",) * (settings.weight_perc > 0)


def _load_objective(parts: "Parts", settings: IEditTraining) -> "IEditObjective":
    from editing.editors.iedit.objective import IEditObjective

    perceptual = parts.load("perceptual") if settings.weight_perc > 0 else None
    return IEditObjective(parts.diffusion, parts.load("clip_space"), perceptual, settings)


IEDIT: EditorSpec[IEditSettings] = EditorSpec(
    name="iedit",
    summary="noised and denoised by a model that was fine-tuned on pairs",
    load=_load,
    settings=IEditSettings,
    parts=("diffusion",),
    dial=STRENGTH_DIAL,
    model=DIFFUSION_MODEL,
    needs_model=True,
    recipe=Recipe(
        settings=IEditTraining,
        parts=_training_parts,
        load=_load_objective,
        upgrade=upgrade_description,
    ),
)

MASKED_IEDIT: EditorSpec[IEditSettings] = dataclasses.replace(
    IEDIT,
    name="iedit-m",
    summary="iedit, which changes nothing outside the region that the words name",
    regions="segmenter",
    recipe=None,
)
