"""What `retrieve` is."""

from typing import TYPE_CHECKING

from editing.editor import EditorSpec
from editing.settings import NoSettings

if TYPE_CHECKING:
    from editing.editors.retrieve.editor import RetrieveEditor
    from editing.parts import Parts


def _load(_: "Parts") -> "RetrieveEditor":
    from editing.editors.retrieve.editor import RetrieveEditor

    return RetrieveEditor()


RETRIEVE: EditorSpec[NoSettings] = EditorSpec(
    name="retrieve",
    summary="the pair's pseudo-target, a real picture; a baseline",
    load=_load,
    needs=("pseudo_target_image",),
)
