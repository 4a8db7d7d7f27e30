"""By which rules the pairs of a data set were chosen, as its manifest says."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from indexes.errors import PairloomError
from transforms.select import SelectionThresholds


class ChoiceError(PairloomError):
    """A manifest that does not say by which rules its pairs were chosen."""


@dataclasses.dataclass(frozen=True)
class Rules:
    """How pairs were chosen: thresholds, pairs of a source at most, and what edits there can be."""

    thresholds: SelectionThresholds
    edits: int
    allowed: Mapping[str, tuple[str, ...]]
    attempts: int | None


def read_rules(configuration: Mapping[str, Any]) -> Rules:
    """The rules that a manifest's configuration gives.

    Raises:
        ChoiceError: it does not give them, or not as Select takes them.
    """
    values, edits = configuration.get("thresholds"), configuration.get("edits")
    if not isinstance(values, dict) or type(edits) is not int or edits < 1:
        raise ChoiceError("the configuration must have thresholds, and edits of at least 1")
    known = {each.name: each.default for each in dataclasses.fields(SelectionThresholds)}
    for name, value in values.items():
        if name not in known:
            raise ChoiceError(f"configuration.thresholds must have no field {name!r}")
        kinds = (type(known[name]),) if isinstance(known[name], bool | str) else (float, int)
        if type(value) not in kinds and not (value is None and kinds == (float, int)):
            raise ChoiceError(f"configuration.thresholds.{name} must be a threshold, got {value!r}")
    try:
        thresholds = SelectionThresholds(**values)
    except ValueError as error:
        raise ChoiceError(f"configuration.thresholds: {error}") from error
    return Rules(thresholds, edits, *_read_options(configuration.get("options")))


def _read_options(options: object) -> tuple[dict[str, tuple[str, ...]], int | None]:
    """Which edits a build proposes, where the configuration says so, and how many at most."""
    if not isinstance(options, dict):
        return {}, None
    allowed: dict[str, tuple[str, ...]] = {}
    if "method" in options:
        allowed["method"] = (str(options["method"]),)
    rewrite = options.get("rewrite")
    if not isinstance(rewrite, dict):
        return allowed, None
    if options.get("method") == "search":
        for column, name in (("relation", "relations"), ("part_of_speech", "parts_of_speech")):
            if isinstance(rewrite.get(name), list):
                allowed[column] = tuple(map(str, rewrite[name]))
    attempts = rewrite.get("edits")
    return allowed, attempts if type(attempts) is int else None
