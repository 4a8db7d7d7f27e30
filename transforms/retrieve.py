"""Retrieve: for each edit, the pictures of the index that could stand for its result."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

import apache_beam as beam
import numpy as np

from indexes.folder import PictureIndex
from indexes.search import Vectors
from transforms.batches.stages import MapBatches
from transforms.candidate_scores import score_rows
from transforms.models.adaptation_heads import AdaptationHeads, load_heads
from transforms.models.spec import ModelSpec
from transforms.pictures.structure import structure_similarities
from transforms.pool_rows import PoolEntries, PoolRows, inner_products
from transforms.query_arithmetic import QUERY_KINDS
from transforms.query_search import QuerySearch, query_vectors
from transforms.record import Batch, EditQuery
from transforms.retrieve_options import CANDIDATE_KINDS, RetrieveOptions
from transforms.scores import as_vector
from transforms.search_space import SearchSpace

__all__ = [
    "CANDIDATE_KINDS",
    "QUERY_KINDS",
    "Retrieve",
    "RetrieveOptions",
    "query_vectors",
    "retrieve_batch",
]

EXCLUDED_RESERVE = 16
"""So many more neighbours are fetched than wanted, to replace the source and its copies."""


@dataclass(frozen=True)
class _Offer:
    """Rows of the index that a query could have, the best of each kind first.

    `given` are those it came with, `near` those the search found among the `asked` nearest,
    `worded` those whose caption has its words.
    """

    given: Sequence[int] = ()
    near: Sequence[int] = ()
    worded: Sequence[int] = ()
    asked: int = 0

    def rows(self) -> Iterator[int]:
        """All of them."""
        return chain(self.given, self.near, self.worded)

    def likely(self, options: RetrieveOptions) -> Iterator[int]:
        """Those that become candidates, unless the source or copies of it are among them."""
        return chain(self.given, self.near[: options.k + 1], self.worded[: options.cap + 1])


def retrieve_batch(
    batch: Batch[EditQuery],
    index: PictureIndex,
    options: RetrieveOptions,
    *,
    heads: AdaptationHeads | None = None,
) -> Batch[EditQuery]:
    """`batch` with the candidates of every query, scored, best query score first.

    A query that comes with candidates (from Mine) keeps them and has them scored. The source
    itself, pictures of the same content and near-copies are never candidates. A query may end with
    none: Select says so. With `heads` queries are made, searched and scored in their space.
    """
    if not batch.records:
        return batch
    search = QuerySearch(SearchSpace(index, heads), options)
    vectors = search.vectors(batch.records)
    offers = _find_offers(batch.records, vectors, search)
    pool = PoolRows(index, chain.from_iterable(offer.rows() for offer in offers))
    offers = [
        _without_near_copies(query, offer, pool, options)
        for query, offer in zip(batch.records, offers, strict=True)
    ]
    entries = PoolEntries(index)
    entries.expect(chain.from_iterable(offer.likely(options) for offer in offers))
    records = []
    for query, vector, offer in zip(batch.records, vectors, offers, strict=True):
        chosen = _admit(query, offer, entries, options)
        own = pool
        if len(chosen.near) < min(options.k, offer.asked) and offer.asked < len(index):
            chosen = _look_further(query, vector, offer, entries, search)
            own = PoolRows(index, chosen.rows())
        rows = list(dict.fromkeys(chosen.rows()))
        retrieval = search.scores(query, vector, rows, own)
        candidates = score_rows(query, rows, pool=own, entries=entries, retrieval=retrieval)
        records.append(dataclasses.replace(query, candidates=candidates))
    return dataclasses.replace(batch, records=tuple(records))


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class Retrieve(beam.PTransform):
    """Batches of embedded EditQuery to the same with candidates; see `retrieve_batch`.

    `index` travels as its path and is opened once a process, as are `heads`, adaptation heads
    (`transforms.models.adaptation_heads`), None for the encoder's own space. Queries without
    embeddings make the running pipeline raise `ValueError`: Embed comes first.

    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> index = pairloom.open_index("small/index")
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     told = spans | pairloom.Read(source) | pairloom.TakeSourceCaptions()
    ...     edits = told | pairloom.Rewrite(load_captions=index.captions)
    ...     found = edits | pairloom.EmbedQueries(pairloom.load_encoder) | pairloom.Retrieve(index)
    ...     _ = found | beam.Map(lambda batch: print(batch.records[0].candidates[0].caption))
    a large yellow sofa on the left of a patterned background
    """

    index: PictureIndex
    options: RetrieveOptions = field(default_factory=RetrieveOptions)
    heads: ModelSpec | None = None

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Searches for every batch."""
        search = functools.partial(
            _retrieve_by_spec, index=self.index, options=self.options, heads=self.heads
        )
        return batches | "Retrieve" >> MapBatches(search, name="Retrieve")


