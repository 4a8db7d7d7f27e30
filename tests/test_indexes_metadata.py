"""Memory-mapped metadata: they say what the parts say, and are checked like the rest."""

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.index import DESCRIPTION, MARK, build_index, part_contents, unit_vectors

from indexes import metadata
from indexes.checks import check_index
from indexes.folder import open_index
from indexes.layout import LAYOUT_VERSION, IndexFolderError, Part
from indexes.life_cycle import begin_index, finish_index
from indexes.metadata import EARLIER_SCHEMA, MetadataTable, map_metadata, metadata_batches
from indexes.parts import LATER_COLUMNS, METADATA_SCHEMA, PartContents, write_part

FILES = ["metadata.arrow", "keys.npy", "captions.npy"]


@pytest.fixture
def folder(tmp_path, pool):
    return build_index(tmp_path / "index", [pool[:5], [], pool[5:]]).folder


def as_of_version_2(folder):
    """Makes the index one that was finished before there were mapped metadata."""
    path = folder / "pairloom.json"
    content = json.loads(path.read_text())
    content["version"] = 2
    for name in FILES:
        (folder / "lookup" / name).unlink()
        content["files"].pop(f"lookup/{name}")
    (folder / "lookup").rmdir()
    path.write_text(json.dumps(content))


def told(index):
    return (
        index.rows(range(len(index))),
        index.keys(),
        index.captions(3, 8),
        [index.find(key) for key in ("red-18-18", "blue-46-46", "none")],
        index.rows_with_caption("a red disc on the left"),
        [(index.key(row), index.content(row)) for row in (0, 4, 5, 11)],
    )


def test_an_index_of_an_earlier_version_answers_the_same(folder):
    now = told(open_index(folder))
    as_of_version_2(folder)
    before = open_index(folder)
    assert told(before) == now
    assert check_index(folder).problems == []
    assert finish_index(folder, parts=3)["version"] == LAYOUT_VERSION
    assert told(open_index(folder)) == now


def as_of_version_3(folder, parts=range(3)):
    """Makes some parts, and the mapped metadata, those of a layout without the later columns."""
    for number in parts:
        path = Part(number, 3).metadata_path(folder)
        pq.write_table(pq.read_table(path).drop_columns([*LATER_COLUMNS]), path)
    path = folder / "lookup" / "metadata.arrow"
    batches = [batch.select(EARLIER_SCHEMA.names) for batch in map_metadata(path)]
    with (folder / "earlier").open("wb") as file, pa.ipc.new_file(file, EARLIER_SCHEMA) as writer:
        for batch in batches:
            writer.write_batch(batch)
    (folder / "earlier").replace(path)
    content = json.loads((folder / "pairloom.json").read_text())
    content.pop("files")
    (folder / "pairloom.json").write_text(json.dumps({**content, "version": 3}))


def test_an_index_without_the_later_columns_answers_the_same(folder):
    now = told(open_index(folder))
    as_of_version_3(folder)
    index = open_index(folder)
    assert told(index) == now
    assert {(row.language, row.similarity) for row in index.rows(range(12))} == {(None, None)}
    assert check_index(folder).problems == []


def test_an_index_that_was_begun_before_the_later_columns_is_gone_on_with(tmp_path, pool):
    said = [dataclasses.replace(each, language="en", similarity=0.3) for each in pool]
    folder = build_index(tmp_path / "index", [said[:5], [], said[5:]]).folder
    as_of_version_3(folder, parts=[0])
    assert finish_index(folder, parts=3)["version"] == LAYOUT_VERSION
    rows = open_index(folder).rows(range(12))
    assert [row.language for row in rows] == [None] * 5 + ["en"] * 7
    assert [row.similarity for row in rows] == [None] * 5 + [0.3] * 7
    assert check_index(folder).problems == []


def test_batches_change_no_answer_and_the_file_is_the_same_again(folder, monkeypatch):
    one = told(open_index(folder))
    files = {name: (folder / "lookup" / name).read_bytes() for name in FILES}
    finish_index(folder, parts=3)
    assert files == {name: (folder / "lookup" / name).read_bytes() for name in FILES}
    monkeypatch.setattr(metadata, "BATCH_ROWS", 4)
    finish_index(folder, parts=3)
    batches = map_metadata(folder / "lookup" / "metadata.arrow")
    assert [batch.num_rows for batch in batches] == [4, 4, 4]
    assert told(open_index(folder)) == one
    assert check_index(folder).problems == []


