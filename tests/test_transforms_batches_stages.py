"""Stages of a graph: batches as they were cut, outcomes counted."""

import dataclasses
import functools

import apache_beam as beam
import pytest
from apache_beam.metrics import MetricsFilter
from apache_beam.testing.util import assert_that, equal_to
from fakes.shouting import Load, batches, shout, source

from transforms.batches.stages import MapBatches, RunBatches
from transforms.record import reject_source

RUNNER = "FnApiRunner"


def shouting() -> RunBatches:
    return RunBatches(load=Load("!"), apply=shout, name="Shout")


class TestRunBatches:
    def test_equals_a_plain_loop(self):
        expected = [shout(one, "!") for one in batches()]
        with beam.Pipeline(RUNNER) as pipeline:
            out = pipeline | beam.Create(batches()) | "Shout" >> shouting()
            assert_that(out, equal_to(expected))

    def test_counts_each_outcome(self):
        pipeline = beam.Pipeline(RUNNER)
        earlier = reject_source(source(9), stage="read", reason="not_an_image")
        with_reject = dataclasses.replace(batches()[0], rejects=(earlier,))
        _ = pipeline | beam.Create([with_reject]) | "Shout" >> shouting()
        result = pipeline.run()
        result.wait_until_finish()
        found = result.metrics().query(MetricsFilter().with_namespace("Shout"))
        counters = {c.key.metric.name: c.committed for c in found["counters"]}
        assert counters["records"] == 2
        assert counters["rejected_model_failed"] == 1
        assert "rejected_not_an_image" not in counters
        latencies = {d.key.metric.name for d in found["distributions"]}
        assert "inference_batch_latency_micro_secs" in latencies

    def test_a_fault_of_the_program_stops_the_run(self):
        broken = RunBatches(load=Load("?"), apply=raise_key_error, name="Broken")
        with pytest.raises(Exception, match="no such thing"):
            run(broken)


class TestMapBatches:
    def test_maps_and_counts(self):
        function = functools.partial(shout, suffix="?")
        pipeline = beam.Pipeline(RUNNER)
        out = pipeline | beam.Create(batches()) | "Shout" >> MapBatches(function, "Shout")
        assert_that(out, equal_to([function(one) for one in batches()]))
        result = pipeline.run()
        result.wait_until_finish()
        found = result.metrics().query(MetricsFilter().with_namespace("Shout"))
        assert {c.key.metric.name: c.committed for c in found["counters"]} == {
            "records": 3,
            "rejected_model_failed": 1,
        }


def raise_key_error(one, model):
    raise KeyError("no such thing")


def run(transform):
    with beam.Pipeline(RUNNER) as pipeline:
        _ = pipeline | beam.Create(batches()) | "Stage" >> transform
