"""A source that is another one than when a job began: seen, told, and what is finished is left."""

import io
import json
import os
import shutil
import tarfile

import pytest
from fakes.command_line import add_picture, build_command, index_command, make_collection
from fakes.pictures import picture_bytes

from indexes.folder import open_index


@pytest.fixture
def pool(tmp_path):
    """Six pictures in a folder, three to a shard by `source`."""
    return make_collection(tmp_path / "pool")


@pytest.fixture
def source(tmp_path, pool):
    path = tmp_path / "source.yaml"
    path.write_text("{kind: folder, path: pool, shard_size: 3}\n")
    return path


def files_of(folder):
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def replace_picture(pool):
    """Another picture of the same name and size."""
    path = pool / "good-002.png"
    data = path.read_bytes()
    path.write_bytes(data[:-13] + b"\0" + data[-12:])


CHANGES = {
    "one more, first of all": (
        lambda pool: add_picture(pool, "aaa.png", picture_bytes(77)),
        "files: 1 more, first aaa.png",
    ),
    "one more with words": (
        lambda pool: add_picture(pool, "zzz.png", picture_bytes(77), "a red apple"),
        "files: 2 more, first zzz.png",
    ),
    "one that is no picture": (
        lambda pool: (pool / "new.doc").write_bytes(b"no picture"),
        "files: 1 more, first new.doc",
    ),
    "one fewer": (
        lambda pool: (pool / "good-004.png").unlink(),
        "files: 2 fewer, first good-004.png",
    ),
    "another picture": (replace_picture, "files: 1 other, first good-002.png"),
    "other words": (
        lambda pool: (pool / "good-001.txt").write_text("a green apple on the BUS"),
        "files: 1 other, first good-001.txt",
    ),
    "no words": (
        lambda pool: (pool / "good-001.txt").unlink(),
        "files: 1 fewer, first good-001.txt",
    ),
    "another name": (
        lambda pool: (pool / "good-000.png").rename(pool / "other.png"),
        "files: 1 more, 2 fewer, first good-000.png",
    ),
    "a name that is no text": (
        lambda pool: (pool / os.fsdecode(b"\xff\n.png")).write_bytes(picture_bytes(77)),
        "files: 1 more, first %FF%0A.png",
    ),
}


@pytest.fixture
def index(tmp_path, source):
    assert index_command(source, tmp_path / "index").code == 0
    return tmp_path / "index"


def test_a_finished_index_of_a_source_that_has_changed_is_left(tmp_path, source, pool, index):
    before = files_of(index)
    for name, (change, told) in CHANGES.items():
        shutil.copytree(pool, tmp_path / "kept")
        change(pool)
        line = index_command(source, index).error
        assert line == (
            f"{index} holds an index of the source as it was, and the source has changed since "
            f"({told}): choose another folder, or make it anew with --overwrite"
        ), name
        assert files_of(index) == before
        shutil.rmtree(pool)
        (tmp_path / "kept").rename(pool)
    assert len(open_index(index)) == 6
    # And what does not matter is no change.
    for path in pool.iterdir():
        os.utime(path, (1, 1))
    (pool / ".hidden").write_bytes(b"x")
    (pool / "good-000.json").write_text("{}")
    (pool / "notes.txt").write_text("beside no picture")
    assert index_command(source, index).code == 0
    assert files_of(index) == before


def test_an_index_of_the_changed_source_takes_the_place_where_it_is_asked_for(source, pool, index):
    add_picture(pool, "aaa.png", picture_bytes(77), "a red apple on the ship")
    (index / "letter.txt").write_text("somebody else's")
    outcome = index_command(source, index, "--overwrite")
    assert (outcome.code, outcome.counts["indexed"], outcome.counts["parts"]) == (0, 7, 3)
    assert (index / "letter.txt").read_text() == "somebody else's"
    assert outcome.counts["parts_skipped"] == 0
    again = index_command(source, index)
    assert (again.code, again.counts["parts_skipped"]) == (0, 3)
    kept = json.loads((index / "inputs.json").read_text())["source"]
    content = json.loads((index / "pairloom.json").read_text())
    assert kept["fingerprint"] == content["source_fingerprint"]
    assert "inputs.json" in content["files"]


def test_the_record_is_the_same_wherever_and_whenever_the_pictures_lie(tmp_path, source, index):
    for path in (tmp_path / "pool").iterdir():
        os.utime(path, (1, 1))
    shutil.copytree(tmp_path / "pool", tmp_path / "elsewhere" / "pool")
    shutil.copy(source, tmp_path / "elsewhere")
    other = tmp_path / "elsewhere" / "index"
    assert index_command(tmp_path / "elsewhere" / "source.yaml", other).code == 0
    assert (other / "inputs.json").read_bytes() == (index / "inputs.json").read_bytes()


