"""What is known about the right answers, given to the report by who knows them.

A collection of photographs has no truth. The built-in world has: its caller judges every pair and
hands the verdicts over, and the page shows them. The report itself never judges a pair.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Verdict:
    """Whether one pair is right, and, in a few words for a person, what is wrong where it is not.

    `what_is_wrong` is such as "size changed too: small, now large"; it is empty for a right pair.
    """

    right: bool
    what_is_wrong: str = ""


@dataclass(frozen=True)
class Accuracy:
    """How many of `total` pairs are right; 0 <= right <= total."""

    right: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.right <= self.total:
            raise ValueError(f"right must be in [0, {self.total}], got {self.right}")

    @property
    def share(self) -> float | None:
        """The share that is right, in [0, 1]; None of nothing."""
        return self.right / self.total if self.total else None


@dataclass(frozen=True, kw_only=True)
class TruthReport:
    """The truth about a data set's pairs.

    `pairs` counts the pairs that are right as a whole. `attributes` says the same of each attribute
    of a scene apart, in the order to be shown: of how many pairs it is what the edit prompt asks
    for. `position_errors_px` holds, for right pairs, the distance in pixels between the object in
    the source and in the pseudo-target. `verdicts` maps a pair's `key` to its verdict; pairs that
    are not in it are shown without one. `note` is one line on what "right" means here.
    """

    pairs: Accuracy
    attributes: Mapping[str, Accuracy] = field(default_factory=dict)
    position_errors_px: Sequence[float] = ()
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    note: str = ""


FindTruth = Callable[[Path], TruthReport | None]
"""What is known about the pairs of the data set in a folder; None where nothing is."""
