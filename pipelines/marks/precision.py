"""How large a share of the pairs is right, by the marks of a sample of them.

A `Stratum` is a group of pairs of which some, drawn at random without replacement, were marked.
Shares are estimated stratum by stratum and weighted by how many pairs each has. Intervals are
Wilson's (1927), with the effective sample size of the stratified estimator in place of the sample's
(Dean and Pacheco 2015), which takes the finite number of pairs into account; where the variance is
that of several strata, with Student's quantile. A lower bound that has to hold, for choosing
thresholds, is exact: hypergeometric.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

CONFIDENCE = 0.95
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Stratum:
    """`pairs` pairs, of which `marked` were marked and `right` of these are right.

    Raises:
        ValueError: the numbers do not go together.
    """

    pairs: int
    marked: int
    right: int

    def __post_init__(self) -> None:
        if not 0 <= self.right <= self.marked <= self.pairs:
            raise ValueError(
                "numbers must be 0 <= right <= marked <= pairs, got "
                f"{self.right}, {self.marked}, {self.pairs}"
            )

    def __add__(self, other: "Stratum") -> "Stratum":
        """Both as one."""
        return Stratum(
            self.pairs + other.pairs, self.marked + other.marked, self.right + other.right
        )


@dataclass(frozen=True)
class Estimate:
    """A share of right pairs with its interval, each in [0, 1], and what it is taken from."""

    value: float
    low: float
    high: float
    pairs: int
    marked: int
    right: int


def estimate(strata: Sequence[Stratum], confidence: float = CONFIDENCE) -> Estimate | None:
    """The share of right pairs in all `strata` together; None where nothing is marked.

    A stratum without a mark is taken together with the one before it, or after the first ones. The
    ends of the interval are shares that so many pairs can have.

    Raises:
        ValueError: `confidence` is not in (0, 1).
    """
    quantile = two_sided_quantile(confidence)
    total = sum(strata, Stratum(0, 0, 0))
    if not total.marked:
        return None
    joined = join_unmarked(strata)
    value = sum(each.pairs * each.right / each.marked for each in joined) / total.pairs
    size = effective_size(joined, total.pairs)
    if len(joined) > 1:
        quantile = student(quantile, total.marked - len(joined))
    low, high = (value, value) if math.isinf(size) else wilson(value, size, quantile)
    return Estimate(value, *_possible(low, high, total), total.pairs, total.marked, total.right)


def _possible(low: float, high: float, total: Stratum) -> tuple[float, float]:
    """The next shares outwards that so many pairs can have, with the marks that are known."""
    least = max(math.floor(low * total.pairs + _ROUNDING), total.right)
    wrong = total.marked - total.right
    most = min(math.ceil(high * total.pairs - _ROUNDING), total.pairs - wrong)
    return least / total.pairs, most / total.pairs


def join_unmarked(strata: Sequence[Stratum]) -> list[Stratum]:
    """`strata` with every one that has no mark joined to a neighbour that has; some is marked."""
    joined: list[Stratum] = []
    for each in strata:
        if joined and (each.marked == 0 or joined[-1].marked == 0):
            joined[-1] += each
        else:
            joined.append(each)
    return joined


def effective_size(strata: Sequence[Stratum], pairs: int) -> float:
    """How many marks of a simple random sample, drawn with replacement, tell as much.

    The variance of the estimator is that of each stratum's share, with one right and one wrong mark
    more so that no stratum is taken for certain, times 1 - marked / pairs, weighted. Infinite where
    every pair is marked.
    """
    shares = [(each.right + 1) / (each.marked + 2) for each in strata]
    weights = [each.pairs / pairs for each in strata]
    variance = sum(
        weight**2 * share * (1 - share) / each.marked * (1 - each.marked / each.pairs)
        for each, share, weight in zip(strata, shares, weights, strict=True)
    )
    middle = sum(weight * share for weight, share in zip(weights, shares, strict=True))
    return middle * (1 - middle) / variance if variance > 0 else math.inf


def wilson(share: float, size: float, quantile: float) -> tuple[float, float]:
    """Wilson's interval for a `share` of `size` draws, in [0, 1]."""
    square = quantile**2
    middle = share + square / (2 * size)
    half = quantile * math.sqrt(max(0.0, share * (1 - share) / size + square / (4 * size**2)))
    scale = 1 + square / size
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def two_sided_quantile(confidence: float) -> float:
    """How many standard deviations a two-sided interval reaches.

    Raises:
        ValueError: `confidence` is not in (0, 1).
    """
    check_share("confidence", confidence)
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def student(quantile: float, freedom: int) -> float:
    """Student's quantile that goes with a normal one (Abramowitz and Stegun 1964, 26.7.5).

    `freedom` are the degrees of freedom, of which at least three are assumed.
    """
    z, n = quantile, max(3, freedom)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    found: float = z
    for power, term in enumerate(terms, start=1):
        found += term / n**power
    return found


def check_share(name: str, value: float) -> None:
    """Make sure that `value` is in (0, 1).

    Raises:
        ValueError: it is not.
    """
    if not 0 < value < 1:
        raise ValueError(f"{name} must be in (0, 1), got {value}")


def lower_bound(sample: Stratum, confidence: float = CONFIDENCE) -> float:
    """With `confidence` at least this share of the pairs is right, by a simple random sample.

    The least share that would give so many right marks, or more, with a probability above
    1 - `confidence` (the hypergeometric counterpart of Clopper and Pearson 1934), in [0, 1].

    Raises:
        ValueError: `confidence` is not in (0, 1).
    """
    check_share("confidence", confidence)
    low, high = sample.right, sample.pairs - (sample.marked - sample.right)
    while low < high:
        middle = (low + high) // 2
        if _chance_of_as_many(sample, middle) > 1 - confidence:
            high = middle
        else:
            low = middle + 1
    return low / sample.pairs if sample.pairs else 0.0


def _chance_of_as_many(sample: Stratum, right: int) -> float:
    """The probability of at least `sample.right` right marks where `right` of the pairs are."""
    most = min(sample.marked, right)
    every = _log_choose(sample.pairs, sample.marked)
    return sum(
        math.exp(
            _log_choose(right, number)
            + _log_choose(sample.pairs - right, sample.marked - number)
            - every
        )
        for number in range(sample.right, most + 1)
        if sample.marked - number <= sample.pairs - right
    )


def _log_choose(of: int, chosen: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(chosen + 1) - math.lgamma(of - chosen + 1)


def marks_needed(wrong: int, precision: float, confidence: float) -> int:
    """The least number of marks, `wrong` of them wrong, that shows a precision in a large set.

    Raises:
        ValueError: a share is not in (0, 1).
    """
    check_share("precision", precision)

    def shows(marked: int) -> bool:
        sample = Stratum(_LARGE + marked, marked, marked - wrong)
        return lower_bound(sample, confidence) >= precision

    most = wrong + 1
    while not shows(most) and most < _LARGE:
        most *= 2
    least = most // 2
    while least + 1 < most:
        middle = (least + most) // 2
        least, most = (least, middle) if shows(middle) else (middle, most)
    return most


_LARGE = 10_000_000
