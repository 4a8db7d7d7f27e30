"""Sources that cannot be used, wholly or in part."""

import io
import json
import os
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.command_line import (
    CAPTIONS,
    build_command,
    index_command,
    index_folder,
    make_collection,
    pairs_of,
    rejects_of,
    run,
    verify,
)
from fakes.folders import looks_finished
from fakes.pictures import picture_bytes

from transforms.sources.folder import FolderSource


def write_parquet(path, *, count=6, drop=(), **columns):
    """What img2dataset writes, with pictures in it; `columns` replace or add whole columns."""
    values = {
        "key": [f"{number:09d}" for number in range(count)],
        "caption": [CAPTIONS[number % len(CAPTIONS)] for number in range(count)],
        "url": [f"https://example.org/{number}.png" for number in range(count)],
        "status": ["success"] * count,
        "error_message": [None] * count,
        "png": [picture_bytes(number) for number in range(count)],
    }
    values |= columns
    table = pa.table({name: values[name] for name in values if name not in drop})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=2)
    return path


def refused(source, tmp_path):
    """The line with which both commands refuse `source`, without leaving anything behind."""
    lines = []
    for command in (index_command, build_command):
        outcome = command(source, tmp_path / "refused")
        lines.append(outcome.error)
        assert not (tmp_path / "refused").exists()
    assert lines[0] == lines[1]
    return lines[0]


def test_a_source_that_is_not_there(tmp_path):
    line = refused(tmp_path / "nowhere", tmp_path)
    assert line == f"{tmp_path / 'nowhere'}: no such folder or file, and not the word still-life"


def test_a_folder_without_pictures(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "words.txt").write_text("no picture")
    (empty / ".hidden.png").write_bytes(picture_bytes(0))
    assert refused(empty, tmp_path) == f"{empty}: the folder holds no picture files"


def test_a_file_that_is_no_source(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(picture_bytes(0))
    assert refused(path, tmp_path) == f"{path}: a source file must be .yaml, .tar or .parquet"


@pytest.fixture
def closed(monkeypatch):
    """Makes folders called `closed` refuse to be listed, also to the superuser."""
    index_folder()  # which is made with folders that open
    real = os.scandir

    def scandir(path):
        if os.fsencode(path).rstrip(b"/").endswith(b"closed"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("place", ["closed", "open/closed"])
def test_a_folder_without_permission(tmp_path, place):
    (tmp_path / place).mkdir(parents=True)
    source = tmp_path / place.partition("/")[0]
    assert refused(source, tmp_path) == f"{tmp_path / place}: cannot list it: Permission denied"


def test_a_file_without_permission_becomes_a_reject(tmp_path, monkeypatch):
    index_folder()
    real = Path.read_bytes

    def read_bytes(path):
        if path.name == "good-002.png":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    built = build_command(make_collection(tmp_path / "pictures"), tmp_path / "pairs")
    assert built.code == 0, built.err
    assert built.counts["rejects"]["read"] == {"unreadable": 1}
    assert built.counts["sources"] == 6
    (row,) = [row for row in rejects_of(tmp_path / "pairs") if row["stage"] == "read"]
    assert row["detail"] == "good-002.png: Permission denied"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"drop": ("key",)}, "column key is missing"),
        ({"drop": ("png",)}, "column jpg, jpeg, png or webp is missing"),
        ({"key": [1, 2, 3, 4, 5, 6]}, "column key must hold text, it holds int64"),
        ({"png": ["text"] * 6}, "column png must hold binary, it holds string"),
        ({"caption": [1.5] * 6}, "column caption must hold text, it holds double"),
        ({"pwatermark": ["no"] * 6}, "column pwatermark must hold a number, it holds string"),
    ],
)
def test_a_parquet_file_with_missing_or_retyped_columns(tmp_path, change, said):
    path = write_parquet(tmp_path / "source" / "00000.parquet", **change)
    line = refused(path.parent, tmp_path)
    assert line.startswith(f"{path}: ")
    assert said in line


def test_a_parquet_file_of_links_is_told_from_one_of_pictures(tmp_path):
    path = tmp_path / "links.parquet"
    pq.write_table(pa.table({"URL": ["https://example.org/1.png"], "TEXT": ["a red apple"]}), path)
    assert "fetch them first with `pairloom fetch`" in refused(path, tmp_path)


@pytest.mark.parametrize("kept", [0, 3, 700, -1])
def test_a_parquet_file_cut_short(tmp_path, kept):
    path = write_parquet(tmp_path / "00000.parquet")
    path.write_bytes(path.read_bytes()[:kept])
    line = refused(path, tmp_path)
    assert line.startswith(f"{path}: no readable Parquet file: ")


def test_one_broken_parquet_file_among_good_ones_becomes_a_reject(tmp_path):
    folder = tmp_path / "source"
    write_parquet(folder / "00000.parquet")
    broken = write_parquet(folder / "00001.parquet")
    broken.write_bytes(broken.read_bytes()[:700])
    write_parquet(folder / "00002.parquet", key=[f"{number:09d}" for number in range(6, 12)])
    built = build_command(folder, tmp_path / "pairs")
    assert built.code == 0, built.err
    assert built.counts["rejects"]["read"] == {"broken_shard": 1}
    assert built.counts["sources"] == 13
    assert built.counts["sources_with_pairs"] == 12
    assert verify(tmp_path / "pairs").code == 0


def test_two_downloads_in_one_folder(tmp_path):
    folder = tmp_path / "source"
    write_parquet(folder / "00000.parquet")
    write_parquet(folder / "00001.parquet", key=[f"{number:09d}" for number in range(5, 11)])
    line = refused(folder, tmp_path)
    rule = "keys must be unique, 000000005 is in 00000.parquet and in 00001.parquet"
    assert line.startswith(f"{folder}: {rule}: files of two downloads")


