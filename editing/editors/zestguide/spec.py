"""What `zestguide` is."""

from typing import TYPE_CHECKING

from editing.diffusion.settings import DIFFUSION_MODEL
from editing.editor import EditorSpec
from editing.editors.zestguide.settings import ZestGuideSettings
from editing.settings import Dial

if TYPE_CHECKING:
    from editing.editors.zestguide.editor import ZestGuideEditor
    from editing.parts import Parts


def _load(parts: "Parts") -> "ZestGuideEditor":
    from editing.editors.zestguide.editor import ZestGuideEditor

    return ZestGuideEditor(parts.diffusion, tokens=parts.preset.defaults.get("tokens", "phrase"))


ZESTGUIDE: EditorSpec[ZestGuideSettings] = EditorSpec(
    name="zestguide",
    summary="paints the phrases of a prompt where a map's segments say; no training",
    load=_load,
    settings=ZestGuideSettings,
    parts=("diffusion",),
    needs=("layout",),
    dial=Dial(setting="strength", values=(0.5, 0.7, 0.9, 1.0), flag="strengths"),
    model=DIFFUSION_MODEL,
)
