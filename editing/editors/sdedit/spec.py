"""What `sdedit` is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from editing.diffusion.settings import DIFFUSION_MODEL, STRENGTH_DIAL, SamplingSettings
from editing.editor import EditorSpec

if TYPE_CHECKING:
    from editing.editors.sdedit.editor import SDEditEditor
    from editing.parts import Parts


@dataclass(frozen=True, kw_only=True)
class SDEditSettings(SamplingSettings):
    """The settings of `sdedit`: those of sampling."""


def _load(parts: "Parts") -> "SDEditEditor":
    from editing.editors.sdedit.editor import SDEditEditor

    return SDEditEditor(parts.diffusion)


SDEDIT: EditorSpec[SDEditSettings] = EditorSpec(
    name="sdedit",
    summary="noise added, and taken away again under the prompt; no training",
    load=_load,
    settings=SDEditSettings,
    parts=("diffusion",),
    dial=STRENGTH_DIAL,
    model=DIFFUSION_MODEL,
)