def _retrieve_by_spec(
    batch: Batch[EditQuery],
    *,
    index: PictureIndex,
    options: RetrieveOptions,
    heads: ModelSpec | None,
) -> Batch[EditQuery]:
    loaded = _heads_of(heads) if heads is not None else None
    return retrieve_batch(batch, index, options, heads=loaded)


@functools.lru_cache(maxsize=4)
def _heads_of(spec: ModelSpec) -> AdaptationHeads:
    """The heads of a spec, loaded once a process."""
    return load_heads(spec)


def _find_offers(
    queries: Sequence[EditQuery], vectors: Vectors, search: QuerySearch
) -> list[_Offer]:
    """What each query came with, or what the index has for it."""
    searching = [number for number, query in enumerate(queries) if not query.candidates]
    index, options = search.space.index, search.options
    depth = search.depth(options.k + EXCLUDED_RESERVE)
    near: dict[int, Sequence[int]] = {}
    if options.candidates != "mine" and searching:
        asking = [queries[number] for number in searching]
        found = search.near(asking, vectors[searching], depth)
        near = dict(zip(searching, found, strict=True))
    return [
        _Offer(given=[each.row for each in query.candidates])
        if query.candidates
        else _Offer(
            near=near.get(number, ()),
            asked=depth if number in near else 0,
            worded=()
            if options.candidates == "search"
            else index.rows_with_caption(query.edit_prompt),
        )
        for number, query in enumerate(queries)
    ]


def _without_near_copies(
    query: EditQuery, offer: _Offer, pool: PoolRows, options: RetrieveOptions
) -> _Offer:
    """`offer` without near-copies of the source, those with its words in order of likeness.

    Those most like the source in structure come first, then those most like it in embedding.
    """
    given, _ = _keep_unlike(query, offer.given, pool, options)
    near, _ = _keep_unlike(query, offer.near, pool, options)
    worded, cosines = _keep_unlike(query, offer.worded, pool, options)
    if worded:
        alike = structure_similarities(query.source_structure, pool.structures(worded))
        worded = [worded[place] for place in np.lexsort((np.asarray(worded), -cosines, -alike))]
    return _Offer(given=given, near=near, worded=worded, asked=offer.asked)


def _keep_unlike(
    query: EditQuery, rows: Sequence[int], pool: PoolRows, options: RetrieveOptions
) -> tuple[list[int], Vectors]:
    """Those of `rows` that are no near-copies of the source, and their cosines with it."""
    if not rows:
        return [], np.empty(0, np.float32)
    cosines = inner_products(as_vector(query.source_embedding), pool.embeddings(rows))
    limit = options.near_copy if options.near_copy is not None else np.inf
    unlike = cosines.astype(np.float64) <= limit
    return [row for row, kept in zip(rows, unlike, strict=True) if kept], cosines[unlike]


def _admit(
    query: EditQuery, offer: _Offer, entries: PoolEntries, options: RetrieveOptions
) -> _Offer:
    """As many of each kind as are wanted, without the source itself and pictures of its content."""
    source = query.source

    def others(rows: Sequence[int], most: int) -> list[int]:
        admitted = (
            row
            for row in rows
            if (entry := entries[row]).key != source.key
            and entry.content_sha256 != source.content_sha256
        )
        return list(islice(admitted, most))

    return _Offer(
        given=others(offer.given, len(offer.given)),
        near=others(offer.near, options.k),
        worded=others(offer.worded, options.cap),
        asked=offer.asked,
    )


def _look_further(
    query: EditQuery,
    vector: Vectors,
    offer: _Offer,
    entries: PoolEntries,
    search: QuerySearch,
) -> _Offer:
    """What `_admit` gives where copies abound: of ever more neighbours, until it is enough."""
    asked, index, options = offer.asked, search.space.index, search.options
    while True:
        asked = min(4 * asked, len(index))
        [rows] = search.near([query], vector[None], asked)
        near, _ = _keep_unlike(query, rows, PoolRows(index, rows), options)
        chosen = _admit(query, dataclasses.replace(offer, near=near), entries, options)
        if len(chosen.near) >= options.k or asked >= len(index):
            return chosen
