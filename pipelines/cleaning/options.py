"""What is wanted of a clean data set: splits, filters, caps, and one picture a group."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from indexes.errors import PairloomError
from transforms.filter_rules import MEASURED, FilterRule
from transforms.near_copies.rule import NearCopyRule

CAPS = ("exchange", "target", "source", "group")
"""What can be capped: one word for another, one target picture, one source, one group."""


class CleanOptionsError(PairloomError):
    """An option that says nothing, in one line."""


@dataclass(frozen=True, kw_only=True)
class CleanOptions:
    """How a data set is cleaned. What is not asked for is not done.

    `splits` are names and shares that add up to 1. `filters` are rules by the value they are about;
    both pictures of a pair must keep them. `caps` are the most pairs of one exchange, target
    picture, source picture or group. With `one_a_group` only one picture of each group of
    near-copies stays. `seed` decides which group falls into which split, and which pairs a cap
    lets stay. `rule` says when two pictures are near-copies.
    """

    seed: int = 0
    splits: Mapping[str, float] = field(default_factory=dict)
    filters: Mapping[str, FilterRule] = field(default_factory=dict)
    caps: Mapping[str, int] = field(default_factory=dict)
    one_a_group: bool = False
    rule: NearCopyRule = field(default_factory=NearCopyRule)

    def __post_init__(self) -> None:
        if self.splits and not math.isclose(sum(self.splits.values()), 1, abs_tol=1e-9):
            total = sum(self.splits.values())
            raise CleanOptionsError(f"the shares of splits must add up to 1, got {total:g}")
        for name, share in self.splits.items():
            if not (name.isascii() and name.isidentifier() and name == name.lower()):
                raise CleanOptionsError(f"a split must be a lower-case word, got {name!r}")
            if not 0 < share <= 1:
                raise CleanOptionsError(f"the share of a split must be in (0, 1], got {share:g}")
        for name, most in self.caps.items():
            if name not in CAPS:
                raise CleanOptionsError(f"a cap must be of {', '.join(CAPS)}, got {name!r}")
            if most < 1:
                raise CleanOptionsError(f"a cap must be at least 1, got {name}={most}")

    @property
    def needs_groups(self) -> bool:
        """Whether groups of near-copies decide anything."""
        return bool(self.splits) or self.one_a_group or "group" in self.caps

    @property
    def needs_measures(self) -> bool:
        """Whether something must be measured that the pairs do not say."""
        return not set(self.filters).isdisjoint(MEASURED)

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is asked for."""
        return not (self.splits or self.filters or self.caps or self.one_a_group)

    def describe(self) -> dict[str, Any]:
        """The options as plain data."""
        return {
            "seed": self.seed,
            "splits": dict(self.splits) or None,
            "filters": {name: rule.text for name, rule in sorted(self.filters.items())},
            "caps": dict(sorted(self.caps.items())),
            "one_a_group": self.one_a_group,
            "rule": asdict(self.rule),
        }


def read_splits(text: str) -> dict[str, float]:
    """Splits from `train=0.9,val=0.05,test=0.05`, in that order.

    Raises:
        CleanOptionsError: it is no such list.

    >>> read_splits("train=0.8,test=0.2")
    {'train': 0.8, 'test': 0.2}
    """
    return {name: _read_number(name, value, float) for name, value in _read_parts(text.split(","))}


def read_caps(parts: Sequence[str]) -> dict[str, int]:
    """Caps from `exchange=100`, `target=3` and so on.

    Raises:
        CleanOptionsError: one is no such thing.
    """
    return {name: _read_number(name, value, int) for name, value in _read_parts(parts)}


def _read_parts(parts: Sequence[str]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.strip().partition("=")
        if not equals or not name:
            raise CleanOptionsError(f"must be NAME=NUMBER, got {part!r}")
        if name in found:
            raise CleanOptionsError(f"{name} must be given once, got it again as {part!r}")
        found[name] = value
    return list(found.items())


def _read_number(name: str, value: str, kind: Any) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise CleanOptionsError(f"{name} must be a number, got {value!r}") from None
