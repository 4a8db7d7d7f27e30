"""What `learned-regions` is."""

from typing import TYPE_CHECKING

from editing.editor import EditorSpec, Recipe
from editing.editors.learned_regions.settings import (
    BACKENDS,
    BoxSettings,
    LearnedRegionSettings,
    RegionTraining,
)
from editing.regions.learned_spec import LEARNED, REGION_NET
from editing.settings import Dial

if TYPE_CHECKING:
    from editing.editors.learned_regions.editor import LearnedRegionEditor
    from editing.editors.learned_regions.objective import RegionObjective
    from editing.parts import Parts


def _load(parts: "Parts") -> "LearnedRegionEditor":
    from editing.editors.learned_regions.editor import LearnedRegionEditor

    return LearnedRegionEditor(
        backbone=parts.load("backbone"),
        clip=parts.load("clip_space"),
        load_inpainter=lambda backend: parts.load(BACKENDS[backend]),
    )


def _backend_parts(settings: BoxSettings) -> tuple[str, ...]:
    return (BACKENDS[settings.backend],)


def _training_parts(settings: RegionTraining) -> tuple[str, ...]:
    return ("backbone", "clip_space", *_backend_parts(settings))


def _load_objective(parts: "Parts", settings: RegionTraining) -> "RegionObjective":
    from editing.editors.learned_regions.objective import RegionObjective

    return RegionObjective(
        backbone=parts.load("backbone"),
        clip=parts.load("clip_space"),
        inpainter=parts.load(BACKENDS[settings.backend]),
        settings=settings,
    )


LEARNED_REGIONS: EditorSpec[LearnedRegionSettings] = EditorSpec(
    name="learned-regions",
    summary="paints boxes around what stands out, and keeps the one whose edit suits the words",
    load=_load,
    settings=LearnedRegionSettings,
    parts=("backbone", "clip_space"),
    settings_parts=_backend_parts,
    needs_words=True,
    dial=Dial(setting="strength", values=(0.5, 0.7, 0.9), flag="strengths"),
    model=REGION_NET,
    model_regions=LEARNED.name,
    recipe=Recipe(settings=RegionTraining, parts=_training_parts, load=_load_objective),
)
