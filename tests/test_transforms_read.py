import io
import tarfile
import tracemalloc

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that
from fakes.pictures import picture_bytes
from fakes.records import bare_source
from hypothesis import given
from hypothesis import strategies as st

from transforms.protocols import SourceShard
from transforms.read import Read, plan_batches, read_batches, read_span
from transforms.record import Reject
from transforms.sources.folder import FolderSource
from transforms.sources.img2dataset import Img2DatasetSource


class CountingSource:
    """Every seventh row is bad; notes which rows it was asked for."""

    def __init__(self):
        self.asked = []

    def read(self, shard):
        for row in range(shard.start, shard.stop):
            self.asked.append(row)
            if row % 7 == 3:
                yield Reject(
                    key=str(row), shard=shard.name, position=row, stage="read", reason="bad"
                )
            else:
                yield bare_source(key=str(row), shard=shard.name, position=row, reference=str(row))


@given(st.integers(0, 50), st.integers(0, 60), st.integers(1, 20))
def test_spans_cover_the_shard_and_one_pass_gives_the_same(start, length, size):
    shard = SourceShard("s", "list", start, start + length)
    spans = plan_batches(shard, size)
    assert [row for span in spans for row in range(span.start, span.stop)] == list(
        range(start, start + length)
    )
    assert [span.number for span in spans] == list(range(len(spans)))
    apart = [read_span(CountingSource(), span) for span in spans]
    assert apart == list(read_batches(CountingSource(), shard, size))
    assert all(len(b.records) + len(b.rejects) == size for b in apart[:-1])


def test_a_batch_of_bad_rows_is_still_a_batch():
    (batch,) = read_batches(CountingSource(), SourceShard("s", "list", 3, 4), 8)
    assert (batch.records, len(batch.rejects), batch.number) == ((), 1, 0)


def test_a_span_reads_its_own_rows_only():
    source = CountingSource()
    read_span(source, plan_batches(SourceShard("s", "list", 0, 100), 10)[4])
    assert source.asked == list(range(40, 50))


def test_batch_size_is_checked():
    shard = SourceShard("s", "list", 0, 4)
    with pytest.raises(ValueError, match="batch_size must be >= 1, got 0"):
        plan_batches(shard, 0)
    with pytest.raises(ValueError, match="batch_size must be >= 1, got 0"):
        next(read_batches(CountingSource(), shard, 0))


def test_the_stage_equals_a_plain_loop(tmp_path):
    for number in range(11):
        (tmp_path / f"{number:02d}.png").write_bytes(picture_bytes(number, size=(20, 20)))
    (tmp_path / "05.png").write_bytes(b"no picture")
    source = FolderSource(str(tmp_path), shard_size=6)
    spans = [span for shard in source.shards() for span in plan_batches(shard, 4)]
    expected = [b for shard in source.shards() for b in read_batches(source, shard, 4)]

    def same(found):
        assert sorted(found, key=lambda b: (b.shard, b.number)) == expected
        assert sum(len(batch.records) for batch in found) == 10

    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        assert_that(pipeline | beam.Create(spans[::-1]) | Read(source), same)


FILE = np.random.default_rng(0).bytes(250_000)  # no picture: only the reading is looked at


def test_a_tar_is_never_in_memory(tmp_path):
    with tarfile.open(tmp_path / "00000.tar", "w") as tar:
        for number in range(40):
            member = tarfile.TarInfo(f"{number:09d}.png")
            member.size = len(FILE)
            tar.addfile(member, io.BytesIO(FILE))
    source = Img2DatasetSource(str(tmp_path))
    tracemalloc.start()
    try:
        (shard,) = source.shards()
        assert sum(1 for _ in source.read(shard)) == 40
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(FILE)


def test_of_a_parquet_file_one_row_group_is_in_memory(tmp_path):
    rows = {"key": [f"{i:09d}" for i in range(40)], "png": [FILE] * 40}
    pq.write_table(pa.table(rows), tmp_path / "00000.parquet", row_group_size=4)
    source = Img2DatasetSource(str(tmp_path))
    (shard,) = source.shards()
    before = pa.total_allocated_bytes()
    seen = [pa.total_allocated_bytes() - before for _ in source.read(shard)]
    assert len(seen) == 40
    assert max(seen) < 16 * len(FILE)
