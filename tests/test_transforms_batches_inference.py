"""Running models over batches: one load, fixed batches, guilty records found, outcomes counted."""

import dataclasses
import functools
import gc
import pickle
import platform
import resource
import weakref
from dataclasses import dataclass

import apache_beam as beam
import pytest
import torch
from apache_beam.metrics import MetricsFilter
from apache_beam.testing.util import assert_that, equal_to
from fakes.records import bare_source

from transforms.batches.inference import (
    MODEL_FAILED,
    BatchHandler,
    LoadedModel,
    MapBatches,
    RunBatches,
    bisect_failures,
    first_line,
    keep_memory,
    use_one_thread,
)
from transforms.record import Batch, EditExample, Reject, SourceImage, reject_source

RUNNER = "FnApiRunner"
loads: list[str] = []


def source(number: int, **fields) -> SourceImage:
    return bare_source(key=f"k{number}", position=number, reference=f"r{number}", **fields)


def batch(number: int, *records: SourceImage) -> Batch[SourceImage]:
    return Batch(shard="s", number=number, records=records)


@dataclass(frozen=True)
class Load:
    suffix: str

    def __call__(self) -> str:
        loads.append(self.suffix)
        return self.suffix


def shout(one: Batch[SourceImage], suffix: str) -> Batch[SourceImage]:
    """Captions every picture; a picture called "bad" is rejected."""

    def caption(records):
        if any(record.alt_text == "bad" for record in records):
            raise ValueError("cannot look at it\nsecond line")
        return [dataclasses.replace(r, caption=f"{r.alt_text}{suffix}") for r in records]

    records, rejects = bisect_failures(one.records, caption, reject_shout)
    return dataclasses.replace(one, records=tuple(records), rejects=(*one.rejects, *rejects))


def reject_shout(record: SourceImage, reason: str, detail: str) -> Reject:
    return reject_source(record, stage="shout", reason=reason, detail=detail)


def batches() -> list[Batch[SourceImage]]:
    return [
        batch(0, source(0, alt_text="a"), source(1, alt_text="bad"), source(2, alt_text="b")),
        batch(1, source(3, alt_text="c")),
        batch(2),
    ]


def handler(suffix: str = "!") -> BatchHandler:
    return BatchHandler(load=Load(suffix), apply=shout, name="Shout")


class TestBisectFailures:
    def test_every_record_gets_its_result_in_order_and_only_the_guilty_are_rejected(self):
        calls = []

        def work(numbers):
            calls.append(list(numbers))
            if 5 in numbers or 11 in numbers:
                raise RuntimeError("five or eleven")
            return [n * 10 for n in numbers]

        results, rejects = bisect_failures(
            range(20),
            work,
            lambda n, reason, detail: reject_shout(source(n), reason, detail),
            at_once=8,
        )
        assert results == [n * 10 for n in range(20) if n not in (5, 11)]
        assert [(r.position, r.reason, r.detail) for r in rejects] == [
            (5, MODEL_FAILED, "RuntimeError: five or eleven"),
            (11, MODEL_FAILED, "RuntimeError: five or eleven"),
        ]
        assert max(len(call) for call in calls) == 8

    def test_an_exception_that_is_not_named_passes_through(self):
        def work(numbers):
            raise KeyError("a fault of the program")

        with pytest.raises(KeyError):
            bisect_failures([1, 2], work, reject_shout)

    def test_a_result_too_few_is_noticed(self):
        with pytest.raises(AssertionError):
            bisect_failures([1, 2], lambda numbers: numbers[:1], reject_shout)

    def test_nothing_in_nothing_out(self):
        assert bisect_failures([], lambda numbers: numbers, reject_shout) == ([], [])

    def test_at_once_must_be_positive(self):
        with pytest.raises(ValueError, match="at least 1, got 0"):
            bisect_failures([1], lambda numbers: numbers, reject_shout, at_once=0)

    def test_a_message_without_words_still_names_the_kind(self):
        assert first_line(ValueError()) == "ValueError"
        assert first_line(ValueError("\n one \n two")) == "ValueError: one"


class TestBatchHandler:
    def test_loads_once_a_process_even_when_pickled_again(self):
        loads.clear()
        copies = [pickle.loads(pickle.dumps(handler("once"))) for _ in range(3)]
        models = {id(copy.load_model()) for copy in copies}
        assert loads == ["once"]
        assert len(models) == 1

    def test_what_to_load_must_be_a_value(self):
        @dataclass
        class Changeable:
            def __call__(self):
                return "model"

        with pytest.raises(TypeError, match="load must be hashable"):
            BatchHandler(load=Changeable(), apply=shout, name="Shout")

    def test_the_collector_is_spared_what_was_loaded(self):
        gc.unfreeze()
        handler("frozen").load_model()
        assert gc.get_freeze_count() > 1000
        gc.unfreeze()

    def test_the_loaded_model_can_be_referenced_weakly(self):
        loaded = handler("weak").load_model()
        assert isinstance(loaded, LoadedModel)
        assert weakref.ref(loaded)() is loaded

    def test_counts_the_pictures_bytes_without_pickling(self):
        one = batch(0, source(0, image=b"12345"), source(1))
        assert handler().get_num_bytes([one]) == 5
        assert handler().get_num_bytes([Batch("s", 0, (object(),))]) == 0

    def test_counts_the_bytes_of_an_example(self):
        example = EditExample(query=source(0, image=b"123"), target=None)  # type: ignore[arg-type]
        assert handler().get_num_bytes([Batch("s", 0, (example,))]) == 3

    def test_torch_is_held_to_one_thread(self):
        before = torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            use_one_thread()
            assert torch.get_num_threads() == 1
        finally:
            torch.set_num_threads(before)


class TestRunBatches:
    def test_equals_a_plain_loop(self):
        expected = [shout(one, "!") for one in batches()]
        with beam.Pipeline(RUNNER) as pipeline:
            out = pipeline | beam.Create(batches()) | "Shout" >> RunBatches(handler())
            assert_that(out, equal_to(expected))

    def test_counts_each_outcome(self):
        pipeline = beam.Pipeline(RUNNER)
        earlier = reject_source(source(9), stage="read", reason="not_an_image")
        with_reject = dataclasses.replace(batches()[0], rejects=(earlier,))
        _ = pipeline | beam.Create([with_reject]) | "Shout" >> RunBatches(handler())
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
        broken = BatchHandler(load=Load("?"), apply=raise_key_error, name="Broken")
        with pytest.raises(Exception, match="no such thing"):
            run(RunBatches(broken))


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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_memory_that_was_let_go_of_is_kept():
    keep_memory()
    bytearray(40_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        bytearray(40_000_000)  # 9765 pages
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 9765