def unfinish(index, *parts):
    (index / "COMPLETED").unlink()
    for part in parts:
        (index / "metadata" / f"metadata_0000{part}.parquet").unlink()


def test_a_source_that_changed_half_way(source, pool, index):
    unfinish(index, 1)
    shutil.move(pool / "good-000.png", pool / "moved.png")  # over the border of its shard
    before = files_of(index)
    assert (
        "the source has changed since (files: 1 more, 2 fewer" in index_command(source, index).error
    )
    assert files_of(index) == before
    shutil.move(pool / "moved.png", pool / "good-000.png")
    outcome = index_command(source, index)
    assert (outcome.code, outcome.counts["parts_skipped"]) == (0, 1)


def test_where_nothing_was_made_yet_the_source_of_now_is_taken(source, pool, index):
    unfinish(index, 0, 1)
    add_picture(pool, "aaa.png", picture_bytes(77), "a red apple on the ship")
    outcome = index_command(source, index)
    assert (outcome.code, outcome.counts["indexed"]) == (0, 7)


def test_an_index_from_before_there_was_a_record_goes_on(source, pool, index):
    content = json.loads((index / "pairloom.json").read_text())
    for name in ("files", "source_fingerprint"):
        content.pop(name)
    (index / "pairloom.json").write_text(json.dumps(content))
    (index / "inputs.json").unlink()
    before = files_of(index)
    assert index_command(source, index).code == 0
    assert files_of(index) == before  # nothing is known of it, and nothing is made up
    unfinish(index, 1)
    assert index_command(source, index).counts["parts_skipped"] == 1
    assert (index / "inputs.json").exists()
    add_picture(pool, "aaa.png", picture_bytes(77))
    assert "files: 1 more, first aaa.png" in index_command(source, index).error


def test_a_record_that_is_none_is_one_line(source, index):
    for text in ("", "[]", "{", '{"source": {"files": {"a": 1}}}', "[" * 100_000):
        (index / "inputs.json").write_text(text)
        line = index_command(source, index).error
        assert line.startswith(f"{index / 'inputs.json'} is no record of what a job reads")


def make_tar(path, names, words="a red apple"):
    with tarfile.open(path, "w") as tar:
        for number, name in enumerate(names):
            for end, data in (("png", picture_bytes(number)), ("txt", words.encode())):
                member = tarfile.TarInfo(f"{name}.{end}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def test_a_tar_that_has_changed(tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    for number in range(2):
        make_tar(store / f"0000{number}.tar", [f"0000{number}{row:04d}" for row in range(3)])
    index = tmp_path / "index"
    assert index_command(store, index).code == 0
    before = files_of(index)
    make_tar(store / "00001.tar", [f"00001{row:04d}" for row in range(3)], "a big apple")
    assert "files: 1 other, first 00001.tar)" in index_command(store, index).error
    make_tar(store / "00002.tar", ["000020000"])
    assert "files: 1 more, 1 other, first 00001.tar)" in index_command(store, index).error
    assert files_of(index) == before


def test_pairs_of_a_source_that_has_changed_are_left(tmp_path, source, pool, index):
    pairs = tmp_path / "pairs"
    assert build_command(source, pairs, index=index).code == 0
    before = files_of(pairs)
    add_picture(pool, "aaa.png", picture_bytes(77), "a red apple on the ship")
    line = build_command(source, pairs, index=index).error
    assert line == (
        f"{pairs} holds pairs of what there was before, and the source has changed since "
        "(files: 2 more, first aaa.png): choose another folder, or make them anew with --overwrite"
    )
    assert files_of(pairs) == before
    outcome = build_command(source, pairs, "--overwrite", index=index)
    assert (outcome.code, outcome.counts["sources"]) == (0, 7)
    told = f"{index} is an index of pictures as they were, and the source has changed"
    assert outcome.err.startswith(f"pairloom: note: {told}")
    assert len(outcome.err.splitlines()) == 1


def test_pairs_by_an_index_that_was_made_anew_are_left(tmp_path, source, pool, index):
    pairs = tmp_path / "pairs"
    assert build_command(pool, pairs, index=index).code == 0
    (pairs / "COMPLETED").unlink()
    (pool / "good-003.txt").write_text("a blue pear on the train")
    assert index_command(source, index, "--overwrite").code == 0
    (pool / "good-003.txt").write_text("a green apple on the bus")  # only the index is another
    before = files_of(pairs)
    line = build_command(pool, pairs, index=index).error
    assert "has changed since (files: 1 other, first good-003.txt)" in line or "made anew" in line
    assert files_of(pairs) == before
