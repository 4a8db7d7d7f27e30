"""What `zestguide` is."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from editing.diffusion.settings import DIFFUSION_MODEL
from editing.editor import EditorSpec
from editing.editors.zestguide.settings import ZestGuideSettings
from editing.settings import Dial

if TYPE_CHECKING:
    from editing.editors.zestguide.editor import ZestGuideEditor
    from editing.parts import Parts


PRESET_DEFAULTS: Mapping[str, str] = {"tokens": "phrase"}


def _load(parts: "Parts") -> "ZestGuideEditor":
    from editing.editors.zestguide.editor import ZestGuideEditor

    tokens = parts.preset.choices(PRESET_DEFAULTS)["tokens"]
    return ZestGuideEditor(parts.diffusion, tokens=tokens)


def _preset_defaults(settings: ZestGuideSettings) -> Mapping[str, str]:
    """What stands for a phrase hangs on the text encoder: the preset says it where nobody does."""
    return {} if settings.chosen().tokens else PRESET_DEFAULTS


ZESTGUIDE: EditorSpec[ZestGuideSettings] = EditorSpec(
    name="zestguide",
    summary="paints the phrases of a prompt where a map's segments say; no training",
    load=_load,
    settings=ZestGuideSettings,
    parts=("diffusion",),
    preset_defaults=_preset_defaults,
    needs=("layout",),
    dial=Dial(setting="strength", values=(0.5, 0.7, 0.9, 1.0), flag="strengths"),
    model=DIFFUSION_MODEL,
)
