import dataclasses
import functools
import os
import pickle
import random
import threading

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from fakes import records
from fakes.folders import hashes

from indexes.fence import FencedError, take_turn
from transforms import write
from transforms.dataset.files import OutputError, hash_file, write_columns, write_table
from transforms.dataset.pair_rows import fetch_both, fetch_by_turns
from transforms.dataset.rows import (
    light_query,
    query_to_row,
    row_to_pair,
    row_to_query,
    row_to_reject,
)
from transforms.dataset.schema import CANDIDATES
from transforms.dataset.shard_contents import ContentsError, shard_contents, tabulate
from transforms.dataset.shards import KINDS, load_receipt, read_receipts, shard_file, whole_shard
from transforms.record import Batch

COUNTS = (10, 0, 7)


def everything(counts=COUNTS):
    finished, considered = [], []
    for number, count in enumerate(counts):
        done, asked = records.batches(f"s{number}", count)
        finished += done
        considered += asked
    return finished, considered


def run_beam(folder, finished, considered, shards=None, source=None):
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        inputs = (
            pipeline | "Finished" >> beam.Create(finished),
            pipeline | "Considered" >> beam.Create(considered),
        )
        receipts = inputs | "Write" >> write.Write(
            folder=str(folder),
            shards=shards or records.output_shards(*COUNTS),
            source=source or records.FakeSource(),
            pool=records.FakeSource(),
            configuration_hash=records.HASH,
        )
        numbers = receipts | beam.Map(lambda receipt: receipt.number)
        assert_that(numbers, equal_to(list(range(len(shards or COUNTS)))))
    return pipeline.result


def tables(batches):
    return [tabulate(batch.records) for batch in batches]


def write_plainly(folder, shard, *, count=None, **changes):
    finished, considered = records.batches(shard.name, shard.sources if count is None else count)
    arguments = {
        "considered": tables(considered),
        "open_source": records.FakeSource().open,
        "open_target": records.FakeSource().open,
        "configuration_hash": records.HASH,
    }
    return write.write_shard(folder, shard, finished, **{**arguments, **changes})


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    for shard in records.output_shards(*COUNTS):
        write_plainly(folder, shard)
    return folder


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_beam_writes_the_bytes_of_a_plain_loop_in_any_order(tmp_path, plain, seed):
    finished, considered = everything()
    if seed is not None:
        random.Random(seed).shuffle(finished)
        random.Random(seed + 10).shuffle(considered)
    run_beam(tmp_path, finished, considered)
    assert hashes(tmp_path) == hashes(plain)
    assert len(hashes(plain)) == 4 * len(COUNTS)


def test_beam_counts_what_was_written_and_what_was_not(tmp_path):
    finished, considered = everything()
    gone = records.FakeSource(gone=("picture-1",))
    result = run_beam(tmp_path, finished, considered, source=gone)
    counters = {
        each.key.metric.name: each.committed
        for each in result.metrics().query()["counters"]
        if each.key.metric.namespace == "Write"
    }
    assert counters == {"records": 9, "rejected_picture_gone": 2}


def test_batch_sizes_leave_no_trace(tmp_path, plain):
    shard = records.output_shards(*COUNTS)[0]
    finished, considered = records.batches("s0", 10, size=3)
    write_plainly(tmp_path, shard, considered=tables(considered))
    for kind in KINDS:
        name = shard_file(kind, shard)
        assert hash_file(tmp_path / name) == hash_file(plain / name)
    assert len(finished) == 4


@pytest.mark.parametrize("size", [1, 4, 10])
def test_rows_and_columns_are_written_as_the_same_bytes(tmp_path, size):
    queries = [records.query(n) for n in range(10)]
    rows = write_table(tmp_path / "rows", CANDIDATES, map(query_to_row, queries), row_group=3)
    parts = [tabulate(queries[start : start + size]) for start in range(0, 10, size)]
    columns = write_columns(tmp_path / "columns", pa.concat_tables(parts), row_group=3)
    assert (rows.rows, rows.sha256) == (10, columns.sha256)
    assert pq.read_metadata(tmp_path / "columns").num_row_groups == 4


