"""Retrieve: for each edit, the pictures of the index that could stand for its result."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Literal

import apache_beam as beam
import numpy as np

from indexes.folder import PictureIndex
from indexes.search import NO_ROW, Vectors
from transforms.batches.inference import MapBatches
from transforms.candidate_scores import score_rows
from transforms.pictures.structure import structure_similarities
from transforms.pool_rows import PoolEntries, PoolRows, inner_products
from transforms.record import Batch, EditQuery
from transforms.scores import as_vector, normalised

QueryKind = Literal["mean", "text", "delta", "blend"]
CandidateKind = Literal["search", "mine", "both"]

QUERY_KINDS: tuple[QueryKind, ...] = ("mean", "text", "delta", "blend")
CANDIDATE_KINDS: tuple[CandidateKind, ...] = ("search", "mine", "both")
DEFAULT_WEIGHTS: dict[QueryKind, float] = {"delta": 1.0, "blend": 0.3}

EXCLUDED_RESERVE = 16
"""So many more neighbours are fetched than wanted, to replace the source and its copies."""


@dataclass(frozen=True, kw_only=True)
class RetrieveOptions:
    """How candidates are looked for.

    `query` is the query vector (see `query_vectors`), `weight` the w of `delta` (1 where None) and
    `blend` (0.3 where None). `candidates` is where they come from: `search` = the `k` nearest
    neighbours of the query vector, `mine` = pictures whose caption has the very words of the edit
    prompt, at most `cap` of them, `both` = both. A picture whose embedding has a cosine above
    `near_copy` with the source's is taken for a copy of it and passed over; None allows all.

    Raises:
        ValueError: a value is out of its range, or a weight is given to a query without one.

    >>> import pairloom
    >>> pairloom.RetrieveOptions(query="blend", weight=0.5)
    RetrieveOptions(query='blend', weight=0.5, candidates='both', k=16, cap=16, near_copy=0.999)
    """

    query: QueryKind = "text"
    weight: float | None = None
    candidates: CandidateKind = "both"
    k: int = 16
    cap: int = 16
    near_copy: float | None = 0.999

    def __post_init__(self) -> None:
        if self.query not in QUERY_KINDS:
            raise ValueError(f"query must be one of {QUERY_KINDS}, got {self.query!r}")
        if self.candidates not in CANDIDATE_KINDS:
            raise ValueError(
                f"candidates must be one of {CANDIDATE_KINDS}, got {self.candidates!r}"
            )
        if self.weight is not None and self.query not in DEFAULT_WEIGHTS:
            raise ValueError(f"weight belongs to delta and blend, got query {self.query!r}")
        if self.weight is not None and not 0 <= self.weight < np.inf:
            raise ValueError(f"weight must be at least 0 and finite, got {self.weight}")
        for name in ("k", "cap"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.near_copy is not None and not 0 < self.near_copy <= 1:
            raise ValueError(f"near_copy must be in (0, 1], got {self.near_copy}")


def query_vectors(queries: Sequence[EditQuery], options: RetrieveOptions) -> Vectors:
    """One unit vector per query, float32 (n, d), by `options.query`.

    With unit embeddings i of the source image, s of its caption and t of the edit prompt:
    `mean` i + t (their average; iEdit), `text` t, `delta` i + w (t - s), `blend` t + w i.
    """
    weight = options.weight if options.weight is not None else DEFAULT_WEIGHTS.get(options.query, 0)
    return np.stack([_query_vector(query, options.query, weight) for query in queries])


def _query_vector(query: EditQuery, kind: QueryKind, weight: float) -> Vectors:
    if not (query.source_embedding and query.caption_embedding and query.edit_embedding):
        raise ValueError(f"query {query.key} has no embeddings: Embed comes before Retrieve")
    image = normalised(as_vector(query.source_embedding))
    caption = normalised(as_vector(query.caption_embedding))
    edit = normalised(as_vector(query.edit_embedding))
    if kind == "mean":
        return normalised(image + edit)
    if kind == "text":
        return edit
    if kind == "delta":
        return normalised(image + weight * (edit - caption))
    return normalised(edit + weight * image)


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
    batch: Batch[EditQuery], index: PictureIndex, options: RetrieveOptions
) -> Batch[EditQuery]:
    """`batch` with the candidates of every query, scored, best query score first.

    A query that comes with candidates (from Mine) keeps them and has them scored. The source
    itself, pictures of the same content and near-copies are never candidates. A query may end with
    none: Select says so.
    """
    if not batch.records:
        return batch
    vectors = query_vectors(batch.records, options)
    offers = _find_offers(batch.records, vectors, index, options)
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
            chosen = _look_further(query, vector, offer, entries, index, options)
            own = PoolRows(index, chosen.rows())
        rows = list(dict.fromkeys(chosen.rows()))
        candidates = score_rows(query, rows, pool=own, entries=entries, query_vector=vector)
        records.append(dataclasses.replace(query, candidates=candidates))
    return dataclasses.replace(batch, records=tuple(records))


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class Retrieve(beam.PTransform):
    """Batches of embedded EditQuery to the same with candidates; see `retrieve_batch`.

    `index` travels as its path and is opened once a process. Queries without embeddings make the
    running pipeline raise `ValueError`: Embed comes first.

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

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Searches for every batch."""
        search = functools.partial(retrieve_batch, index=self.index, options=self.options)
        return batches | "Retrieve" >> MapBatches(search, name="Retrieve")


def _find_offers(
    queries: Sequence[EditQuery], vectors: Vectors, index: PictureIndex, options: RetrieveOptions
) -> list[_Offer]:
    """What each query came with, or what the index has for it."""
    searching = [number for number, query in enumerate(queries) if not query.candidates]
    depth = min(options.k + EXCLUDED_RESERVE, len(index))
    near: dict[int, list[int]] = {}
    if options.candidates != "mine" and searching:
        _, found = index.search(vectors[searching], depth)
        near = {
            number: [row for row in rows if row != NO_ROW]
            for number, rows in zip(searching, found.tolist(), strict=True)
        }
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
    index: PictureIndex,
    options: RetrieveOptions,
) -> _Offer:
    """What `_admit` gives where copies abound: of ever more neighbours, until it is enough."""
    asked = offer.asked
    while True:
        asked = min(4 * asked, len(index))
        _, found = index.search(vector[None], asked)
        rows = [row for row in found[0].tolist() if row != NO_ROW]
        near, _ = _keep_unlike(query, rows, PoolRows(index, rows), options)
        chosen = _admit(query, dataclasses.replace(offer, near=near), entries, options)
        if len(chosen.near) >= options.k or asked >= len(index):
            return chosen
