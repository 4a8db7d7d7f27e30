"""Beam writes batches down as they are, and guesses their size without writing them down."""

import apache_beam as beam
import pytest

from transforms.batches.beam_coder import BatchCoder
from transforms.batches.stages import MapBatches
from transforms.record import Batch, Reject

REJECT = Reject(key="k", shard="s", position=4, stage="read", reason="not_an_image")
BATCH = Batch("s", 3, records=(("a", b"picture"),), rejects=(REJECT,))


class Unpicklable:
    def __reduce__(self):
        raise AssertionError("it was encoded")


def test_a_batch_comes_back_as_it_was():
    coder = beam.coders.registry.get_coder(Batch)
    assert isinstance(coder, BatchCoder)
    assert coder.decode(coder.encode(BATCH)) == BATCH


def test_sizes_are_guessed_without_encoding():
    few, many = (Batch("s", 0, records=(Unpicklable(),) * n) for n in (1, 10))
    coder = beam.coders.registry.get_coder(Batch)
    assert 0 < coder.estimate_size(few) < coder.estimate_size(many)
    assert coder.get_impl().estimate_size(few) == coder.estimate_size(few)
    with pytest.raises(AssertionError):
        coder.encode(few)


def test_the_output_of_a_stage_is_written_by_it():
    pipeline = beam.Pipeline(runner="FnApiRunner")
    out = pipeline | beam.Create([BATCH]) | MapBatches(lambda batch: batch, "same")
    assert out.element_type is Batch
    assert isinstance(beam.coders.registry.get_coder(out.element_type), BatchCoder)