def test_rows_come_in_the_order_that_is_asked_for(folder):
    batches = [*metadata_batches(folder, [Part(0, 3), Part(2, 3)])]
    table = MetadataTable([batches[0].slice(0, 5), batches[0].slice(5)])
    keys = [key for batch in table.texts("key", 0, 12) for key in batch]
    assert [row["key"] for row in table.rows([11, 0, 4, 5, 4])] == [
        keys[row] for row in (11, 0, 4, 5, 4)
    ]
    assert [len(batch) for batch in table.texts("key", 4, 7)] == [1, 2]
    assert table.rows([]) == []
    for row in (-1, 12):
        with pytest.raises(IndexError, match=r"rows must be in \[0, 12\)"):
            table.rows([3, row])
        with pytest.raises(IndexError, match=r"rows must be in \[0, 12\)"):
            table.text("key", row)


def test_metadata_are_mapped_and_not_held(tmp_path, pool):
    (entry,) = part_contents(pool[:1]).metadata
    begin_index(tmp_path, DESCRIPTION)
    rows = 20_000
    contents = PartContents(
        metadata=[
            dataclasses.replace(entry, key=f"k{number}", alt_text="long " * 50)
            for number in range(rows)
        ],
        embeddings=np.resize(unit_vectors(50), (rows, 16)),
        structures=np.zeros((rows, 256), np.uint8),
    )
    write_part(tmp_path, Part(0, 1), contents, fingerprint=MARK)
    finish_index(tmp_path, parts=1)
    before = pa.total_allocated_bytes()
    index = open_index(tmp_path)
    assert index.row(19_999).key == "k19999"
    assert index.find("k777") == 777
    assert pa.total_allocated_bytes() - before < 100_000


def rewritten(folder, change):
    """The Arrow file written anew from what `change` makes of its batch."""
    (batch,) = metadata_batches(folder, [Part(number, 3) for number in range(3)])
    path = folder / "lookup" / "metadata.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, METADATA_SCHEMA) as writer:
        writer.write_batch(change(batch))


def without_sums(folder):
    path = folder / "pairloom.json"
    content = json.loads(path.read_text())
    content.pop("files")
    path.write_text(json.dumps(content))


def with_wild_offsets(batch):
    column = batch.column("caption")
    places = np.frombuffer(column.buffers()[1], dtype=np.int32).copy()
    places[3] = 1 << 30
    wild = pa.StringArray.from_buffers(12, pa.py_buffer(places), column.buffers()[2])
    return batch.set_column(1, METADATA_SCHEMA.field("caption"), wild)


def with_other_key(batch):
    keys = [*batch.column("key").to_pylist()[:-1], "another"]
    return batch.set_column(3, METADATA_SCHEMA.field("key"), pa.array(keys))


@pytest.mark.parametrize("change", [with_other_key, with_wild_offsets, lambda b: b.slice(0, 11)])
def test_metadata_that_say_something_else_are_found_without_hashes(folder, change):
    without_sums(folder)
    rewritten(folder, change)
    assert any("metadata.arrow" in line for line in check_index(folder).problems)


def test_texts_outside_the_file_are_refused_where_they_are_read(folder):
    without_sums(folder)
    rewritten(folder, with_wild_offsets)
    with pytest.raises(IndexFolderError, match="texts inside itself"):
        open_index(folder).row(0)


@pytest.mark.parametrize("name", ["keys.npy", "captions.npy"])
def test_rows_by_hash_that_are_others_are_found_without_hashes(folder, name):
    without_sums(folder)
    path = folder / "lookup" / name
    table = np.load(path)
    np.save(path, table[:, ::-1])
    assert any(name in line for line in check_index(folder).problems)
    np.save(path, table[:, 1:])
    index = open_index(folder)
    find = index.find if name == "keys.npy" else index.rows_with_caption
    with pytest.raises(IndexFolderError, match="must hold 2 times 12"):
        find("a")
