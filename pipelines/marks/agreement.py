"""How far two judges agree on the pairs that both marked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from pipelines.marks.marks_file import Mark, Marks
from pipelines.marks.precision import CONFIDENCE, two_sided_quantile


@dataclass(frozen=True)
class Agreement:
    """Two judges' verdicts on the `pairs` that both marked, of which they agree on `agreed`.

    `kappa` is Cohen's (1960): the agreement beyond what their own shares of verdicts would give by
    chance, at most 1; None where both gave one verdict alone, so that nothing can be told from
    chance. `low` and `high` are its interval by the standard error of Fleiss, Cohen and Everitt
    (1969), None where `kappa` is.
    """

    judges: tuple[str, str]
    pairs: int
    agreed: int
    kappa: float | None
    low: float | None
    high: float | None


def agreements(marks: Marks, confidence: float = CONFIDENCE) -> list[Agreement]:
    """The agreement of every two judges who have a pair in common."""
    found = []
    for first, second in combinations(marks.judges, 2):
        both = in_common(marks.of(first), marks.of(second))
        if both:
            found.append(agreement((first, second), both, confidence))
    return found


def in_common(first: Mapping[str, Mark], second: Mapping[str, Mark]) -> list[tuple[str, str]]:
    """The two verdicts on each pair that both have."""
    return [(mark.verdict, second[key].verdict) for key, mark in first.items() if key in second]


def agreement(
    judges: tuple[str, str], verdicts: Sequence[tuple[str, str]], confidence: float = CONFIDENCE
) -> Agreement:
    """The agreement of two judges by their `verdicts` on the same pairs, at least one.

    Raises:
        ValueError: `confidence` is not in (0, 1).
    """
    quantile = two_sided_quantile(confidence)
    count = len(verdicts)
    agreed = sum(one == other for one, other in verdicts)
    kinds = sorted({verdict for both in verdicts for verdict in both})
    rows = [sum(one == kind for one, _ in verdicts) / count for kind in kinds]
    columns = [sum(other == kind for _, other in verdicts) / count for kind in kinds]
    chance = sum(row * column for row, column in zip(rows, columns, strict=True))
    if chance >= 1:
        return Agreement(judges, count, agreed, None, None, None)
    kappa = (agreed / count - chance) / (1 - chance)
    cells = {(a, b): sum(both == (a, b) for both in verdicts) / count for a in kinds for b in kinds}
    share = dict(zip(kinds, zip(rows, columns, strict=True), strict=True))
    half = quantile * _standard_error(cells, share, kappa, chance, count)
    return Agreement(judges, count, agreed, kappa, max(-1.0, kappa - half), min(1.0, kappa + half))


def _standard_error(
    cells: Mapping[tuple[str, str], float],
    share: Mapping[str, tuple[float, float]],
    kappa: float,
    chance: float,
    count: int,
) -> float:
    """Fleiss, Cohen and Everitt (1969), equation 13."""
    same = sum(
        cells[kind, kind] * (1 - (row + column) * (1 - kappa)) ** 2
        for kind, (row, column) in share.items()
    )
    apart = (1 - kappa) ** 2 * sum(
        value * (share[a][1] + share[b][0]) ** 2 for (a, b), value in cells.items() if a != b
    )
    rest = (kappa - chance * (1 - kappa)) ** 2
    return math.sqrt(max(0.0, same + apart - rest) / count) / (1 - chance)
