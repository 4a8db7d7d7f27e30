"""Embed: pictures and texts into the encoder's space, and the pictures' structure maps."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
from PIL import Image

from transforms.batches.ahead import chunks_ahead
from transforms.batches.outcomes import bisect_failures
from transforms.batches.stages import RunBatches
from transforms.models.devices import fill_rows
from transforms.pictures.decoding import PictureError, decode_kept
from transforms.pictures.structure import structure_map
from transforms.protocols import Encoder, FitsPictures, KnownPictures, SourceError, rows_of
from transforms.record import (
    Batch,
    EditQuery,
    EmbeddedImage,
    Reject,
    SourceImage,
    reject_query,
    reject_source,
)
from transforms.scores import as_bytes

STAGE = "embed"
PICTURES_AT_ONCE = 16
"""So many at least are handed to the encoder together; more where its network sees more at once."""
QUERIES_AT_ONCE = 32

OpenPicture = Callable[[str], bytes]


class _Vectors(NamedTuple):
    embedding: bytes
    structure: bytes


class _Readable(NamedTuple):
    """A picture as the encoder sees it, and the structure map of what it was."""

    source: SourceImage
    image: Image.Image
    structure: bytes


def embed_images_batch(
    batch: Batch[SourceImage],
    encoder: Encoder,
    *,
    known: KnownPictures | None = None,
    open_picture: OpenPicture | None = None,
) -> Batch[EmbeddedImage]:
    """The embedding and the structure map of every picture of `batch`.

    Pictures that `known` has, with the same content, are looked up. `open_picture` fetches the
    bytes of those that come without. What cannot be decoded or encoded becomes a Reject.
    """
    found, rejects = _picture_vectors(batch.records, encoder, known, open_picture)
    records = tuple(
        EmbeddedImage(source=source, embedding=vectors.embedding, structure=vectors.structure)
        for source in batch.records
        if (vectors := found.get(source.key))
    )
    return Batch(batch.shard, batch.number, records, (*batch.rejects, *rejects.values()))


def embed_queries_batch(
    batch: Batch[EditQuery],
    encoder: Encoder,
    *,
    known: KnownPictures | None = None,
    open_picture: OpenPicture | None = None,
) -> Batch[EditQuery]:
    """`batch` with the embeddings of source, caption and edit prompt, and the source's structure.

    See `embed_images_batch` for `known` and `open_picture`. A picture of several queries is
    embedded once; where it cannot be, each of its queries becomes a Reject.
    """
    sources = list({query.source.key: query.source for query in batch.records}.values())
    found, failed = _picture_vectors(sources, encoder, known, open_picture)
    rejects = [
        reject_query(query, stage=STAGE, reason=cause.reason, detail=cause.detail)
        for query in batch.records
        if (cause := failed.get(query.source.key))
    ]
    with_picture = [
        dataclasses.replace(
            query,
            source_embedding=found[query.source.key].embedding,
            source_structure=found[query.source.key].structure,
        )
        for query in batch.records
        if query.source.key in found
    ]
    records, without_text = bisect_failures(
        with_picture,
        functools.partial(_embed_texts, encoder=encoder),
        _reject_query,
        at_once=fill_rows(rows_of(encoder), least=2 * QUERIES_AT_ONCE) // 2,  # two texts of each
    )
    return Batch(
        batch.shard, batch.number, tuple(records), (*batch.rejects, *rejects, *without_text)
    )


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class EmbedImages(beam.PTransform):
    """Batches of SourceImage to batches of EmbeddedImage; see `embed_images_batch`.

    `load` makes the encoder in a worker; it is hashable, and called once a process. Where it
    cannot be loaded, the running pipeline raises `ModelError`.

    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     embedded = spans | pairloom.Read(source) | pairloom.EmbedImages(pairloom.load_encoder)
    ...     _ = embedded | beam.Map(lambda batch: print(len(batch.records[0].embedding) // 4))
    128
    """

    load: Callable[[], Encoder]
    known: KnownPictures | None = None
    open_picture: OpenPicture | None = None

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Puts the batches through the encoder."""
        return batches | "Embed" >> _embed_by(embed_images_batch, self)


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class EmbedQueries(beam.PTransform):
    """Batches of EditQuery to the same with embeddings; see `embed_queries_batch`.

    `load` makes the encoder in a worker; it is hashable, and called once a process. Where it
    cannot be loaded, the running pipeline raises `ModelError`.

    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     told = spans | pairloom.Read(source) | pairloom.TakeSourceCaptions()
    ...     queries = told | pairloom.Rewrite() | pairloom.EmbedQueries(pairloom.load_encoder)
    ...     _ = queries | beam.Map(lambda batch: print(len(batch.records[0].edit_embedding) // 4))
    128
    """

    load: Callable[[], Encoder]
    known: KnownPictures | None = None
    open_picture: OpenPicture | None = None

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Puts the batches through the encoder."""
        return batches | "Embed" >> _embed_by(embed_queries_batch, self)


def _embed_by(
    function: Callable[..., Batch[Any]], settings: EmbedImages | EmbedQueries
) -> RunBatches:
    apply = functools.partial(function, known=settings.known, open_picture=settings.open_picture)
    return RunBatches(load=settings.load, apply=apply, name="Embed")


def _picture_vectors(
    sources: Sequence[SourceImage],
    encoder: Encoder,
    known: KnownPictures | None,
    open_picture: OpenPicture | None,
) -> tuple[dict[str, _Vectors], dict[str, Reject]]:
    """What each picture gives, by key: vectors, or a Reject."""
    found: dict[str, _Vectors] = {}
    failed: dict[str, Reject] = {}
    waiting = []
    for source in sources:
        before = _look_up(source, known)
        if before is None:
            waiting.append(source)
        else:
            found[source.key] = before
    at_once = fill_rows(rows_of(encoder), least=PICTURES_AT_ONCE)
    prepare = functools.partial(_prepare, encoder=encoder, open_picture=open_picture)
    for chunk in chunks_ahead(prepare, waiting, at_once=at_once):
        readable = [outcome for outcome in chunk if isinstance(outcome, _Readable)]
        failed |= {outcome.key: outcome for outcome in chunk if isinstance(outcome, Reject)}
        vectors, rejects = bisect_failures(
            readable,
            functools.partial(_encode_pictures, encoder=encoder),
            _reject_picture,
            at_once=at_once,
        )
        found |= dict(vectors)
        failed |= {reject.key: reject for reject in rejects}
    return found, failed


def _look_up(source: SourceImage, known: KnownPictures | None) -> _Vectors | None:
    row = known.find(source.key) if known is not None else None
    if known is None or row is None:
        return None
    if known.row(row).content_sha256 != source.content_sha256:
        return None
    structure = np.asarray(known.structure(row), dtype=np.uint8)
    return _Vectors(as_bytes(known.embedding(row)), structure.tobytes())


def _prepare(
    source: SourceImage, *, encoder: Encoder, open_picture: OpenPicture | None
) -> _Readable | Reject:
    """What can be made of a picture without the network, in any thread."""
    image = _open(source, open_picture)
    if isinstance(image, Reject):
        return image
    fitted = encoder.fit(image) if isinstance(encoder, FitsPictures) else image
    return _Readable(source, fitted, structure_map(image))


def _open(source: SourceImage, open_picture: OpenPicture | None) -> Image.Image | Reject:
    try:
        if source.image is not None:
            return decode_kept(source.image)
        if open_picture is not None:
            return decode_kept(open_picture(source.reference))
    except PictureError as error:
        return reject_source(source, stage=STAGE, reason=error.reason, detail=error.detail)
    except SourceError as error:
        return reject_source(source, stage=STAGE, reason="picture_gone", detail=str(error))
    return reject_source(
        source, stage=STAGE, reason="picture_gone", detail=f"no bytes came with {source.reference}"
    )


def _encode_pictures(
    pictures: Sequence[_Readable], *, encoder: Encoder
) -> list[tuple[str, _Vectors]]:
    embeddings = encoder.encode_images([picture.image for picture in pictures])
    return [
        (picture.source.key, _Vectors(as_bytes(embedding), picture.structure))
        for picture, embedding in zip(pictures, embeddings, strict=True)
    ]


def _embed_texts(queries: Sequence[EditQuery], *, encoder: Encoder) -> list[EditQuery]:
    texts = list(dict.fromkeys(_texts(queries)))
    embeddings = dict(zip(texts, map(as_bytes, encoder.encode_texts(texts)), strict=True))
    return [
        dataclasses.replace(
            query,
            caption_embedding=embeddings[query.caption],
            edit_embedding=embeddings[query.edit_prompt],
        )
        for query in queries
    ]


def _texts(queries: Sequence[EditQuery]) -> Iterable[str]:
    for query in queries:
        yield query.caption
        yield query.edit_prompt


def _reject_picture(picture: _Readable, reason: str, detail: str) -> Reject:
    return reject_source(picture.source, stage=STAGE, reason=reason, detail=detail)


def _reject_query(query: EditQuery, reason: str, detail: str) -> Reject:
    return reject_query(query, stage=STAGE, reason=reason, detail=detail)
