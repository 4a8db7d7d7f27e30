"""Retrieve: for each edit, the pictures of the index that could stand for its result."""

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import apache_beam as beam
import numpy as np

from indexes.folder import PictureIndex, PictureRow
from indexes.search import NO_ROW, Vectors
from transforms.batches.inference import MapBatches
from transforms.pictures.structure import structure_similarities
from transforms.record import Batch, Candidate, EditQuery, Scores
from transforms.scores import (
    as_vector,
    cosines,
    directional,
    margins,
    normalised,
    stored,
    word_agreement,
)

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
    searching = [number for number, query in enumerate(batch.records) if not query.candidates]
    neighbours: dict[int, list[int]] = {}
    if options.candidates != "mine" and searching:
        depth = min(options.k + EXCLUDED_RESERVE, len(index))
        _, found = index.search(vectors[searching], depth)
        neighbours = dict(zip(searching, found.tolist(), strict=True))
    records = []
    for number, query in enumerate(batch.records):
        if query.candidates:
            rows = _admit(query, [each.row for each in query.candidates], index, options)
        else:
            near = _nearest(query, vectors[number], neighbours.get(number), index, options)
            rows = list(dict.fromkeys([*near, *_with_the_words(query, index, options)]))
        candidates = score_rows(query, rows, index=index, query_vector=vectors[number])
        records.append(dataclasses.replace(query, candidates=candidates))
    return dataclasses.replace(batch, records=tuple(records))


def score_rows(
    query: EditQuery, rows: Sequence[int], *, index: PictureIndex, query_vector: Vectors
) -> tuple[Candidate, ...]:
    """The pictures in `rows` as candidates with every score, by falling `retrieval`, then row."""
    if not rows:
        return ()
    embeddings = index.embeddings(rows)
    retrieval = cosines(query_vector, embeddings)
    order = sorted(range(len(rows)), key=lambda place: (-retrieval[place], rows[place]))
    embeddings = embeddings[order]
    ranked = [int(rows[place]) for place in order]
    falling = [retrieval[place] for place in order]
    source_image = as_vector(query.source_embedding)
    caption, edit = as_vector(query.caption_embedding), as_vector(query.edit_embedding)
    own = cosines(source_image, caption[None])[0]
    measured = zip(
        range(len(ranked)),
        index.rows(ranked),
        falling,
        margins(falling),
        cosines(edit, embeddings),
        directional(source_image, embeddings, caption, edit),
        cosines(source_image, embeddings),
        structure_similarities(query.source_structure, index.structures(ranked)),
        strict=True,
    )
    return tuple(
        _candidate(
            query,
            entry,
            Scores(
                retrieval=score,
                rank=rank,
                margin=margin,
                text_image_source=own,
                text_image_target=text_image,
                directional=direction,
                image_image=image_image,
                structure=stored(structure),
            ),
        )
        for rank, entry, score, margin, text_image, direction, image_image, structure in measured
    )


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
    a small red chair on the left of a patterned background
    """

    index: PictureIndex
    options: RetrieveOptions = field(default_factory=RetrieveOptions)

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Searches for every batch."""
        search = functools.partial(retrieve_batch, index=self.index, options=self.options)
        return batches | "Retrieve" >> MapBatches(search, name="Retrieve")


def _candidate(query: EditQuery, entry: PictureRow, scores: Scores) -> Candidate:
    """The picture of the index with the scores that its words and captions give added."""
    words = word_agreement(
        edit_prompt=query.edit_prompt,
        source_word=query.source_word,
        target_word=query.target_word,
        caption=entry.caption,
    )
    return Candidate(
        row=entry.row,
        key=entry.key,
        reference=entry.reference,
        content_sha256=entry.content_sha256,
        caption=entry.caption,
        caption_confidence=entry.caption_confidence,
        url=entry.url,
        licence=entry.licence,
        nsfw=entry.nsfw,
        watermark=entry.watermark,
        scores=dataclasses.replace(
            scores,
            new_word=words.new_word,
            old_word=words.old_word,
            rest=words.rest,
            source_confidence=_stored(query.source.caption_confidence),
            target_confidence=_stored(entry.caption_confidence),
        ),
    )


def _nearest(
    query: EditQuery,
    vector: Vectors,
    found: list[int] | None,
    index: PictureIndex,
    options: RetrieveOptions,
) -> list[int]:
    """The `options.k` best of `found` that may be candidates; looks further where copies abound."""
    if found is None:
        return []
    while True:
        admitted = _admit(query, [row for row in found if row != NO_ROW], index, options)
        if len(admitted) >= options.k or len(found) >= len(index):
            return admitted[: options.k]
        found = index.search(vector[None], min(4 * len(found), len(index)))[1][0].tolist()


def _with_the_words(query: EditQuery, index: PictureIndex, options: RetrieveOptions) -> list[int]:
    """At most `options.cap` rows whose caption has the words of the edit prompt.

    Those most like the source in structure come first, then those most like it in embedding.
    """
    if options.candidates == "search":
        return []
    rows = index.rows_with_caption(query.edit_prompt)
    rows = _admit(query, rows, index, options)
    if not rows:
        return []
    alike = structure_similarities(query.source_structure, index.structures(rows))
    near = cosines(as_vector(query.source_embedding), index.embeddings(rows))
    order = sorted(range(len(rows)), key=lambda place: (-alike[place], -near[place], rows[place]))
    return [rows[place] for place in order[: options.cap]]


def _admit(
    query: EditQuery, rows: Sequence[int], index: PictureIndex, options: RetrieveOptions
) -> list[int]:
    """`rows` without the source itself, its copies and near-copies, in the same order."""
    if not rows:
        return []
    near = cosines(as_vector(query.source_embedding), index.embeddings(rows))
    limit = options.near_copy if options.near_copy is not None else np.inf
    return [
        row
        for row, cosine in zip(rows, near, strict=True)
        if cosine <= limit and not _is_source(query, index, row)
    ]


def _is_source(query: EditQuery, index: PictureIndex, row: int) -> bool:
    source = query.source
    return index.key(row) == source.key or index.content(row) == source.content_sha256


def _stored(value: float | None) -> float | None:
    return None if value is None else stored(value)
