"""Filter: pictures that break a rule are rejects, each with its value and the rule."""

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

import apache_beam as beam

from transforms.batches.inference import MapBatches
from transforms.filter_rules import FilterRule, find_fault
from transforms.measured import MeasuredImage
from transforms.record import Batch, Reject, reject_source

STAGE = "filter"


def filter_batch(
    batch: Batch[MeasuredImage], rules: Mapping[str, FilterRule]
) -> Batch[MeasuredImage]:
    """The pictures of `batch` that keep all `rules`, which are by the name of their value.

    Of one that does not, the Reject names the first rule broken, in the order of the names.
    """
    kept: list[MeasuredImage] = []
    rejects: list[Reject] = []
    for record in batch.records:
        fault = find_fault(record.values, rules)
        if fault is None:
            kept.append(record)
        else:
            reason, detail = fault
            rejects.append(
                reject_source(record.embedded.source, stage=STAGE, reason=reason, detail=detail)
            )
    return dataclasses.replace(batch, records=tuple(kept), rejects=(*batch.rejects, *rejects))


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class Filter(beam.PTransform):
    """Batches of MeasuredImage without those that break one of `rules`; see `filter_batch`.

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

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Filters every batch."""
        choose = functools.partial(filter_batch, rules=self.rules)
        return batches | "Filter" >> MapBatches(choose, name="Filter")
