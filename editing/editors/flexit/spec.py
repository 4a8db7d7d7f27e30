"""What `flexit` is."""

from typing import TYPE_CHECKING

from editing.editor import EditorSpec
from editing.editors.flexit.settings import STEP_DIAL, FlexItSettings, needed_parts
from editing.regions.segmenter_spec import SEGMENTER

if TYPE_CHECKING:
    from editing.editors.flexit.editor import FlexItEditor
    from editing.parts import Parts


def _load(parts: "Parts") -> "FlexItEditor":
    from editing.editors.flexit.editor import FlexItEditor

    return FlexItEditor(parts.load)


FLEXIT: EditorSpec[FlexItSettings] = EditorSpec(
    name="flexit",
    summary="its latent is moved until encoders see the prompt in it; no training",
    load=_load,
    settings=FlexItSettings,
    settings_parts=needed_parts,
    regions=SEGMENTER.name,
    region_defaults={"mask_grow": 0.05},
    dial=STEP_DIAL,
)
