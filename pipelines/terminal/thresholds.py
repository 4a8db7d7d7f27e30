"""Reads `--threshold NAME=VALUE`, the thresholds of Select as a person changes them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.terminal.console import EXIT_USAGE, CommandError
from transforms.select import SelectionThresholds


def change_thresholds(stored: Mapping[str, Any], changes: Sequence[str]) -> SelectionThresholds:
    """The `stored` thresholds with the `changes`, each `name=value`.

    Raises:
        CommandError: a change is not of that form, names no threshold or is out of its range.
    """
    values = dict(stored)
    defaults = {f.name: f.default for f in dataclasses.fields(SelectionThresholds)}
    try:
        for change in changes:
            name, equals, value = change.partition("=")
            if not equals or name not in defaults:
                allowed = ", ".join(defaults)
                raise ValueError(f"threshold must be NAME=VALUE with a name of {allowed}")
            values[name] = _parse_value(name, value, defaults[name])
        return SelectionThresholds(**values)
    except (TypeError, ValueError) as error:
        shown = " ".join(changes)
        raise CommandError(f"--threshold {shown}: {error}", exit_code=EXIT_USAGE) from error


def _parse_value(name: str, value: str, default: object) -> object:
    if isinstance(default, bool):
        if value not in ("true", "false"):
            raise ValueError(f"{name} must be true or false, got {value}")
        return value == "true"
    if isinstance(default, str):
        return value
    return None if value == "none" else float(value)
