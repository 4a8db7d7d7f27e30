"""What `simat` is."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from editing.editor import EditorSpec, Recipe
from editing.editors.simat.settings import HeadTraining, SimatSettings
from editing.settings import Dial
from editing.trained_part import ADAPTATION_HEADS

if TYPE_CHECKING:
    from editing.editors.simat.editor import SimatEditor
    from editing.editors.simat.objective import HeadObjective
    from editing.parts import Parts


def _load(parts: "Parts") -> "SimatEditor":
    from editing.editors.simat.editor import SimatEditor

    part = ADAPTATION_HEADS.part
    return SimatEditor(
        encoder=parts.encoder,
        identity=parts.identities(("encoder",))["encoder"],
        open_source=parts.open_source,
        heads=parts.load(part) if part in parts.replaced else None,
    )


def _reads(settings: SimatSettings) -> Mapping[str, str]:
    """The index by its identity: in the same place another may lie tomorrow."""
    from editing.editors.simat.pool import index_identity

    return {} if settings.index is None else {"index": index_identity(settings.index)}


def _training_parts(_: HeadTraining) -> tuple[str, ...]:
    return ("encoder",)


def _load_objective(parts: "Parts", settings: HeadTraining) -> "HeadObjective":
    from editing.editors.simat.objective import HeadObjective

    return HeadObjective(
        encoder=parts.encoder,
        identity=parts.identities(("encoder",))["encoder"],
        settings=settings,
        device=parts.device or "cpu",
    )


SIMAT: EditorSpec[SimatSettings] = EditorSpec(
    name="simat",
    summary="the picture of an index that the change of words leads to",
    load=_load,
    settings=SimatSettings,
    parts=("encoder",),
    reads=_reads,
    ranks=True,
    needs=("source_prompt",),
    dial=Dial(setting="scale", values=(0.5, 1.0, 2.0), flag="lambdas"),
    model=ADAPTATION_HEADS,
    recipe=Recipe(
        settings=HeadTraining,
        parts=_training_parts,
        load=_load_objective,
        data="index",
        loop={"steps": 2000, "batch_size": 512, "learning_rate": 1e-3, "weight_decay": 0.0},
    ),
)
