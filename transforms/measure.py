"""Measure: what a picture's pixels, its embedding and its source say of it."""

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass

import apache_beam as beam
import numpy as np

from transforms.aesthetics import AestheticHead
from transforms.batches.stages import MapBatches
from transforms.filter_rules import SAID
from transforms.measured import MeasuredImage
from transforms.near_copies.fingerprint import fingerprint
from transforms.pictures.decoding import PictureError, decode_kept
from transforms.pictures.quality import picture_quality
from transforms.record import Batch, EmbeddedImage, Reject, reject_source
from transforms.scores import as_vector

STAGE = "measure"


def measure_batch(
    batch: Batch[EmbeddedImage], head: AestheticHead | None = None
) -> Batch[MeasuredImage]:
    """Fingerprint and values of every picture of `batch`, which has its bytes.

    With `head` an aesthetic score too. What does not decode becomes a Reject.

    Raises:
        AestheticHeadError: the head takes embeddings of another dimension.
    """
    scores = _scores(batch.records, head)
    outcomes = [
        _measure(record, score) for record, score in zip(batch.records, scores, strict=True)
    ]
    rejects = tuple(each for each in outcomes if isinstance(each, Reject))
    records = tuple(each for each in outcomes if not isinstance(each, Reject))
    return Batch(batch.shard, batch.number, records, (*batch.rejects, *rejects))


def _scores(records: Sequence[EmbeddedImage], head: AestheticHead | None) -> Sequence[float | None]:
    if head is None or not records:
        return [None] * len(records)
    return head.score(np.stack([as_vector(record.embedding) for record in records]))


def _measure(record: EmbeddedImage, score: float | None) -> MeasuredImage | Reject:
    source = record.source
    try:
        image = decode_kept(source.image or b"")
    except PictureError as error:
        return reject_source(source, stage=STAGE, reason=error.reason, detail=error.detail)
    values: dict[str, str | float | None] = {name: getattr(source, name) for name in SAID}
    values |= dataclasses.asdict(picture_quality(image))
    values["aesthetic"] = score
    return MeasuredImage(embedded=record, fingerprint=fingerprint(image), values=values)


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class Measure(beam.PTransform):
    """Batches of EmbeddedImage with their bytes to batches of MeasuredImage; see `measure_batch`.

    `head` scores embeddings of the encoder it was trained on; None to do without.

    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     embedded = spans | pairloom.Read(source) | pairloom.EmbedImages(pairloom.load_encoder)
    ...     measured = embedded | pairloom.Measure()
    ...     _ = measured | beam.Map(lambda batch: print(batch.records[0].values["aspect"]))
    1.0
    """

    head: AestheticHead | None = None

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Measures every batch."""
        measure = functools.partial(measure_batch, head=self.head)
        return batches | "Measure" >> MapBatches(measure, name="Measure")
