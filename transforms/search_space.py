"""The space that an index is searched in: the encoder's own, or that of adaptation heads over it.

An index holds the encoder's embeddings. In the space of heads its pictures are proposed by the
query as a direction of the encoder's space, and scored anew with the heads: nothing of the index
is made again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexes.folder import PictureIndex
from indexes.search import NO_ROW, Rows, Vectors, best_first
from transforms.models.adaptation_heads import AdaptationHeads
from transforms.pictures.structure import structure_similarities
from transforms.pool_rows import inner_products

OVERSAMPLING, LEAST_PROPOSED = 8, 256
"""So many times as many rows as wanted, and so many at least, are proposed to the heads."""

Wide = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """An index with the heads that its embeddings go through, or None for the encoder's space.

    Raises:
        ModelError: by `images` and `texts`, where the heads are of an encoder of another dimension.
    """

    index: PictureIndex
    heads: AdaptationHeads | None = None

    def image(self, embedding: Vectors) -> Vectors:
        """The embedding of a picture (d,) in this space; of unit length if there are heads."""
        if self.heads is None:
            return embedding
        adapted: Vectors = self.heads.adapt_images(embedding[None])[0].astype(np.float32)
        return adapted

    def text(self, embedding: Vectors) -> Vectors:
        """The embedding of a text (d,) in this space; of unit length if there are heads."""
        if self.heads is None:
            return embedding
        adapted: Vectors = self.heads.adapt_texts(embedding[None])[0].astype(np.float32)
        return adapted

    def cosines(self, query: Vectors, embeddings: Wide) -> Vectors:
        """Of a query of this space with embeddings (n, d) of pictures; float32 (n,)."""
        if self.heads is not None:
            embeddings = self.heads.adapt_images(embeddings)
        return inner_products(query, embeddings)

    def search(self, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        """The `k` best rows for each of `queries` (n, d), best first; see `PictureIndex.search`."""
        if self.heads is None:
            return self.index.search(queries, k)
        proposed = min(max(OVERSAMPLING * k, LEAST_PROPOSED), len(self.index))
        _, found = self.index.search(self.heads.unfold(queries), proposed)
        ranked = [
            self._best(query, rows[rows != NO_ROW], k)
            for query, rows in zip(queries, found, strict=True)
        ]
        scores, rows = zip(*ranked, strict=True) if ranked else ((), ())
        if not ranked:
            return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
        return np.stack(scores), np.stack(rows)

    def _best(self, query: Vectors, rows: Rows, k: int) -> tuple[Vectors, Rows]:
        embeddings = self.index.embeddings(rows).astype(np.float64)
        return best_first(self.cosines(query, embeddings), rows, k)


def weigh_structure(
    cosines: Vectors,
    structure: bytes,
    structures: npt.NDArray[np.uint8],
    *,
    weight: float,
) -> Vectors:
    """(cosine + w structure) / (1 + w) of pictures, float32 (n,), in [-1, 1].

    `cosines` (n,) are those of a query and pictures, `structures` (n, 256) their structure maps,
    `structure` the source's map. Words do not say where a thing is; with `weight` > 0 what lies
    where it lay comes first among what suits the words about as well.
    """
    alike = structure_similarities(structure, structures)
    weighed: Vectors = ((cosines + weight * alike) / (1 + weight)).astype(np.float32)
    return weighed


def rank_rows(rows: Sequence[int], scores: Vectors) -> list[int]:
    """`rows` by falling score, equal ones by rising row."""
    order = np.lexsort((np.asarray(rows), -scores))
    return [rows[place] for place in order]
