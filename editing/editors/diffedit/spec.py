"""What `diffedit` is, and `encode-decode`: the same without a mask."""

import dataclasses
from typing import TYPE_CHECKING

from editing.diffusion.settings import DIFFUSION_MODEL
from editing.editor import EditorSpec
from editing.editors.diffedit.settings import RATIO_DIAL, EncodingSettings

if TYPE_CHECKING:
    from editing.editors.diffedit.editor import EncodingEditor
    from editing.parts import Parts


def _load(parts: "Parts") -> "EncodingEditor":
    from editing.editors.diffedit.editor import EncodingEditor

    return EncodingEditor(parts.diffusion)


ENCODE_DECODE: EditorSpec[EncodingSettings] = EditorSpec(
    name="encode-decode",
    summary="inverted to noise, and denoised under the prompt; no training",
    load=_load,
    settings=EncodingSettings,
    parts=("diffusion",),
    dial=RATIO_DIAL,
    model=DIFFUSION_MODEL,
)

DIFFEDIT: EditorSpec[EncodingSettings] = dataclasses.replace(
    ENCODE_DECODE,
    name="diffedit",
    summary="encode-decode where prompt and source text see different noise; no training",
    regions="contrast",
)
