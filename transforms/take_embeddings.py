"""TakeEmbeddings: pictures whose embeddings another program has made, such as clip-retrieval."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

import apache_beam as beam

from indexes.errors import PairloomError
from indexes.search import Vectors
from transforms.batches.stages import MapBatches
from transforms.pictures.decoding import PictureError, decode_kept
from transforms.pictures.structure import structure_map
from transforms.protocols import Encoder
from transforms.record import Batch, EmbeddedImage, Reject, SourceImage, reject_source
from transforms.scores import as_bytes, as_vector, cosines

STAGE = "embed"
SAME_ENCODER = 0.9
"""The least median cosine of stored embeddings and the encoder's own of the same pictures."""


class Embeddings(Protocol):
    """Embeddings by names of pictures: `indexes.clip_retrieval.StoredEmbeddings`."""

    def find(self, names: Sequence[str]) -> int | None:
        """The row of the picture that goes by one of `names`; None for none, or several."""
        ...

    def embedding(self, row: int) -> Vectors | None:
        """Its embedding, a unit vector, float32 (d,); None where it has no direction."""
        ...


class OtherEncoderError(PairloomError):
    """Stored embeddings that the encoder at hand has not made."""


def take_embeddings_batch(batch: Batch[SourceImage], stored: Embeddings) -> Batch[EmbeddedImage]:
    """Every picture of `batch` with its stored embedding, and its structure map.

    A picture without one becomes a Reject `no_embedding`, one that cannot be decoded as in Embed.
    """
    records: list[EmbeddedImage] = []
    rejects: list[Reject] = []
    for source in batch.records:
        outcome = _take(source, stored)
        if isinstance(outcome, Reject):
            rejects.append(outcome)
        else:
            records.append(outcome)
    return Batch(batch.shard, batch.number, tuple(records), (*batch.rejects, *rejects))


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class TakeEmbeddings(beam.PTransform):
    """Batches of SourceImage to batches of EmbeddedImage; see `take_embeddings_batch`.

    `stored` is picklable.

    >>> import apache_beam as beam, numpy as np, pairloom
    >>> class AllAlike:
    ...     def find(self, names):
    ...         return 0
    ...     def embedding(self, row):
    ...         return np.array([0.6, 0.8], np.float32)
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     embedded = spans | pairloom.Read(source) | pairloom.TakeEmbeddings(AllAlike())
    ...     _ = embedded | beam.Map(lambda batch: print(len(batch.records[0].embedding) // 4))
    2
    """

    stored: Embeddings

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Looks the embeddings up."""
        take: Callable[..., object] = functools.partial(take_embeddings_batch, stored=self.stored)
        return batches | "Take" >> MapBatches(take, name="Embed")


def names_of(source: SourceImage) -> tuple[str, str]:
    """By what a picture may be known elsewhere: its key, and its file."""
    return source.key, unquote(source.reference)


def _take(source: SourceImage, stored: Embeddings) -> EmbeddedImage | Reject:
    row = stored.find(names_of(source))
    if row is None:
        detail = f"no stored embedding, or several, for {unquote(source.reference)}"
        return reject_source(source, stage=STAGE, reason="no_embedding", detail=detail)
    embedding = stored.embedding(row)
    if embedding is None:
        detail = f"the stored embedding in row {row} is zero or not finite"
        return reject_source(source, stage=STAGE, reason="no_embedding", detail=detail)
    try:
        assert source.image is not None, "Read comes before"
        structure = structure_map(decode_kept(source.image))
    except PictureError as error:
        return reject_source(source, stage=STAGE, reason=error.reason, detail=error.detail)
    return EmbeddedImage(source=source, embedding=as_bytes(embedding), structure=structure)


def refuse_other_encoder(
    pictures: Sequence[SourceImage], stored: Embeddings, encoder: Encoder, *, where: str
) -> None:
    """Makes sure that `stored` holds what `encoder` makes of `pictures`, as far as they are there.

    No file of clip-retrieval's names the encoder, so that some pictures are encoded again.

    Raises:
        OtherEncoderError: it does not, naming `where` the embeddings lie.
    """
    found = []
    for picture in pictures:
        taken = _take(picture, stored)
        if not isinstance(taken, Reject) and picture.image is not None:
            found.append((taken, decode_kept(picture.image)))
    if not found:
        raise OtherEncoderError(f"{where} has embeddings of none of {len(pictures)} pictures")
    own = encoder.encode_images([image for _, image in found])
    length = len(found[0][0].embedding) // 4
    if own.shape[1] != length:
        raise OtherEncoderError(
            f"{where} has embeddings of dimension {length}, the preset's encoder makes "
            f"{own.shape[1]}: they are of another encoder"
        )
    alike = sorted(
        cosines(as_vector(taken.embedding), vector[None])[0]
        for (taken, _), vector in zip(found, own, strict=True)
    )
    if alike[len(alike) // 2] < SAME_ENCODER:
        raise OtherEncoderError(
            f"{where} has embeddings of another encoder than the preset's: cosines of the same "
            f"{len(alike)} pictures are from {alike[0]:.3f} to {alike[-1]:.3f}, and their median "
            f"must be at least {SAME_ENCODER:g}"
        )
