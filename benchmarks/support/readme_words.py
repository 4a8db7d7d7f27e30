"""Words and figures of the README's table."""

from collections.abc import Sequence
from typing import Any

from support.results import Result

Row = tuple[str, str, str]
"""The command, what its figure is, and what was measured; an empty command repeats the last."""


def seeds_of(found: Sequence[Result]) -> str:
    """The seeds of some results, as in `N = 0, 1, 2`."""
    return "N = " + ", ".join(str(seed) for result in found for seed in result.seeds)


def listed(values: Sequence[float], digits: int) -> str:
    """Figures with so many digits, with commas between them."""
    return ", ".join(f"{value:.{digits}f}" for value in values)


def percents(cases: Sequence[dict[str, Any]], name: str, digits: int = 0) -> str:
    """A share of every case in percent, with commas between them."""
    return listed([100 * case[name] for case in cases], digits) + "%"


def shared(values: Sequence[int]) -> str:
    """What all runs of a row share, or, where they do not, all of it."""
    return ", ".join(whole(value) for value in dict.fromkeys(values))


def whole(value: int) -> str:
    """A whole number, its thousands apart where there are ten of them."""
    return f"{value:,}".replace(",", " ") if value >= 10_000 else str(value)
