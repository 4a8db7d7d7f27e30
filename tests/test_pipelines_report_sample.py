"""The sample is stable, fair to every group, and bounded."""

import random
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.marks.strata import draw_number
from pipelines.report.sample import fetch_rows, sample_places
from transforms.dataset.tables import ShardedTable, ShardFile


def write_shards(folder, records, shards=2):
    """A table of shards with columns key and kind, a few rows a row group."""
    files = []
    for number in range(shards):
        part = records[number::shards]
        path = folder / f"pairs-{number:05d}-of-{shards:05d}.parquet"
        table = pa.table({"key": [k for k, _ in part], "kind": [kind for _, kind in part]})
        pq.write_table(table, path, row_group_size=7)
        files.append(ShardFile(path, len(part)))
    return ShardedTable(files)


@pytest.fixture
def records():
    return [(f"key-{n}", "rare" if n % 50 == 0 else "common") for n in range(500)]


def test_groups_share_the_sample_evenly(tmp_path, records):
    table = write_shards(tmp_path, records)
    places = sample_places(table, 16, seed=1, columns=["kind"])
    kinds = Counter(row["kind"] for row in fetch_rows(table, places, ["kind"]))
    assert kinds == {"common": 8, "rare": 8}


def test_a_small_group_leaves_its_share_to_the_others(tmp_path, records):
    table = write_shards(tmp_path, records)
    places = sample_places(table, 40, seed=1, columns=["kind"])
    kinds = Counter(row["kind"] for row in fetch_rows(table, places, ["kind"]))
    assert kinds == {"common": 30, "rare": 10}


def test_the_sample_depends_on_seed_and_keys_alone(tmp_path, records):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    shuffled = random.Random(3).sample(records, len(records))
    first = sample_places(write_shards(tmp_path / "a", records), 20, seed=5, columns=["kind"])
    other = write_shards(tmp_path / "b", shuffled, shards=5)
    second = sample_places(other, 20, seed=5, columns=["kind"])
    third = sample_places(other, 20, seed=6, columns=["kind"])
    assert [p.key for p in first] == [p.key for p in second]
    assert [p.key for p in first] != [p.key for p in third]


def test_the_smallest_draws_are_taken(tmp_path, records):
    places = sample_places(write_shards(tmp_path, records), 9, seed=2, columns=[])
    keys = sorted((key for key, _ in records), key=lambda key: draw_number(2, key))
    assert [place.key for place in places] == keys[:9]


def test_rows_are_those_of_their_places(tmp_path, records):
    table = write_shards(tmp_path, records)
    places = sample_places(table, 60, seed=2, columns=[])
    rows = fetch_rows(table, places, ["key"])
    assert [row["key"] for row in rows] == [place.key for place in places]


def test_only_wanted_records_are_taken(tmp_path, records):
    table = write_shards(tmp_path, records)
    places = sample_places(table, 5, seed=2, columns=[], wanted={"key-3", "key-8"}.__contains__)
    assert {place.key for place in places} == {"key-3", "key-8"}


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_the_sample_is_never_larger_than_asked_or_than_there_is(tmp_path, records, count):
    places = sample_places(write_shards(tmp_path, records), count, seed=2, columns=["kind"])
    assert len(places) == min(count, len(records))
