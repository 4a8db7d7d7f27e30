"""Read: the pictures of a source, in batches.

Work is handed out as spans (shard, start, stop), a few numbers each, so that Beam can spread them
over workers while the pictures themselves are read where they are needed. A batch covers a fixed
run of ROWS of its shard, good and bad ones together: bad rows make its `records` fewer and never
move its borders.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import apache_beam as beam

from transforms.batches.timing import timed
from transforms.protocols import Source, SourceShard
from transforms.record import Batch, Reject, SourceImage


@dataclass(frozen=True)
class BatchSpan:
    """Batch `number` of a shard: its rows `start` to `stop`, counted as the shard counts them."""

    shard: SourceShard
    number: int
    start: int
    stop: int


def plan_batches(shard: SourceShard, batch_size: int) -> list[BatchSpan]:
    """The batches of `shard`, in order; they depend on the shard and `batch_size` alone.

    Args:
        shard: one of a source's `shards()`.
        batch_size: pictures a batch, at least 1; the last one of a shard may have fewer.

    Raises:
        ValueError: `batch_size` is not positive.

    >>> from pairloom import StillLifeSource, plan_batches
    >>> [shard] = StillLifeSource(count=5).shards()
    >>> [(span.number, span.start, span.stop) for span in plan_batches(shard, 2)]
    [(0, 0, 2), (1, 2, 4), (2, 4, 5)]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be >= 1, got {batch_size}")
    starts = range(shard.start, shard.stop, batch_size)
    return [
        BatchSpan(shard, number, start, min(start + batch_size, shard.stop))
        for number, start in enumerate(starts)
    ]


def read_span(source: Source, span: BatchSpan) -> Batch[SourceImage]:
    """One batch, read without what lies before it."""
    part = replace(span.shard, start=span.start, stop=span.stop)
    return _gather(span.shard.name, span.number, source.read(part))


def read_batches(
    source: Source, shard: SourceShard, batch_size: int
) -> Iterator[Batch[SourceImage]]:
    """All batches of `shard` in one pass: the same as `read_span` over `plan_batches`.

    Raises:
        ValueError: `batch_size` is not positive.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be >= 1, got {batch_size}")
    rows = source.read(shard)
    for number, run in groupby(rows, lambda row: (row.position - shard.start) // batch_size):
        yield _gather(shard.name, number, run)


def _gather(shard: str, number: int, rows: Iterator[SourceImage | Reject]) -> Batch[SourceImage]:
    records: list[SourceImage] = []
    rejects: list[Reject] = []
    for row in rows:
        if isinstance(row, Reject):
            rejects.append(row)
        else:
            records.append(row)
    return Batch(shard, number, tuple(records), tuple(rejects))


@dataclass
class Read(beam.PTransform):
    """Spans in, batches of pictures out; `source` is pickled to the workers.

    Takes what `plan_batches` gives for the shards of `source`. A picture that cannot be used
    becomes a reject of its batch.

    Raises:
        SourceError: while the pipeline runs, where a shard cannot be read at all.

    >>> import apache_beam as beam, pairloom
    >>> source = pairloom.StillLifeSource(count=1, told=True)
    >>> with beam.Pipeline("FnApiRunner") as pipeline:
    ...     spans = pipeline | beam.Create(pairloom.plan_batches(source.shards()[0], 1))
    ...     batches = spans | pairloom.Read(source)
    ...     _ = batches | beam.Map(lambda batch: print(batch.number, batch.records[0].key))
    0 still-life-0-50-00000000
    """

    source: Source

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, spans: beam.PCollection[BatchSpan]) -> beam.PCollection[Batch[SourceImage]]:
        """One batch per span."""
        # A source bound beforehand: Beam would check an argument against its annotation, and it
        # cannot check a protocol.
        read = partial(_read_and_count, source=self.source)
        return spans | "ReadSpan" >> beam.Map(read).with_output_types(Batch[SourceImage])


def _read_and_count(span: BatchSpan, source: Source) -> Batch[SourceImage]:
    with timed("Read"):
        batch = read_span(source, span)
    beam.metrics.Metrics.counter("Read", "records").inc(len(batch.records))
    for reject in batch.rejects:
        beam.metrics.Metrics.counter("Read", f"reject_{reject.reason}").inc()
    return batch
