from functools import partial

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from indexes.fence import take_turn
from pipelines.running.spreading import Spread, hands_out_shards, slots_of


def cut(shard):
    return [f"{shard}{number}" for number in range(3)]


def is_whole(shard, *, whole):
    return shard in whole


@pytest.mark.parametrize("parallelism", [-1, 1, 2, 8])
@pytest.mark.parametrize("whole", [(), ("b",), ("a", "b", "c")])
def test_all_batches_of_what_is_not_whole_are_handed_out(tmp_path, parallelism, whole):
    fence = take_turn(tmp_path)
    options = PipelineOptions([f"--parallelism={parallelism}"])
    with beam.Pipeline(runner=FnApiRunner(), options=options) as pipeline:
        batches = pipeline | Spread(
            ["a", "b", "c"], cut, is_whole=partial(is_whole, whole=whole), fence=fence
        )
        wanted = [batch for shard in "abc" if shard not in whole for batch in cut(shard)]
        assert_that(batches, equal_to(wanted))
    assert fence.has_begun()


@pytest.mark.parametrize("parallelism", [-1, 8])
def test_a_run_that_is_over_hands_nothing_out(tmp_path, parallelism):
    over = take_turn(tmp_path)
    take_turn(tmp_path)
    options = PipelineOptions([f"--parallelism={parallelism}"])
    with beam.Pipeline(runner=FnApiRunner(), options=options) as pipeline:
        assert_that(pipeline | Spread(["a", "b"], cut, fence=over), equal_to([]))


@pytest.mark.parametrize(
    ("shards", "slots", "whole"),
    [(1, None, True), (1, 1, True), (7, 2, False), (8, 2, True), (399, 100, False)],
)
def test_few_shards_are_handed_out_batch_by_batch(shards, slots, whole):
    assert hands_out_shards(shards, slots) is whole


@pytest.mark.parametrize(("flag", "slots"), [("-1", None), ("0", None), ("3", 3)])
def test_slots_are_what_the_flags_say(flag, slots):
    pipeline = beam.Pipeline(
        runner=FnApiRunner(), options=PipelineOptions([f"--parallelism={flag}"])
    )
    assert slots_of(pipeline) == slots


def count_looks(shard, *, folder):
    with (folder / shard).open("a") as file:
        file.write("x")
    return False


def test_a_worker_looks_at_a_shard_now_and_then_and_not_for_every_batch(tmp_path):
    options = PipelineOptions(["--parallelism=8"])
    with beam.Pipeline(runner=FnApiRunner(), options=options) as pipeline:
        batches = pipeline | Spread(["a", "b"], range_of, partial(count_looks, folder=tmp_path))
        assert_that(batches | beam.combiners.Count.Globally(), equal_to([2000]))
    looks = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert looks.keys() == {"a", "b"}
    assert max(looks.values()) < 100


def range_of(shard):
    return range(1000)
