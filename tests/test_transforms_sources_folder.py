import hashlib
import io
import os
import pickle
from dataclasses import replace

import pytest
from fakes.pictures import picture_bytes
from fakes.records import read_all
from PIL import Image

from transforms.pictures.decoding import PictureLimits
from transforms.protocols import SourceError
from transforms.record import Reject, SourceImage
from transforms.sources.folder import FolderSource


@pytest.fixture
def folder(tmp_path):
    """Good and bad files, nested, in an order that differs from the sorted one."""
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "b" / "deep" / "two.png").write_bytes(picture_bytes(2, size=(20, 20)))
    (tmp_path / "b.png").write_bytes(picture_bytes(3, size=(20, 20)))
    (tmp_path / "a.dat").write_bytes(picture_bytes(1, size=(20, 20)))
    (tmp_path / "a.txt").write_text("\ufeffA red\n apple. ", encoding="utf-8")
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / ".hidden.png").write_bytes(picture_bytes(9, size=(20, 20)))
    (tmp_path / "z_copy.png").write_bytes(picture_bytes(1, size=(20, 20)))
    (tmp_path / "notes.csv").write_text("a,b\n")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "half.png").write_bytes(picture_bytes(4, size=(20, 20))[:300])
    return tmp_path


def test_every_file_is_a_picture_or_a_reject(folder):
    found = read_all(FolderSource(str(folder)))
    assert [(row.position, getattr(row, "reason", row.key)) for row in found] == [
        (0, hashlib.sha256(picture_bytes(1, size=(20, 20))).hexdigest()[:32]),
        (1, hashlib.sha256(picture_bytes(3, size=(20, 20))).hexdigest()[:32]),
        (2, hashlib.sha256(picture_bytes(2, size=(20, 20))).hexdigest()[:32]),
        (3, "empty_file"),
        (4, "truncated"),
        (5, "not_an_image"),
        (6, "duplicate"),
    ]
    assert found[0].alt_text == "A red apple."
    assert found[1].alt_text is None
    assert found[2].reference == "b/deep/two.png"
    assert "z_copy.png has the same content as a.dat" in found[6].detail
    assert {row.stage for row in found if isinstance(row, Reject)} == {"read"}
    assert len({row.key for row in found}) == len(found)


def test_pictures_are_found_again_as_they_were_read(folder):
    buffer = io.BytesIO()
    Image.new("CMYK", (20, 20), (9, 9, 9, 9)).save(buffer, "TIFF")
    (folder / "print.tiff").write_bytes(buffer.getvalue())
    source = FolderSource(str(folder))
    images = [row for row in read_all(source) if isinstance(row, SourceImage)]
    assert len(images) == 4
    for image in images:
        assert source.open(image.reference) == image.image
        assert hashlib.sha256(image.image).hexdigest() == image.content_sha256
    (folder / "b.png").unlink()
    with pytest.raises(SourceError, match=r"b\.png: the picture is gone"):
        source.open("b.png")
    with pytest.raises(SourceError, match="must stay inside"):
        source.open("../b.png")
    with pytest.raises(SourceError, match="must stay inside"):
        source.open("%2Fetc%2Fpasswd")


def test_a_name_that_is_not_utf8(tmp_path):
    name = os.fsdecode(b"caf\xe9 \n.png")
    (tmp_path / name).write_bytes(picture_bytes(1, size=(20, 20)))
    (tmp_path / os.fsdecode(b"caf\xe9 \n.txt")).write_bytes(b"a caf\xe9")
    source = FolderSource(str(tmp_path))
    (image,) = read_all(source)
    assert image.reference == "caf%E9%20%0A.png"
    assert image.alt_text == "a caf\xe9"
    assert source.open(image.reference) == picture_bytes(1, size=(20, 20))
    (tmp_path / name).write_bytes(b"text")
    (bad,) = read_all(FolderSource(str(tmp_path)))
    assert bad.reason == "not_an_image"
    assert bad.detail.isascii()
    assert "\n" not in bad.detail


def test_shards_and_slices_agree_with_the_whole(folder):
    whole = read_all(FolderSource(str(folder), shard_size=100))
    source = FolderSource(str(folder), shard_size=3)
    shards = source.shards()
    assert [(s.name, s.start, s.stop) for s in shards] == [
        ("00000", 0, 3),
        ("00001", 3, 6),
        ("00002", 6, 7),
    ]
    assert [replace(row, shard="00000") for row in read_all(source)] == whole
    one = list(source.read(replace(shards[1], start=4, stop=5)))
    assert [replace(row, shard="00000") for row in one] == whole[4:5]


def test_a_pickled_source_keeps_its_plan(folder):
    source = FolderSource(str(folder))
    before = read_all(source)
    copy = pickle.loads(pickle.dumps(source))
    (folder / "0.png").write_bytes(picture_bytes(8, size=(20, 20)))
    assert copy == source
    assert read_all(copy) == before
    assert len(read_all(FolderSource(str(folder)))) == len(before) + 1


def test_duplicates_that_differ_only_in_the_middle(tmp_path):
    body = bytes(20_000)
    for name, middle in (("a", b"x"), ("b", b"y"), ("c", b"x")):
        (tmp_path / name).write_bytes(body + middle + body)
    plan = FolderSource(str(tmp_path)).plan()
    assert plan.duplicates == {2: 0}


def test_odd_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "real.png").write_bytes(picture_bytes(1, size=(20, 20)))
    (tmp_path / "big.png").write_bytes(bytes(9_000))
    (tmp_path / "loop").symlink_to(tmp_path)
    source = FolderSource(str(tmp_path), limits=PictureLimits(max_bytes=5_000))
    assert [getattr(row, "reason", "good") for row in read_all(source)] == [
        "too_large_file",
        "unreadable",
        "not_a_file",
        "good",
    ]


def test_folders_that_cannot_be_used(tmp_path, monkeypatch):
    with pytest.raises(SourceError, match="holds no picture files"):
        FolderSource(str(tmp_path)).shards()
    with pytest.raises(SourceError, match="nowhere: cannot list it: No such file"):
        FolderSource(str(tmp_path / "nowhere")).shards()
    with pytest.raises(SourceError, match="shard_size must be a whole number >= 1, got 0"):
        FolderSource(str(tmp_path), shard_size=0)

    def forbid(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", forbid)
    with pytest.raises(SourceError, match="cannot list it: Permission denied"):
        FolderSource(str(tmp_path)).shards()


def test_a_file_without_permission_is_a_reject(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(picture_bytes(1, size=(20, 20)))
    source = FolderSource(str(tmp_path))
    source.shards()

    def forbid(path, *args):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.open", forbid)
    (row,) = read_all(source)
    assert (row.reason, row.detail) == ("unreadable", "a.png: Permission denied")
