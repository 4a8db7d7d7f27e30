"""RetrieveFromService: candidates from a search service that runs elsewhere, with their pictures.

A service gives captions, links and similarities, but neither vectors nor pictures. So a candidate
has the scores that come from those, structure is not compared, and the pictures are fetched only of
candidates that selection would take: the first few of them, for their hashes and for the pair.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import apache_beam as beam

from indexes.knn_service import KnnService, Neighbour
from transforms.batches.stages import MapBatches
from transforms.fetching.policy import FetchError
from transforms.record import Batch, Candidate, EditQuery, Reject, Scores, reject_query
from transforms.retrieve import EXCLUDED_RESERVE, RetrieveOptions, query_vectors
from transforms.scores import as_vector, cosines, margins, stored, word_agreement
from transforms.select import SelectionThresholds, select
from transforms.sources.texts import clean_text

STAGE = "retrieve"
FETCHED_PER_EDIT = 4
"""Of so many candidates of an edit, at most, pictures are fetched."""

QUERIES_AT_ONCE = 8
UNMEASURED = ("structure", "directional", "image_image")
"""Scores that need what a service does not give."""


class FetchPictures(Protocol):
    """Fetches pictures: `transforms.fetching.linked_pictures.LinkedPictures`."""

    def fetch(self, links: Sequence[str]) -> Mapping[str, bytes | FetchError]:
        """Each link's picture, or why it could not be had."""
        ...


def retrieve_from_service_batch(
    batch: Batch[EditQuery],
    service: KnnService,
    pictures: FetchPictures,
    options: RetrieveOptions,
    thresholds: SelectionThresholds,
) -> Batch[EditQuery]:
    """`batch` with the candidates of every query that `thresholds` let through, best first.

    A query none of whose neighbours is let through becomes the Reject that Select makes of it; one
    of whose candidates no picture can be had, a Reject `target_gone`.

    Raises:
        KnnServiceError: the service does not answer.
    """
    if not batch.records:
        return batch
    vectors = query_vectors(batch.records, options)
    with ThreadPoolExecutor(QUERIES_AT_ONCE) as threads:
        ask = functools.partial(service.search, k=options.k + EXCLUDED_RESERVE)
        answers = list(threads.map(ask, vectors))
    rejects = list(batch.rejects)
    waiting: list[EditQuery] = []
    for query, neighbours in zip(batch.records, answers, strict=True):
        candidates = _candidates(query, neighbours, options)
        outcome = select(dataclasses.replace(query, candidates=candidates), thresholds)
        if isinstance(outcome, Reject):
            rejects.append(outcome)
        else:
            passing = [each for each in candidates if _passes(query, each, thresholds)]
            kept = tuple(passing[:FETCHED_PER_EDIT])
            waiting.append(dataclasses.replace(query, candidates=kept))
    links = [each.reference for query in waiting for each in query.candidates]
    found = pictures.fetch(links) if links else {}
    records: list[EditQuery] = []
    for query in waiting:
        made = _with_pictures(query, found)
        if isinstance(made, Reject):
            rejects.append(made)
        else:
            records.append(made)
    return Batch(batch.shard, batch.number, tuple(records), tuple(rejects))


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class RetrieveFromService(beam.PTransform):
    """Batches of embedded EditQuery to the same with candidates; see `retrieve_from_service_batch`.

    `pictures` is picklable. Where the service does not answer, the running pipeline raises
    `KnnServiceError`.
    """

    service: KnnService
    pictures: FetchPictures
    options: RetrieveOptions = field(default_factory=RetrieveOptions)
    thresholds: SelectionThresholds = field(default_factory=SelectionThresholds)

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Searches for every batch."""
        search = functools.partial(
            retrieve_from_service_batch,
            service=self.service,
            pictures=self.pictures,
            options=self.options,
            thresholds=self.thresholds,
        )
        return batches | "Retrieve" >> MapBatches(search, name="Retrieve")


def _passes(query: EditQuery, candidate: Candidate, thresholds: SelectionThresholds) -> bool:
    alone = dataclasses.replace(query, candidates=(candidate,))
    return not isinstance(select(alone, thresholds), Reject)


def _candidates(
    query: EditQuery, neighbours: Sequence[Neighbour], options: RetrieveOptions
) -> tuple[Candidate, ...]:
    """At most `options.k` candidates: those with a link that is not the source's own."""
    admitted = [
        each
        for each in neighbours
        if (link := each.text("url", "URL"))
        and link != query.source.url
        and _key(each) != query.source.key
    ][: options.k]
    similarities = [stored(min(1.0, max(-1.0, each.similarity))) for each in admitted]
    own = cosines(as_vector(query.source_embedding), as_vector(query.caption_embedding)[None])[0]
    return tuple(
        _candidate(query, each, similarity, rank, gap, own, options)
        for rank, (each, similarity, gap) in enumerate(
            zip(admitted, similarities, margins(similarities), strict=True)
        )
    )


