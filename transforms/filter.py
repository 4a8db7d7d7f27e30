"""Filter: pictures that break a rule are rejects, each with its value and the rule."""

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import apache_beam as beam

from transforms.batches.stages import MapBatches
from transforms.filter_rules import SAID, FilterRule, Value, find_fault, side_values
from transforms.measured import MeasuredImage
from transforms.record import Batch, Reject, SourceImage, reject_source

STAGE = "filter"
SOURCES_STAGE = "filter_sources"
"""The stage of what is rejected as soon as it is read, by what its source says."""

PictureT = TypeVar("PictureT", MeasuredImage, SourceImage)


def filter_batch(
    batch: Batch[PictureT], rules: Mapping[str, FilterRule], *, stage: str = STAGE
) -> Batch[PictureT]:
    """The pictures of `batch` that keep all `rules`, which are by the name of their value.

    Of one that does not, the Reject of `stage` names the first rule broken, in the order of the
    names. Of a SourceImage those values are known that are in `KNOWN_OF_SOURCES`.
    """
    kept: list[PictureT] = []
    rejects: list[Reject] = []
    for record in batch.records:
        source, values = _picture(record)
        fault = find_fault(values, rules)
        if fault is None:
            kept.append(record)
        else:
            reason, detail = fault
            rejects.append(reject_source(source, stage=stage, reason=reason, detail=detail))
    return dataclasses.replace(batch, records=tuple(kept), rejects=(*batch.rejects, *rejects))


def _picture(record: MeasuredImage | SourceImage) -> tuple[SourceImage, Mapping[str, Value]]:
    """A picture as its source gave it, and the values that are known of it."""
    if isinstance(record, MeasuredImage):
        return record.embedded.source, record.values
    values: dict[str, Value] = {name: getattr(record, name) for name in SAID}
    return record, values | side_values(record.width, record.height)


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class Filter(beam.PTransform):
    """Batches of MeasuredImage, or SourceImage, without those that break one of `rules`.

    See `filter_batch`. Right after Read it takes `stage` from `SOURCES_STAGE`.

    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> rules = pairloom.read_rules(["width=>=512"])
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     embedded = spans | pairloom.Read(source) | pairloom.EmbedImages(pairloom.load_encoder)
    ...     kept = embedded | pairloom.Measure() | pairloom.Filter(rules)
    ...     _ = kept | beam.Map(lambda batch: print(batch.rejects[0].detail))
    width must be >=512, got 64
    """

    rules: Mapping[str, FilterRule] = field(default_factory=dict)
    stage: str = STAGE

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Filters every batch."""
        choose = functools.partial(filter_batch, rules=self.rules, stage=self.stage)
        return batches | "Filter" >> MapBatches(choose, name="Filter")
