import dataclasses
import errno
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fakes import records
from fakes.disk import files_of_at_most, refused_files

from transforms.dataset import files, rows, schema, shards
from transforms.dataset.files import OutputError

SHARD = shards.OutputShard(2, 12, "s2")


def reject_rows(count):
    return (rows.reject_to_row(records.a_reject(position=n, key=f"k{n}")) for n in range(count))


def test_names():
    assert shards.shard_file("pairs", SHARD) == "pairs-00002-of-00012.parquet"
    assert shards.receipt_file(SHARD) == "shard-00002-of-00012.json"
    for kind in shards.KINDS:
        assert shards.is_shard_file(shards.shard_file(kind, SHARD))
    assert shards.is_shard_file(shards.receipt_file(SHARD))
    for other in ("README.md", "pairs-2.parquet", "xpairs-00002-of-00012.parquet", "notes.json"):
        assert not shards.is_shard_file(other)


@pytest.mark.parametrize("number", [-1, 12])
def test_a_shard_number_must_be_below_the_count(number):
    with pytest.raises(ValueError, match=f"got {number}"):
        shards.OutputShard(number, 12, "s")


def test_tables_are_cut_into_row_groups_and_described(tmp_path):
    path = tmp_path / "rejects.parquet"
    receipt = files.write_table(path, schema.REJECTS, reject_rows(250))
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [
        100,
        100,
        50,
    ]
    data = path.read_bytes()
    assert receipt == files.FileReceipt(path.name, 250, len(data), files.hash_file(path))
    assert [path.name for path in tmp_path.iterdir()] == ["rejects.parquet"]


class CountedRow(dict):
    """A row that is counted as long as it lives."""

    alive = 0
    most_alive = 0

    def __init__(self, row):
        super().__init__(row)
        CountedRow.alive += 1
        CountedRow.most_alive = max(CountedRow.most_alive, CountedRow.alive)

    def __del__(self):
        CountedRow.alive -= 1


def test_two_row_groups_are_in_memory_at_most(tmp_path):
    counted = (CountedRow(row) for row in reject_rows(1000))
    receipt = files.write_table(tmp_path / "rejects.parquet", schema.REJECTS, counted)
    assert receipt.rows == 1000
    assert 100 <= CountedRow.most_alive <= 200
    assert CountedRow.alive == 0


def big_rows():
    for number in range(400):
        detail = bytes(str(number) * 50, "ascii").hex() + str(number**40)
        yield rows.reject_to_row(records.a_reject(position=number, key=f"{number**90}{detail}"))


def test_a_file_that_does_not_fit_is_one_error_and_leaves_nothing(tmp_path):
    path = tmp_path / "rejects.parquet"
    with files_of_at_most(20_000), pytest.raises(OutputError) as caught:
        files.write_table(path, schema.REJECTS, big_rows())
    assert str(caught.value) == f"cannot write {path}: File too large"
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_error_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "manifest.json"
    files.write_bytes(path, b"old")

    full = refused_files("manifest.json", errno.ENOSPC)
    with full, pytest.raises(OutputError, match=r"manifest\.json: No space left on device$"):
        files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_an_error_in_the_rows_leaves_nothing(tmp_path):
    def broken():
        yield from reject_rows(150)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        files.write_table(tmp_path / "rejects.parquet", schema.REJECTS, broken())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match=r"cannot write .*taken/pairs: Not a directory"):
        files.make_folder(tmp_path / "taken" / "pairs")
    with pytest.raises(OutputError, match=r"taken/file: Not a directory"):
        files.write_bytes(tmp_path / "taken" / "file", b"")


def test_temporary_names_are_known_again(tmp_path):
    with files.atomic_file(tmp_path / "pairs-00000-of-00001.parquet"):
        seen = [path.name for path in tmp_path.iterdir()]
    assert len(seen) == 1
    assert files.is_temporary_file(seen[0])
    assert not files.is_temporary_file("pairs-00000-of-00001.parquet")
    assert not files.is_temporary_file(".gitignore")


def counts(**changes):
    fields = {
        "sources": 3,
        "sources_with_pairs": 2,
        "sources_without_pairs": 1,
        "queries": 4,
        "pairs": 2,
        "source_rejects": 1,
        "query_rejects": 2,
        "rejects": {"read": {"empty": 1}, "select": {"too_far": 2}},
    }
    return shards.Counts(**{**fields, **changes})


def test_counts_add_up_and_say_where_they_do_not():
    assert counts().problems() == []
    assert (counts() + counts()).problems() == []
    assert (counts() + counts(rejects={"read": {"late": 3}})).rejects == {
        "read": {"empty": 1, "late": 3},
        "select": {"too_far": 2},
    }
    for name in ("sources", "queries", "pairs", "source_rejects", "sources_without_pairs"):
        problems = counts(**{name: 9}).problems()
        assert len(problems) == 1, name
        assert "9" in problems[0] or "10" in problems[0] or "11" in problems[0]


def receipt(folder):
    path = folder / shards.shard_file("pairs", SHARD)
    path.write_bytes(b"12345")
    made = shards.ShardReceipt(
        number=2,
        of=12,
        name="s2",
        configuration_hash="abc",
        counts=counts(),
        files=(files.FileReceipt(path.name, 2, 5, "00"),),
    )
    (folder / shards.receipt_file(SHARD)).write_bytes(files.dump_json(made.as_dict()))
    return made


def test_a_receipt_is_read_back_and_counts_its_rows(tmp_path):
    made = receipt(tmp_path)
    assert shards.read_receipts(tmp_path) == [made]
    assert made.problems() == ["shard 2: None rows of rejects in the files, 3 counted"]


def test_a_shard_is_whole_by_name_configuration_and_sizes(tmp_path):
    made = receipt(tmp_path)
    assert shards.whole_shard(tmp_path, SHARD, "abc") == made
    assert shards.whole_shard(tmp_path, SHARD, "abd") is None
    assert shards.whole_shard(tmp_path, dataclasses.replace(SHARD, name="s3"), "abc") is None
    assert shards.whole_shard(tmp_path, dataclasses.replace(SHARD, number=3), "abc") is None
    (tmp_path / shards.shard_file("pairs", SHARD)).write_bytes(b"1234")
    assert shards.whole_shard(tmp_path, SHARD, "abc") is None
    (tmp_path / shards.shard_file("pairs", SHARD)).unlink()
    assert shards.whole_shard(tmp_path, SHARD, "abc") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": []}', "null"])
def test_what_is_not_a_receipt_is_named(tmp_path, text):
    path = tmp_path / shards.receipt_file(SHARD)
    path.write_text(text)
    with pytest.raises(OutputError, match=r"shard-00002-of-00012\.json is not a shard receipt"):
        shards.load_receipt(path)


def test_a_receipt_of_another_schema_is_refused(tmp_path):
    receipt(tmp_path)
    path = Path(tmp_path / shards.receipt_file(SHARD))
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    with pytest.raises(OutputError, match="schema version must be 1, 2, 3 or 4, got 99"):
        shards.load_receipt(path)
