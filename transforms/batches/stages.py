"""Stages of a graph: a model, or a plain function, applied to each `Batch` as it was cut."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import apache_beam as beam

import transforms.batches.beam_coder  # noqa: F401 - how Beam writes batches
from transforms.batches.outcomes import count_outcomes
from transforms.batches.timing import timed
from transforms.record import Batch

RecordT = TypeVar("RecordT")
ResultT = TypeVar("ResultT")


def _alone(batch: Batch[RecordT]) -> tuple[Batch[RecordT]]:
    return (batch,)


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class RunBatches(beam.PTransform):
    """RunInference over batches as they are: one plain `Batch` out for each `Batch` in.

    The arguments are those of `transforms.batches.inference.BatchHandler`. It is imported when the
    stage is put into a graph: Beam's RunInference brings torch, which only those need that run one.

    Metrics, in the namespace of `name`: `records`, `rejected_<reason>`, and RunInference's own
    (`inference_batch_latency_micro_secs`, load time, model size); its `num_inferences` counts
    batches.
    """

    load: Callable[[], Any]
    apply: Callable[[Batch[Any], Any], Batch[Any]]
    name: str

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Wire the handler behind batches of one."""
        from apache_beam.ml.inference.base import RunInference

        from transforms.batches.inference import BatchHandler

        handler = BatchHandler(load=self.load, apply=self.apply, name=self.name)
        alone = beam.Map(_alone).with_input_types(Batch)
        return (
            batches
            | "Alone" >> alone.with_output_types(beam.typehints.Tuple[Batch])
            | "Infer" >> RunInference(handler.with_no_batching()).with_output_types(Batch)
        )


def _map_and_count(
    batch: Batch[RecordT], function: Callable[[Batch[RecordT]], Batch[ResultT]], name: str
) -> Batch[ResultT]:
    with timed(name):
        finished = function(batch)
    count_outcomes(finished, name)
    return finished


@beam.typehints.with_input_types(Batch)
@beam.typehints.with_output_types(Batch)
@dataclass
class MapBatches(beam.PTransform):
    """A stage without a model: `function` on every batch, with the same metrics as RunBatches.

    `function` is picklable; `name` is the stage's name.
    """

    function: Callable[[Batch[Any]], Batch[Any]]
    name: str

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        """Map and count."""
        counting = beam.Map(_map_and_count, function=self.function, name=self.name)
        counting = counting.with_input_types(Batch, function=Any, name=str)
        return batches | "Map" >> counting.with_output_types(Batch)
