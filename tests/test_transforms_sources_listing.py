"""What a source's files are known by."""

import os

import pytest

from pipelines.still_life.source import StillLifeSource
from transforms.protocols import SourceError
from transforms.sources.folder import FolderSource
from transforms.sources.img2dataset import Img2DatasetSource
from transforms.sources.laion import LaionMetadata
from transforms.sources.listing import PIECE_BYTES, PIECES, Listing, know_file, list_source

WHOLE = PIECES * PIECE_BYTES


@pytest.mark.parametrize("size", [0, 1, WHOLE - 1, WHOLE])
def test_a_small_file_is_known_wholly(tmp_path, size):
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    known = know_file(path)
    assert known.split()[0] == str(size)
    for place in range(0, size, max(1, size // 20)):
        data = bytearray(size)
        data[place] = 1
        path.write_bytes(data)
        assert know_file(path) != known


def test_of_a_large_file_pieces_are_known_all_over_it(tmp_path):
    path = tmp_path / "file"
    size = 3 * WHOLE
    path.write_bytes(bytes(size))
    known = know_file(path)
    seen = 0
    for place in (0, size - 1, *range(0, size, size // 50)):
        data = bytearray(size)
        data[place] = 1
        path.write_bytes(data)
        seen += know_file(path) != known
    assert seen >= 12  # a third of it is read, its first and last byte among that
    path.write_bytes(bytes(size + 1))
    assert know_file(path) != known


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "dangling.png").symlink_to("nowhere")
    (tmp_path / "a.png").write_bytes(b"1")
    files = FolderSource(str(tmp_path)).listing().files
    assert files["pipe.png"] == "no file"
    assert files["dangling.png"] == "unreadable"
    (tmp_path / "nowhere").write_bytes(b"here now")
    assert FolderSource(str(tmp_path)).listing().files["dangling.png"].startswith("8 ")


def test_a_listing_is_of_now_whatever_is_remembered(tmp_path):
    (tmp_path / "a.png").write_bytes(b"1")
    source = FolderSource(str(tmp_path))
    before, shards = source.listing(), source.shards()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.png").write_bytes(b"2")
    (tmp_path / "sub" / "b.txt").write_text("words")
    assert source.shards() == shards
    assert before.difference(source.listing()) == "files: 2 more, first sub/b.png"
    assert source.listing().fingerprint != before.fingerprint
    assert source.listing() == source.listing()


def test_sources_that_cannot_be_listed(tmp_path):
    for source in (
        FolderSource(str(tmp_path / "no")),
        Img2DatasetSource(str(tmp_path)),
        LaionMetadata(str(tmp_path)),
    ):
        with pytest.raises(SourceError):
            list_source(source)


def test_a_source_without_files_has_none():
    assert list_source(StillLifeSource(count=1)) is None


def test_a_table_beside_a_tar_is_of_the_source(tmp_path):
    for name in ("00000.tar", "00000.parquet", "00001.parquet", "00000_stats.json"):
        (tmp_path / name).write_bytes(name.encode())
    listing = Img2DatasetSource(str(tmp_path)).listing()
    assert sorted(listing.files) == ["00000.parquet", "00000.tar", "00001.parquet"]


def test_fingerprints_tell_names_from_contents():
    assert Listing({"a": "b\nc"}).fingerprint != Listing({"a": "b", "c": ""}).fingerprint
    assert Listing({}).fingerprint != Listing({"a": ""}).fingerprint
