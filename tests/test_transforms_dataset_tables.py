"""Tables by rows, columns, groups and positions: however they are read, the rows are the same."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.dataset import tables
from transforms.dataset.earlier_files import read_columns
from transforms.dataset.tables import ShardedTable, ShardFile


def write_table(folder, shards):
    """A table with a running number `n`; `shards` are the sizes of the row groups of each."""
    shard_files, first = [], 0
    for number, groups in enumerate(shards):
        path = Path(folder) / f"{number}.parquet"
        schema = pa.schema([("n", pa.int64()), ("word", pa.string())])
        with pq.ParquetWriter(path, schema) as writer:
            for rows in groups:
                numbers = list(range(first, first + rows))
                words = [f"word {n}" for n in numbers]
                writer.write_table(pa.table({"n": numbers, "word": words}, schema))
                first += rows
        shard_files.append(ShardFile(path, sum(groups)))
    return ShardedTable(shard_files), first


LAYOUTS = st.lists(st.lists(st.integers(1, 5), max_size=4), max_size=4)


@settings(max_examples=40, deadline=None)
@given(layout=LAYOUTS, data=st.data())
def test_however_it_is_read_the_rows_are_the_same(layout, data):
    with tempfile.TemporaryDirectory() as folder:
        table, total = write_table(folder, layout)
        every = [{"n": n, "word": f"word {n}"} for n in range(total)]
        assert len(table) == total
        assert list(table.rows()) == every
        by_group = [row for group in table.row_groups() for row in group.read().to_pylist()]
        assert by_group == every
        by_file = [row for file in table.files for row in file.read().to_pylist()]
        assert by_file == every
        batches = list(table.batches(["word", "n"]))
        assert [n for _, batch in batches for n in batch["n"]] == list(range(total))
        assert all(first == batch["n"][0] for first, batch in batches)
        if not total:
            return
        positions = data.draw(st.lists(st.integers(0, total - 1), max_size=20))
        assert table.take(positions) == [every[position] for position in positions]
        ascending = sorted(set(positions))
        assert list(table.rows(["n"], positions=ascending)) == [{"n": n} for n in ascending]
        place = data.draw(st.integers(0, total - 1))
        group, first = table.find_row_group(place)
        assert group.read(["n"])["n"].to_pylist()[place - first] == place
        assert table.column_ranges(["n"]) == {"n": (0, total - 1)}


def test_row_groups_without_a_wanted_row_are_not_read(tmp_path, monkeypatch):
    table, _ = write_table(tmp_path, [[5, 5, 5], [5], [5, 5]])
    opened, read = [], []

    def read_watched(shard, path, number, columns):
        opened.append(path.name)
        read.append(number)
        return read_columns(shard, path, number, columns)

    monkeypatch.setattr(tables, "read_columns", read_watched)
    assert [row["n"] for row in table.take([29, 7, 11, 6], ["n"])] == [29, 7, 11, 6]
    assert opened == ["0.parquet", "0.parquet", "2.parquet"]
    assert read == [1, 2, 1]


def test_batches_of_many_rows_are_limited(tmp_path, monkeypatch):
    table, total = write_table(tmp_path, [[5, 5, 3], [4]])
    monkeypatch.setattr(tables, "ROWS_AT_ONCE", 6)
    batches = list(table.batches(["n"]))
    assert [(first, len(batch["n"])) for first, batch in batches] == [
        *((0, 6), (6, 6), (12, 1)),
        (13, 4),
    ]
    assert total == 17


@pytest.mark.parametrize("positions", [[-1], [0, 13], [13]])
def test_positions_outside(tmp_path, positions):
    table, _ = write_table(tmp_path, [[5, 5], [3]])
    with pytest.raises(IndexError, match=r"position must be in \[0, 13\), got"):
        table.take(positions)
    with pytest.raises(IndexError, match=r"position must be in \[0, 13\), got"):
        table.find_row_group(13)


@pytest.mark.parametrize("positions", [[1, 0], [2, 2]])
def test_positions_that_do_not_ascend(tmp_path, positions):
    table, _ = write_table(tmp_path, [[5]])
    with pytest.raises(ValueError, match="positions must ascend"):
        list(table.rows(positions=positions))
