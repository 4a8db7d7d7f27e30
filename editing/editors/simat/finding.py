"""The pictures of an index that a query leads to, the source and its copies left out."""

from dataclasses import dataclass

from editing.editors.simat.pool import Pool
from editing.editors.simat.settings import SimatSettings
from indexes.folder import PictureRow
from indexes.search import NO_ROW, Vectors
from transforms.search_space import rank_rows, weigh_structure

RESERVE = 16
"""So many more pictures are looked at than wanted, to replace the source's copies."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Asked:
    """A query: `image` the source's embedding by the encoder, `query` the unit vector to search.

    `query` is of the pool's space; `structure` the source's map, empty where it does not count.
    """

    image: Vectors
    query: Vectors
    structure: bytes


@dataclass(frozen=True)
class FoundRow:
    """A picture of the index, and the query's score of it, in [-1, 1]."""

    row: PictureRow
    score: float


def find_rows(asked: Asked, settings: SimatSettings, pool: Pool, *, wanted: int) -> list[FoundRow]:
    """The `wanted` best pictures, or all there are that are no copies of the source."""
    depth = wanted + RESERVE
    if asked.structure:
        depth = max(depth, settings.structure_depth)
    while True:
        depth = min(depth, len(pool.index))
        found = _rank(asked, settings, pool, depth)
        if len(found) >= wanted or depth == len(pool.index):
            rows = pool.index.rows([row for row, _ in found[:wanted]])
            scores = (score for _, score in found)
            return [FoundRow(row, score) for row, score in zip(rows, scores, strict=False)]
        depth *= 4


def _rank(asked: Asked, settings: SimatSettings, pool: Pool, depth: int) -> list[tuple[int, float]]:
    """The `depth` nearest rows but the source's copies, with their scores, best first."""
    [scores], [rows] = pool.space.search(asked.query[None], depth)
    kept = rows != NO_ROW
    if settings.near_copy is not None:
        kept[kept] = pool.index.embeddings(rows[kept]) @ asked.image <= settings.near_copy
    scores, rows = scores[kept], rows[kept]
    if asked.structure:
        structures = pool.index.structures(rows)
        scores = weigh_structure(
            scores, asked.structure, structures, weight=settings.structure_weight
        )
    by_row = dict(zip(rows.tolist(), scores.tolist(), strict=True))
    return [(row, by_row[row]) for row in rank_rows(list(by_row), scores)]
