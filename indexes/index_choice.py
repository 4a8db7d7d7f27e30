"""Which FAISS index suits how many vectors and how much memory, and what it is trained on."""

import math
import re
from dataclasses import dataclass

FLAT_UP_TO = 50_000
"""Up to this many vectors a flat index costs far less than captioning does, and is exact."""

LISTS_FROM = 10_000
"""Fewer vectors than this are never cut into lists, whatever the memory."""

LISTS_PER_SQUARE_ROOT = 4
MOST_LISTS = 26_214
"""More lists than this would take longer to train than they save; lists then grow longer."""

LEAST_PROBED = 8
PROBED_SHARE = 384
"""So many lists are looked into, or one in so many where that is more, ..."""
LEAST_LOOKED_AT = 2600
"""... or as many as hold so many vectors: short lists share the neighbours among more of them."""

TRAINING_VECTORS_PER_LIST = 64
LEAST_TRAINING_PER_LIST = 16
SHARE_FOR_TRAINING = 4
"""The vectors that lists are trained on take at most one part in so many of the memory."""

DEFAULT_MEMORY_GIB = 16.0
FLOAT_BYTES = 4
ID_BYTES = 8
NUMBERS_PER_CODE = (4, 8, 16)
"""Of product quantisation: so many numbers of a vector become one byte, the finest that fits."""

_LISTS = re.compile(r"IVF(\d+)[_,]")


@dataclass(frozen=True)
class IndexChoice:
    """A FAISS factory string and the parameters to search with, as autofaiss names both."""

    key: str
    parameters: str

    @property
    def lists(self) -> int:
        """How many inverted lists the index has; 0 for one without."""
        found = _LISTS.match(self.key)
        return int(found[1]) if found else 0


def choose_index(
    count: int, dimension: int, *, memory_gib: float = DEFAULT_MEMORY_GIB
) -> IndexChoice:
    """The index for `count` vectors of `dimension` numbers that is to fit in `memory_gib` GiB.

    Flat where there are few; else 4 sqrt(n) inverted lists (at most `MOST_LISTS`), of codes of a
    byte for every number, or for every 4, 8 or 16 of them: the finest that fits. Where none does,
    the smallest: an index is memory-mapped, so it is slow then, not unusable. Whole vectors are
    never kept in lists: they are slower to look at, and what codes propose is told apart by the
    stored vectors.

    Raises:
        ValueError: `memory_gib` is not above 0.

    >>> choose_index(50_000, 512).key, choose_index(1_000_000, 512).key
    ('Flat', 'IVF4000,SQ8')
    >>> choose_index(400_000_000, 512, memory_gib=64)
    IndexChoice(key='IVF26214,PQ128', parameters='nprobe=68')
    """
    if not memory_gib > 0:
        raise ValueError(f"memory must be above 0 GiB, got {memory_gib}")
    memory = memory_gib * 2**30
    fits = count * dimension * FLOAT_BYTES <= memory
    if count < LISTS_FROM or (count <= FLAT_UP_TO and fits):
        return IndexChoice("Flat", "")
    lists = min(round(LISTS_PER_SQUARE_ROOT * math.sqrt(count)), MOST_LISTS)
    codes = [("SQ8", dimension)]
    codes += [
        (f"PQ{dimension // numbers}", dimension // numbers)
        for numbers in NUMBERS_PER_CODE
        if dimension % numbers == 0
    ]
    for name, size in codes:  # noqa: B007 - the last one where none fits
        if count * (size + ID_BYTES) + lists * dimension * FLOAT_BYTES <= memory:
            break
    looked_at = math.ceil(LEAST_LOOKED_AT * lists / count)
    probed = min(lists, max(LEAST_PROBED, lists // PROBED_SHARE, looked_at))
    return IndexChoice(f"IVF{lists},{name}", f"nprobe={probed}")


def training_size(
    count: int, choice: IndexChoice, *, dimension: int, memory_gib: float = DEFAULT_MEMORY_GIB
) -> int:
    """How many of `count` vectors the lists of `choice` are trained on; 0 for a flat index.

    At most 64 a list, and at most what a quarter of `memory_gib` holds (though 16 a list).
    """
    held = int(memory_gib * 2**30 / SHARE_FOR_TRAINING) // (dimension * FLOAT_BYTES)
    most = max(choice.lists * LEAST_TRAINING_PER_LIST, held)
    return min(count, choice.lists * TRAINING_VECTORS_PER_LIST, most)