def _candidate(
    query: EditQuery,
    neighbour: Neighbour,
    similarity: float,
    rank: int,
    gap: float | None,
    own: float,
    options: RetrieveOptions,
) -> Candidate:
    caption = clean_text(neighbour.text("caption", "TEXT", "text") or "") or ""
    words = word_agreement(
        edit_prompt=query.edit_prompt,
        source_word=query.source_word,
        target_word=query.target_word,
        caption=caption,
    )
    confidence = query.source.caption_confidence
    link = neighbour.text("url", "URL") or ""
    return Candidate(
        row=neighbour.id,
        key=_key(neighbour),
        reference=link,
        content_sha256=neighbour.text("content_sha256") or "",
        caption=caption,
        url=link,
        licence=neighbour.text("LICENSE", "license", "licence"),
        nsfw=neighbour.text("NSFW", "nsfw"),
        watermark=neighbour.number("pwatermark", "watermark"),
        # What a service calls similarity is that of the search, and LAION's own is under it.
        language=neighbour.text("LANGUAGE", "language"),
        scores=Scores(
            retrieval=similarity,
            rank=rank,
            margin=gap,
            text_image_source=own,
            text_image_target=similarity if options.query == "text" else None,
            new_word=words.new_word,
            old_word=words.old_word,
            rest=words.rest,
            source_confidence=None if confidence is None else stored(confidence),
        ),
    )


def _key(neighbour: Neighbour) -> str:
    """The key that the service gives, or the number by which it knows the picture."""
    return neighbour.text("key") or str(neighbour.id)


def _with_pictures(query: EditQuery, found: Mapping[str, bytes | FetchError]) -> EditQuery | Reject:
    """`query` with the candidates whose picture is there, ranked among themselves, and its hash."""
    kept, faults = [], []
    for candidate in query.candidates:
        picture = found[candidate.reference]
        if isinstance(picture, FetchError):
            faults.append(f"{candidate.reference}: {picture}")
            continue
        sha256 = hashlib.sha256(picture).hexdigest()
        if sha256 == query.source.content_sha256:
            faults.append(f"{candidate.reference}: it is the source")
        elif candidate.content_sha256 not in ("", sha256):
            faults.append(f"{candidate.reference}: it has changed since it was indexed")
        else:
            kept.append(dataclasses.replace(candidate, content_sha256=sha256))
    if not kept:
        best = query.candidates[0]
        return reject_query(
            query, stage=STAGE, reason="target_gone", detail=faults[0], candidate=best
        )
    gaps = margins([each.scores.retrieval or 0.0 for each in kept])
    ranked = tuple(
        dataclasses.replace(each, scores=dataclasses.replace(each.scores, rank=rank, margin=gap))
        for rank, (each, gap) in enumerate(zip(kept, gaps, strict=True))
    )
    return dataclasses.replace(query, candidates=ranked)


def check_service_options(options: RetrieveOptions, thresholds: SelectionThresholds) -> None:
    """Makes sure that nothing is asked for that a service does not give.

    Raises:
        ValueError: naming what is.
    """
    if options.candidates == "mine":
        raise ValueError("candidates must be search: a service cannot be asked for captions")
    needed = [name for name in UNMEASURED if getattr(thresholds, name) is not None]
    if options.query != "text" and thresholds.text_image_target is not None:
        needed.append("text_image_target")
    if needed:
        raise ValueError(
            f"threshold {needed[0]} must be none: a service gives neither vectors nor structure "
            "to measure it by"
        )
