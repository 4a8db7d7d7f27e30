"""A set of transformation queries over a collection of pictures, as SIMAT is one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SimatQuery:
    """A picture, what shall change of it, and what the result shows.

    `picture` is its row in the collection; `field` says what kind of word is exchanged;
    `source_caption` and `target_caption` are numbers of captions. `is_test` tells the two halves
    apart: one to choose by, one to measure.
    """

    picture: int
    field: str
    source_word: str
    target_word: str
    source_caption: int
    target_caption: int
    is_test: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class QuerySet:
    """Pictures, what each shows, and the queries on them.

    `pictures` are their names, `captions` the different things that are shown, in words, and
    `shows` (n,) the number of each picture's caption.
    """

    pictures: Sequence[str]
    captions: Sequence[str]
    shows: Numbers
    queries: Sequence[SimatQuery]

    def words(self) -> list[str]:
        """The different words that are exchanged, each once."""
        asked = ((each.source_word, each.target_word) for each in self.queries)
        return list(dict.fromkeys(word for pair in asked for word in pair))

    def weights(self) -> Weights:
        """1 / sqrt(queries with the same source word) of every query; not normalised.

        Counted over all queries, whatever half and field they are of: section 3.2.4 of the thesis
        in the words of its data (`norm2`).
        """
        words = [each.source_word for each in self.queries]
        numbers = {word: number for number, word in enumerate(dict.fromkeys(words))}
        places = np.array([numbers[word] for word in words], dtype=np.int64)
        weights: Weights = 1 / np.sqrt(np.bincount(places, minlength=len(numbers))[places])
        return weights

    def half(self, *, is_test: bool) -> Numbers:
        """The places of the queries of one half."""
        return np.array(
            [place for place, each in enumerate(self.queries) if each.is_test == is_test],
            dtype=np.int64,
        )