def test_rows_are_the_records_sorted(plain):
    shard = records.output_shards(*COUNTS)[0]
    finished, considered = records.batches("s0", 10)
    contents = shard_contents(finished, tables(considered))
    table = {kind: pq.read_table(plain / shard_file(kind, shard)).to_pylist() for kind in KINDS}
    assert tuple(map(row_to_pair, table["pairs"])) == contents.examples
    assert tuple(map(row_to_reject, table["rejects"])) == contents.rejects
    assert table["candidates"] == contents.queries.to_pylist()
    queries = {query.key: query for batch in considered for query in batch.records}
    for query in map(row_to_query, table["candidates"]):
        assert light_query(query) == light_query(queries.pop(query.key))
        assert query.candidates
    assert not queries
    assert [row["source_position"] for row in table["pairs"]] == [0, 1, 2, 5, 6, 8]
    assert [row["position"] for row in table["rejects"]] == [3, 4, 7, 9]
    assert [row["source_position"] for row in table["candidates"]] == [0, 1, 2, 3, 5, 6, 7, 8]
    for row in table["pairs"]:
        position = row["source_position"]
        assert row["input_image"]["bytes"] == records.picture(position)
        assert row["edited_image"]["bytes"] == records.picture(1000 + position)


def test_receipts_count_what_became_of_the_sources(plain):
    receipt, empty, _ = read_receipts(plain)
    assert receipt.problems() == []
    assert (receipt.number, receipt.of, receipt.name) == (0, 3, "s0")
    assert receipt.counts.sources == 10
    assert receipt.counts.sources_with_pairs == receipt.counts.pairs == 6
    assert receipt.counts.sources_without_pairs == 4
    assert receipt.counts.queries == 8
    assert receipt.counts.rejects == {"read": {"not_an_image": 2}, "select": {"too_far": 2}}
    assert empty.counts.sources == 0
    assert [file.rows for file in empty.files] == [0, 0, 0]


def test_several_edits_of_a_source_are_counted_once():
    batch = Batch("s0", 0, (records.example(1, 1), records.example(1, 0)))
    counts = write.count_contents(shard_contents([batch]))
    assert (counts.sources, counts.sources_with_pairs, counts.queries, counts.pairs) == (1, 1, 2, 2)
    assert [each.query.number for each in shard_contents([batch]).examples] == [0, 1]


def test_what_is_shuffled_holds_no_pictures():
    finished, considered = records.batches("s0", 4)
    heavy = finished[0].records[0].query.source.image
    light = pickle.dumps((write.pack_finished(finished[0]), write.pack_considered(considered[0])))
    assert heavy in pickle.dumps(finished[0])
    assert heavy not in light
    example = write.light_finished(finished[0]).records[0]
    assert example.query.candidates == ()
    assert example.source_mask == finished[0].records[0].source_mask


def test_two_records_with_one_key_are_refused(tmp_path):
    twice = Batch("s0", 0, (records.example(1), records.example(1)))
    with pytest.raises(ContentsError, match=r"more than one outcome of \(1, 0, 's0-key-1'\)"):
        shard_contents([twice])
    reject = records.a_reject(key="s0-key-1", position=1, number=0)
    with pytest.raises(ContentsError, match="more than one outcome"):
        shard_contents([Batch("s0", 0, (records.example(1),), (reject,))])
    with pytest.raises(ContentsError, match="more than one query"):
        shard_contents([Batch("s0", 0, (records.example(1),))], [tabulate([records.query(1)])] * 2)


def test_a_query_that_ended_nowhere_is_noticed():
    with pytest.raises(ContentsError, match=r"\(2, 0, 's0-key-2'\) did not"):
        shard_contents(
            [Batch("s0", 0, (records.example(1),))],
            [tabulate([records.query(1), records.query(2)])],
        )


def test_a_lost_source_is_noticed_before_anything_is_written(tmp_path):
    shard = dataclasses.replace(records.output_shards(10)[0], sources=11)
    with pytest.raises(ContentsError, match=r"shard s0: 11 sources must .* 10 did"):
        write_plainly(tmp_path, shard, count=10)
    assert list(tmp_path.iterdir()) == []


def test_batches_of_an_unknown_shard_are_refused(tmp_path):
    finished, considered = everything((3,))
    shards = [dataclasses.replace(records.output_shards(3)[0], name="other", sources=None)]
    with pytest.raises(Exception, match="of one output shard, s0 is of 0"):
        run_beam(tmp_path, finished, considered, shards=shards)


