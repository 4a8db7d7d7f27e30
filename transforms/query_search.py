"""Searching an index for edit queries: their vectors, the rows near them, and how rows score."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from indexes.search import NO_ROW, Vectors
from transforms.pool_rows import PoolRows
from transforms.query_arithmetic import query_vector
from transforms.record import EditQuery
from transforms.retrieve_options import RetrieveOptions
from transforms.scores import as_vector
from transforms.search_space import SearchSpace, rank_rows, weigh_structure


def query_vectors(
    queries: Sequence[EditQuery],
    options: RetrieveOptions,
    *,
    space: SearchSpace | None = None,
) -> Vectors:
    """One unit vector per query, float32 (n, d), by `options.query`, in `space`.

    See `transforms.query_arithmetic.query_vector`; None stands for the encoder's space.
    """
    return np.stack([_query_vector(query, options, space) for query in queries])


def _query_vector(query: EditQuery, options: RetrieveOptions, space: SearchSpace | None) -> Vectors:
    if not (query.source_embedding and query.caption_embedding and query.edit_embedding):
        raise ValueError(f"query {query.key} has no embeddings: Embed comes before Retrieve")
    image = as_vector(query.source_embedding)
    caption, edit = as_vector(query.caption_embedding), as_vector(query.edit_embedding)
    if space is not None:
        image, caption, edit = space.image(image), space.text(caption), space.text(edit)
    return query_vector(
        options.query, image=image, source_text=caption, target_text=edit, weight=options.weight
    )


@dataclass(frozen=True, eq=False)
class QuerySearch:
    """Searches in `space` as `options` have it."""

    space: SearchSpace
    options: RetrieveOptions

    def vectors(self, queries: Sequence[EditQuery]) -> Vectors:
        """The vector of each query, float32 (n, d)."""
        return query_vectors(queries, self.options, space=self.space)

    def depth(self, least: int) -> int:
        """How many neighbours are asked for where `least` are wanted."""
        if self.options.structure_weight is not None:
            least = max(least, self.options.structure_depth)
        return min(least, len(self.space.index))

    def near(
        self, queries: Sequence[EditQuery], vectors: Vectors, depth: int
    ) -> list[Sequence[int]]:
        """The `depth` nearest rows of each query, those with the highest score first."""
        cosines, found = self.space.search(vectors, depth)
        near = [[row for row in rows if row != NO_ROW] for rows in found.tolist()]
        if self.options.structure_weight is None:
            return list(near)
        pool = PoolRows(self.space.index, chain.from_iterable(near))
        return [
            rank_rows(rows, self._weigh(query, scores[: len(rows)], rows, pool))
            for query, scores, rows in zip(queries, cosines, near, strict=True)
        ]

    def scores(
        self, query: EditQuery, vector: Vectors, rows: Sequence[int], pool: PoolRows
    ) -> Vectors:
        """What a query, whose vector is `vector`, gives the pictures in `rows`; float32 (n,)."""
        if not rows:
            return np.empty(0, np.float32)
        cosines = self.space.cosines(vector, pool.embeddings(rows))
        return self._weigh(query, cosines, rows, pool)

    def _weigh(
        self, query: EditQuery, cosines: Vectors, rows: Sequence[int], pool: PoolRows
    ) -> Vectors:
        weight = self.options.structure_weight
        if weight is None:
            return cosines
        structures = pool.structures(rows)
        return weigh_structure(cosines, query.source_structure, structures, weight=weight)
