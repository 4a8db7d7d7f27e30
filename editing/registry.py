"""Every editor, one line each. What is added here, every command knows."""

from typing import Any

from editing.editor import EditorSpec
from editing.editors.copy.spec import COPY
from editing.editors.diffedit.spec import DIFFEDIT, ENCODE_DECODE
from editing.editors.flexit.spec import FLEXIT
from editing.editors.iedit.spec import IEDIT, MASKED_IEDIT
from editing.editors.learned_regions.spec import LEARNED_REGIONS
from editing.editors.retrieve.spec import RETRIEVE
from editing.editors.sdedit.spec import SDEDIT
from editing.editors.simat.spec import SIMAT
from editing.editors.zestguide.spec import ZESTGUIDE
from editing.errors import SettingError

EDITORS: dict[str, EditorSpec[Any]] = {
    spec.name: spec
    for spec in (
        COPY,
        RETRIEVE,
        SDEDIT,
        IEDIT,
        MASKED_IEDIT,
        ENCODE_DECODE,
        DIFFEDIT,
        LEARNED_REGIONS,
        ZESTGUIDE,
        FLEXIT,
        SIMAT,
    )
}
"""The editors by name, simplest first."""


DEFAULT = MASKED_IEDIT.name
"""What edits where nobody names an editor."""

BASELINE = SDEDIT.name
"""What an evaluation compares with where nobody names a baseline."""

COMPARED = (COPY.name, RETRIEVE.name, SDEDIT.name, IEDIT.name, MASKED_IEDIT.name)
"""What an evaluation compares where nobody names editors."""


def find_editor(name: str) -> EditorSpec[Any]:
    """The editor of that name.

    Raises:
        SettingError: there is none.
    """
    if name not in EDITORS:
        raise SettingError(f"editor must be one of {', '.join(EDITORS)}, got {name!r}")
    return EDITORS[name]
