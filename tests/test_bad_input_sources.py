"""Sources that cannot be used, wholly or in part."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.command_line import (
    build_command,
    index_folder,
    make_collection,
    refused_source,
    rejects_of,
    run,
)
from fakes.folders import looks_finished
from fakes.pictures import picture_bytes

from transforms.sources.folder import FolderSource


def test_a_source_that_is_not_there(tmp_path):
    line = refused_source(tmp_path / "nowhere", tmp_path)
    assert line == f"{tmp_path / 'nowhere'}: no such folder or file, and not the word still-life"


def test_a_folder_without_pictures(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "words.txt").write_text("no picture")
    (empty / ".hidden.png").write_bytes(picture_bytes(0))
    assert refused_source(empty, tmp_path) == f"{empty}: the folder holds no picture files"


def test_a_file_that_is_no_source(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(picture_bytes(0))
    assert (
        refused_source(path, tmp_path) == f"{path}: a source file must be .yaml, .tar or .parquet"
    )


@pytest.fixture
def closed(monkeypatch):
    """Makes folders called `closed` refuse to be listed, also to the superuser."""
    index_folder()  # which is made with folders that open
    real = os.scandir

    def scandir(path):
        # By its number a folder is listed to be removed, when the test has passed.
        if not isinstance(path, int) and os.fsencode(path).rstrip(b"/").endswith(b"closed"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("place", ["closed", "open/closed"])
def test_a_folder_without_permission(tmp_path, place):
    (tmp_path / place).mkdir(parents=True)
    source = tmp_path / place.partition("/")[0]
    assert (
        refused_source(source, tmp_path) == f"{tmp_path / place}: cannot list it: Permission denied"
    )


def test_a_file_without_permission_becomes_a_reject(tmp_path, monkeypatch):
    index_folder()
    real = Path.open

    def open_file(path, *args, **kwargs):
        if path.name == "good-002.png" and args == ("rb",):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", open_file)
    built = build_command(make_collection(tmp_path / "pictures"), tmp_path / "pairs")
    assert built.code == 0, built.err
    assert built.counts["rejects"]["read"] == {"unreadable": 1}
    assert built.counts["sources"] == 6
    (row,) = [row for row in rejects_of(tmp_path / "pairs") if row["stage"] == "read"]
    assert row["detail"] == "good-002.png: Permission denied"


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        # As if a file had two rows and now has one.
        ([0, 1, 2, 2, 4, 5], "must be unique in a shard"),
        ([0, 1, 2, 3, 4], "shard 00000: 6 sources must end in a pair or a reject, 5 did"),
    ],
)
def test_rows_that_a_source_loses_on_the_way_stop_the_build(tmp_path, monkeypatch, kept, said):
    index_folder()
    read = FolderSource.read

    def read_some(self, shard):
        rows = list(read(self, shard))
        return (rows[number] for number in kept)

    monkeypatch.setattr(FolderSource, "read", read_some)
    outcome = build_command(make_collection(tmp_path / "pictures"), tmp_path / "pairs")
    assert said in outcome.error
    assert not looks_finished(tmp_path / "pairs")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: folder\npath: .\nshardsize: 5\n", "unknown key 'shardsize', a folder source takes"),
        ("kind: folder\npath: .\nlimits: {max_sides: 3}\n", "limits: unknown key 'max_sides'"),
        ("kind: attic\n", "kind must be one of folder, img2dataset, laion, links, still-life"),
        ("path: .\n", "kind must be one of"),
        ("kind: folder\n", "a folder source needs the key path"),
        ("kind: folder\npath: 5\n", "path must be text, got 5"),
        ("kind: folder\npath: .\nshard_size: many\n", "shard_size must be a whole number"),
        ("kind: folder\npath: .\nshard_size: 0\n", "shard_size must be a whole number >= 1"),
        ("kind: folder\npath: .\nlimits: {min_side: 0}\n", "min_side must be a whole number >= 1"),
        ("kind: still-life\ncount: 0\n", "count must be at least 1, got 0"),
        ("kind: still-life\ncount: true\n", "count must be a whole number, got True"),
        ("kind: still-life\ntwo_objects_percent: 101\n", "must be in 0..100, got 101"),
        ("kind: laion\nmetadata: links.parquet\n", "fetch them with `pairloom fetch`"),
        ("- kind: folder\n", "a source file must be a mapping with the key kind"),
        ("kind: [folder\n", "no readable YAML"),
        ("", "a source file must be a mapping with the key kind"),
    ],
)
def test_a_source_file_that_breaks_a_rule(tmp_path, text, said):
    path = tmp_path / "source.yaml"
    path.write_text(text)
    assert said in refused_source(path, tmp_path)


def test_a_source_file_that_is_not_text(tmp_path):
    path = tmp_path / "source.yaml"
    path.write_bytes(b"kind: \xff\xfe\n")
    assert refused_source(path, tmp_path).startswith(f"{path}: no readable YAML")


def test_a_source_file_that_is_not_there(tmp_path):
    path = tmp_path / "source.yaml"
    assert refused_source(path, tmp_path) == f"{path}: cannot read it: No such file or directory"


def test_fetch_refuses_what_it_cannot_fetch(tmp_path):
    path = tmp_path / "links.parquet"
    pq.write_table(pa.table({"TEXT": ["a red apple"]}), path)
    assert str(path) in run("fetch", path, "--out", tmp_path / "store").error
    missing = run("fetch", tmp_path / "no.parquet", "--out", tmp_path / "store")
    assert "no such" in missing.error.lower()
    assert not looks_finished(tmp_path / "store")
    pq.write_table(pa.table({"URL": ["https://example.org/1.png"], "TEXT": ["a pear"]}), path)
    assert run("fetch", path).error == "--out is missing: say where the pictures go"
    assert "deadline_s" in run("fetch", path, "--out", tmp_path / "s", "--deadline", "0").error