def test_a_picture_that_is_gone_or_changed_becomes_a_reject(tmp_path):
    shard = records.output_shards(10)[0]

    def changed(reference):
        return records.FakeSource().open("picture-1" if reference == "picture-1002" else reference)

    gone = records.FakeSource(gone=("picture-1",))
    receipt = write_plainly(tmp_path, shard, open_source=gone.open, open_target=changed)
    assert receipt.problems() == []
    assert receipt.counts.rejects["write"] == {"picture_gone": 2}
    assert receipt.counts.pairs == 4
    assert receipt.counts.sources == 10
    rows = pq.read_table(tmp_path / shard_file("rejects", shard)).to_pylist()
    details = {row["position"]: row["detail"] for row in rows if row["stage"] == "write"}
    assert details[1] == "picture-1: gone"
    assert details[2].startswith("picture-1002 has changed: SHA-256 must be ")
    assert [row["position"] for row in rows] == sorted(row["position"] for row in rows)


def test_an_old_receipt_never_vouches_for_new_files(tmp_path):
    shard = records.output_shards(10)[0]
    write_plainly(tmp_path, shard)
    assert whole_shard(tmp_path, shard, records.HASH)
    with pytest.raises(KeyboardInterrupt):
        write_plainly(tmp_path, shard, open_target=interrupted)
    assert whole_shard(tmp_path, shard, records.HASH) is None
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".parquet"] * 3


def interrupted(*_):
    raise KeyboardInterrupt


def test_a_file_that_cannot_be_written_is_one_error_and_leaves_no_receipt(tmp_path):
    shard = records.output_shards(10)[0]
    taken = functools.partial(write_plainly, tmp_path, shard)
    (tmp_path / shard_file("candidates", shard)).mkdir()
    with pytest.raises(OutputError, match=r"candidates-00000-of-00001\.parquet: Is a directory"):
        taken()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {shard_file(kind, shard) for kind in KINDS}


def test_the_receipt_describes_the_files(plain):
    receipt = load_receipt(plain / "shard-00002-of-00003.json")
    for file in receipt.files:
        path = plain / file.name
        assert file.bytes == path.stat().st_size
        assert file.sha256 == hash_file(path)
        assert file.rows == pq.read_metadata(path).num_rows


def test_a_run_that_is_over_changes_nothing_of_the_next_ones_shard(tmp_path):
    over = take_turn(tmp_path)
    shard = records.output_shards(*COUNTS)[0]
    next_run = []

    finished, considered = records.batches(shard.name, shard.sources)
    contents = shard_contents(finished, tables(considered))
    opened = records.FakeSource().open

    def take_over(examples):
        """Fetches pictures; before the first the next run comes and writes the shard."""
        next_run.append(take_turn(tmp_path))
        write_plainly(tmp_path, shard, configuration_hash="other", fence=next_run[0])
        one = functools.partial(fetch_both, open_source=opened, open_target=opened)
        return fetch_by_turns(examples, fetch=one)

    with pytest.raises(FencedError, match="run 1 is over"):
        write.write_contents(
            tmp_path, shard, contents, fetch=take_over, configuration_hash="this", fence=over
        )
    receipt = whole_shard(tmp_path, shard, "other")
    assert [hash_file(tmp_path / file.name) for file in receipt.files] == [
        file.sha256 for file in receipt.files
    ]
    before = hashes(tmp_path)
    with pytest.raises(FencedError):
        write_plainly(tmp_path, shard, fence=over)
    assert hashes(tmp_path) == before


@pytest.mark.skipif(os.cpu_count() == 1, reason="there are as many threads as cores")
def test_several_pictures_are_opened_at_a_time(tmp_path, plain):
    shard = records.output_shards(*COUNTS)[0]
    both = threading.Barrier(2, timeout=60)
    first_two = iter((both, both))  # a third thread must not wait: nobody would come to it

    def open_source(reference):
        barrier = next(first_two, None)
        if barrier is not None:
            barrier.wait()
        return records.FakeSource().open(reference)

    write_plainly(tmp_path, shard, open_source=open_source)
    assert hashes(tmp_path)
    assert hashes(tmp_path).items() <= hashes(plain).items()
