"""What `copy` is."""

from typing import TYPE_CHECKING

from editing.editor import EditorSpec
from editing.settings import NoSettings

if TYPE_CHECKING:
    from editing.editors.copy.editor import CopyEditor
    from editing.parts import Parts


def _load(_: "Parts") -> "CopyEditor":
    from editing.editors.copy.editor import CopyEditor

    return CopyEditor()


COPY: EditorSpec[NoSettings] = EditorSpec(
    name="copy", summary="the source as it is; a baseline", load=_load
)
