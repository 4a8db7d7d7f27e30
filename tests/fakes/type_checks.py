"""How shapes and types of `editing` are checked while tests run: by jaxtyping with this checker."""

import dataclasses
from typing import TypeVar

from beartype import BeartypeConf, beartype

SettingsT = TypeVar("SettingsT")

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""Beartype, where an int will do for a float."""


def unchecked(kind: type[SettingsT], **changes: object) -> SettingsT:
    """Settings made past the check of types, as an untyped caller would make them."""
    made = object.__new__(kind)
    for each in dataclasses.fields(kind):  # type: ignore[arg-type]
        object.__setattr__(made, each.name, changes.get(each.name, each.default))
    made.__post_init__()  # type: ignore[attr-defined]
    return made
