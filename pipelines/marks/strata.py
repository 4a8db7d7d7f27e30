"""Which pairs are asked about, in which order: drawn at random within strata of a score.

Pairs are ranked by the score and cut into strata of one size. Within a stratum the order is drawn
by the seed and the pairs' keys; of the strata one pair each is taken in turn, in an order drawn for
each turn. So any beginning of the whole order is a random sample of every stratum, of nearly equal
size, and neither a judge nor the place in the order tells which stratum a pair is of.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.dataset.rows import scores_from_row
from transforms.dataset.schema import SCORE_COLUMNS, score_column
from transforms.dataset.tables import ShardedTable
from transforms.record import SCORE_NAMES
from transforms.scores import rank_score, word_order

QUALITY = "quality"
WORD_ORDER = "word_order"
STRATIFYING = (QUALITY, WORD_ORDER, *SCORE_NAMES)
"""By what strata can be made: the scores of the pairs, and what Select works out of them."""

RANKED_COLUMNS = (
    "key",
    "target_key",
    "edit_prompt",
    "target_caption",
    *(column.name for column in SCORE_COLUMNS),
)
"""The columns of the pairs that are read to rank them."""


@dataclass(frozen=True)
class Design:
    """How pairs are drawn: `strata` groups of one size by `score`, and an order by `seed`.

    Raises:
        ValueError: `strata` is below 1, or `score` is none of `STRATIFYING`.
    """

    score: str = QUALITY
    strata: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.score not in STRATIFYING:
            raise ValueError(f"score must be one of {', '.join(STRATIFYING)}, got {self.score!r}")
        if self.strata < 1:
            raise ValueError(f"strata must be at least 1, got {self.strata}")


@dataclass(frozen=True)
class RankedPair:
    """A pair as it is drawn: its place in the table of the pairs, its names, its scores.

    `scores` are by the names of `STRATIFYING`, None where one was not measured. `stratum` counts
    from 0, the lowest scores; `order` is the place in the whole order, from 0.
    """

    position: int
    key: str
    target_key: str
    scores: Mapping[str, float | None]
    stratum: int = 0
    order: int = 0


def draw_number(seed: int, key: str) -> int:
    """A number in [0, 2**64) that depends on `seed` and `key` alone."""
    digest = hashlib.blake2b(f"{seed}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def read_ranked(table: ShardedTable, design: Design) -> list[RankedPair]:
    """All pairs of `table` in the order in which they are asked about.

    Raises:
        DatasetError: a shard cannot be read.
    """
    pairs = []
    for first, columns in table.batches(RANKED_COLUMNS):
        rows = zip(*(columns[name] for name in RANKED_COLUMNS), strict=True)
        for position, values in enumerate(rows, start=first):
            row = dict(zip(RANKED_COLUMNS, values, strict=True))
            pairs.append(RankedPair(position, row["key"], row["target_key"], scores_of(row)))
    return arrange(pairs, design)


def scores_of(row: Mapping[str, Any]) -> dict[str, float | None]:
    """The scores of a row of the pairs, by the names of `STRATIFYING`."""
    agreement = word_order(row["edit_prompt"], row["target_caption"])
    stored: dict[str, float | None] = {name: row[score_column(name)] for name in SCORE_NAMES}
    return {QUALITY: rank_score(scores_from_row(row), agreement), WORD_ORDER: agreement, **stored}


def arrange(pairs: Sequence[RankedPair], design: Design) -> list[RankedPair]:
    """`pairs` with their strata, in the order in which they are asked about.

    Ties in the score are broken by the draw; a pair without the score counts as the lowest.
    """

    def rank(pair: RankedPair) -> tuple[float, int, str]:
        value = pair.scores[design.score]
        return (
            float("-inf") if value is None else value,
            draw_number(design.seed, f"rank\0{pair.key}"),
            pair.key,
        )

    ranked = sorted(pairs, key=rank)
    count = min(design.strata, len(ranked))
    waiting: list[list[RankedPair]] = [[] for _ in range(count)]
    for place, pair in enumerate(ranked):
        waiting[place * count // len(ranked)].append(pair)
    for members in waiting:
        members.sort(key=lambda pair: (draw_number(design.seed, pair.key), pair.key))
    found: list[RankedPair] = []
    for turn in range(max(map(len, waiting), default=0)):
        strata = [number for number in range(count) if turn < len(waiting[number])]
        strata.sort(key=lambda number: draw_number(design.seed, f"turn\0{turn}\0{number}"))
        for number in strata:
            one = waiting[number][turn]
            found.append(
                RankedPair(one.position, one.key, one.target_key, one.scores, number, len(found))
            )
    return found
