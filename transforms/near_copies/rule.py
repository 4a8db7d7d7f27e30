"""When two pictures are near-copies: by their fingerprints and their embeddings together."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.near_copies.fingerprint import VIEW_BYTES

MOST_BITS = 8 * VIEW_BYTES


@dataclass(frozen=True, kw_only=True)
class NearCopyRule:
    """Two pictures are near-copies where both signals say so, in either of two ways.

    `sure_bits` is how many of 256 bits two fingerprints may differ in where the cosine of the
    embeddings is at least `sure_cosine`; `likely_bits`, which is no less, where it is at least
    `likely_cosine`. A fingerprint knows no colours, and takes all pictures without shapes for one;
    an embedding takes two pictures of the same thing for one. Together they err seldom: which
    numbers are good was measured on seeds that no result is shown of (`docs/clean_sets.md`).

    Raises:
        ValueError: a value is out of its range.

    >>> from pairloom import NearCopyRule
    >>> NearCopyRule(likely_cosine=2)
    Traceback (most recent call last):
    ValueError: likely_cosine must be in [-1, 1], got 2
    """

    sure_bits: int = 24
    sure_cosine: float = 0.6
    likely_bits: int = 36
    likely_cosine: float = 0.93

    def __post_init__(self) -> None:
        for name in ("sure_bits", "likely_bits"):
            value = getattr(self, name)
            if not 0 <= value <= MOST_BITS:
                raise ValueError(f"{name} must be in [0, {MOST_BITS}], got {value}")
        for name in ("sure_cosine", "likely_cosine"):
            value = getattr(self, name)
            if not -1 <= value <= 1:
                raise ValueError(f"{name} must be in [-1, 1], got {value}")
        if self.likely_bits < self.sure_bits:
            raise ValueError(
                f"likely_bits must be at least sure_bits ({self.sure_bits}), got {self.likely_bits}"
            )

    def holds(
        self, bits: npt.NDArray[np.int64], cosines: npt.NDArray[np.floating]
    ) -> npt.NDArray[np.bool_]:
        """Whether the pictures of each pair, of these differences and cosines, are near-copies."""
        sure = (bits <= self.sure_bits) & (cosines >= self.sure_cosine)
        likely = (bits <= self.likely_bits) & (cosines >= self.likely_cosine)
        found: npt.NDArray[np.bool_] = sure | likely
        return found