def test_damage_inside_a_parquet_file_costs_the_rows_it_hits(tmp_path):
    path = write_parquet(tmp_path / "00000.parquet")
    place = pq.read_metadata(path).row_group(1).column(5)
    assert place.path_in_schema == "png"
    start = place.dictionary_page_offset or place.data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + 100] = b"\xff" * 100
    path.write_bytes(data)
    built = build_command(path, tmp_path / "pairs")
    assert built.code == 0, built.err
    assert built.counts["rejects"]["read"] == {"broken_shard": 2}
    assert (built.counts["sources"], built.counts["sources_with_pairs"]) == (6, 4)
    assert verify(tmp_path / "pairs").code == 0


def test_rows_of_a_parquet_file_that_are_bad_become_rejects(tmp_path):
    good = [picture_bytes(number) for number in range(6)]
    path = write_parquet(
        tmp_path / "00000.parquet",
        png=[good[0], None, b"no picture", good[3], good[4], good[5][:500]],
        status=["success"] * 4 + ["failed_to_download", "success"],
        error_message=[None] * 4 + ["HTTP Error 404: Not Found", None],
        key=["a", "b", "c", "a", "e", "f"],
    )
    built = build_command(path, tmp_path / "pairs")
    assert built.code == 0, built.err
    assert built.counts["rejects"]["read"] == {
        "duplicate_key": 1,
        "failed_to_download": 1,
        "no_picture": 1,
        "not_an_image": 1,
        "truncated": 1,
    }
    assert (built.counts["sources"], built.counts["sources_with_pairs"]) == (6, 1)
    assert verify(tmp_path / "pairs").code == 0


def any_bytes(values):
    """A column of text that nobody checked for being UTF-8."""
    return pa.array(values, pa.binary()).view(pa.string())


def test_text_in_a_parquet_file_that_is_not_utf_8(tmp_path):
    captions = [caption.encode() for caption in CAPTIONS]
    captions[1] = b"a green apple on the \xff\xfe bus"
    path = write_parquet(
        tmp_path / "00000.parquet",
        caption=any_bytes(captions),
        key=any_bytes([b"a", b"b", b"c\xff", b"d", b"e", b"f"]),
    )
    built = build_command(path, tmp_path / "pairs")
    assert built.code == 0, built.err
    assert (built.counts["sources"], built.counts["sources_with_pairs"]) == (6, 6)
    assert any("\ufffd" in row["caption"] for row in pairs_of(tmp_path / "pairs"))
    assert "c\ufffd" in {row["source_key"] for row in pairs_of(tmp_path / "pairs")}
    assert verify(tmp_path / "pairs").code == 0


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


def write_tar(path, count=6, **metadata):
    """What img2dataset writes as a tar; `metadata` is a file's JSON by number, as `n1=b"..."`."""
    with tarfile.open(path, "w") as tar:
        for number in range(count):
            told = json.dumps({"caption": CAPTIONS[number % len(CAPTIONS)]}).encode()
            told = metadata.get(f"n{number}", told)
            for extension, data in (("png", picture_bytes(number)), ("json", told)):
                member = tarfile.TarInfo(f"{number:09d}.{extension}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return path


def test_metadata_in_a_tar_that_are_none(tmp_path):
    path = write_tar(
        tmp_path / "00000.tar",
        n0=b'{"caption": "a red apple on the \\ud800 bus", "url": "\\udfff"}',
        n1=b"{",
        n2=b'{"caption": 5}',
        n3=b"[]",
        n4=b"\xff\xfe",
    )
    built = build_command(path, tmp_path / "pairs")
    assert built.code == 0, built.err
    assert built.counts["rejects"]["read"] == {"broken_metadata": 4}
    assert (built.counts["sources"], built.counts["sources_with_pairs"]) == (6, 2)
    assert verify(tmp_path / "pairs").code == 0


def test_a_tar_cut_short_gives_what_lies_before_the_cut(tmp_path):
    path = write_tar(tmp_path / "00000.tar")
    path.write_bytes(path.read_bytes()[:20_000])
    built = build_command(path, tmp_path / "pairs")
    assert built.code == 0, built.err
    assert built.counts["rejects"]["read"] == {"broken_shard": 1}
    assert 1 <= built.counts["sources_with_pairs"] < 6
    assert built.counts["sources"] == built.counts["sources_with_pairs"] + 1
    assert verify(tmp_path / "pairs").code == 0


def test_a_file_that_is_no_tar(tmp_path):
    path = tmp_path / "00000.tar"
    path.write_bytes(b"no tar at all\n" * 100)
    assert refused(path, tmp_path).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: folder\npath: .\nshardsize: 5\n", "unknown key 'shardsize', a folder source takes"),
        ("kind: folder\npath: .\nlimits: {max_sides: 3}\n", "limits: unknown key 'max_sides'"),
        ("kind: attic\n", "kind must be one of folder, img2dataset, laion, still-life"),
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
    assert said in refused(path, tmp_path)


def test_a_source_file_that_is_not_text(tmp_path):
    path = tmp_path / "source.yaml"
    path.write_bytes(b"kind: \xff\xfe\n")
    assert refused(path, tmp_path).startswith(f"{path}: no readable YAML")


def test_a_source_file_that_is_not_there(tmp_path):
    path = tmp_path / "source.yaml"
    assert refused(path, tmp_path) == f"{path}: cannot read it: No such file or directory"


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
