import dataclasses
import pickle

import pytest
from fakes.command_line import make_collection
from fakes.object_store import upload_folder
from fakes.pictures import picture_bytes

from indexes.storage.errors import StorageError
from indexes.storage.store_path import StorePath
from transforms.pictures.limits import PictureLimits
from transforms.protocols import SourceError
from transforms.sources.folder import FolderSource
from transforms.sources.stored_folder import StoredFolderSource
from transforms.sources.stored_plan import KeptPlan


def rows_of(source):
    return [row for shard in source.shards() for row in source.read(shard)]


@pytest.fixture
def odd_folder(tmp_path):
    """Pictures good and bad, with texts beside them, in folders and hidden."""
    folder = make_collection(tmp_path / "pictures", 40)
    sub = folder / "sub folder" / "ä"
    sub.mkdir(parents=True)
    (sub / "same.png").write_bytes((folder / "good-003.png").read_bytes())
    (sub / "wide.jpg").write_bytes(picture_bytes(99, file_format="JPEG"))
    (sub / "wide.jpg.TXT").write_bytes("\ufeffa wide bus".encode("utf-16"))
    (sub / "odd.png").write_bytes(picture_bytes(98))
    (sub / "odd.txt").write_bytes(b"\xff\x00\xff\x01\x80")
    (folder / "large.png").write_bytes(picture_bytes(97, size=(300, 300)))
    (folder / "notes.doc").write_bytes(b"no picture")
    (folder / "empty.png").write_bytes(b"")
    (folder / ".hidden.png").write_bytes(picture_bytes(96))
    (folder / ".git").mkdir()
    (folder / ".git" / "inner.png").write_bytes(picture_bytes(95))
    return folder


def test_rows_are_those_of_the_same_folder_here(odd_folder, stored_folder):
    limits = PictureLimits(max_bytes=100_000)
    here = FolderSource(str(odd_folder), shard_size=7, limits=limits)
    there = StoredFolderSource(
        str(upload_folder(odd_folder, stored_folder)), shard_size=7, limits=limits
    )
    expected = rows_of(here)
    assert len(expected) == 46
    assert rows_of(there) == expected
    assert [dataclasses.replace(each, origin="") for each in there.shards()] == [
        dataclasses.replace(each, origin="") for each in here.shards()
    ]
    pictures = [row for row in expected if hasattr(row, "image")]
    assert [there.open(row.reference) for row in pictures] == [row.image for row in pictures]


def test_a_worker_gets_the_plan(odd_folder, stored_folder, monkeypatch):
    source = StoredFolderSource(str(upload_folder(odd_folder, stored_folder)))
    shards = source.shards()
    copy = pickle.loads(pickle.dumps(source))
    monkeypatch.setattr(StorePath, "files", lambda path: pytest.fail("it was listed again"))
    assert copy.shards() == shards
    assert [row.position for row in copy.read(shards[0])] == list(range(shards[0].stop))


def test_a_listing_reads_no_file(odd_folder, stored_folder, monkeypatch):
    source = StoredFolderSource(str(upload_folder(odd_folder, stored_folder)))
    monkeypatch.setattr(StorePath, "read_bytes", lambda path, most=None: pytest.fail("it was read"))
    before = source.listing()
    assert "good-003.txt" in before.files
    assert "sub%20folder/%C3%A4/wide.jpg.TXT" in before.files
    assert not any("hidden" in name or "git" in name for name in before.files)
    monkeypatch.undo()
    (stored_folder / "good-003.png").write_bytes(picture_bytes(500))
    (stored_folder / "good-004.txt").unlink()
    (stored_folder / "new.png").write_bytes(picture_bytes(501))
    now = source.listing()
    assert before.difference(now) == "files: 1 more, 1 fewer, 1 other, first good-003.png"


def test_a_store_that_fails_makes_no_rejects(stored_folder, tmp_path, monkeypatch):
    upload_folder(make_collection(tmp_path / "pictures", 6), stored_folder)
    source = StoredFolderSource(str(stored_folder))
    shards = source.shards()
    real = StorePath.read_bytes

    def read_bytes(path, most=None):
        if path.name == "good-004.png":
            raise StorageError(5, "the server cannot be reached", str(path))
        return real(path, most)

    monkeypatch.setattr(StorePath, "read_bytes", read_bytes)
    with pytest.raises(StorageError, match="cannot be reached"):
        list(source.read(shards[0]))


def test_a_picture_that_goes_meanwhile_is_a_reject(stored_folder, tmp_path):
    upload_folder(make_collection(tmp_path / "pictures", 3), stored_folder)
    source = StoredFolderSource(str(stored_folder))
    [shard] = source.shards()
    (stored_folder / "good-001.png").unlink()
    rows = list(source.read(shard))
    assert [getattr(row, "reason", None) for row in rows] == [None, "unreadable", None]
    with pytest.raises(SourceError, match="gone"):
        source.open("good-001.png")


def test_what_cannot_be_a_source_is_refused(stored_folder):
    with pytest.raises(SourceError, match="no picture files"):
        StoredFolderSource(str(stored_folder)).shards()
    with pytest.raises(SourceError, match="shard_size"):
        StoredFolderSource(str(stored_folder), shard_size=0)
    with pytest.raises(SourceError, match="is on a store"):
        StoredFolderSource("pictures")
    with pytest.raises(SourceError, match="StoredFolderSource"):
        FolderSource(str(stored_folder))
    with pytest.raises(SourceError, match="inside"):
        StoredFolderSource(str(stored_folder)).open("../other.png")


def test_a_plan_that_is_kept_travels_as_its_place_and_says_the_same(
    odd_folder, stored_folder, tmp_path
):
    folder = upload_folder(odd_folder, stored_folder / "pictures")
    source = StoredFolderSource(str(folder), shard_size=7)
    rows = rows_of(source)
    heavy = len(pickle.dumps(source))
    for place in (tmp_path / "kept", stored_folder / "kept"):
        kept = StoredFolderSource(str(folder), shard_size=7)
        kept.store_plan(place)
        assert len(pickle.dumps(kept)) < heavy
        copy = pickle.loads(pickle.dumps(kept))
        assert rows_of(copy) == rows
        assert len(list(place.iterdir())) == 1
        kept.store_plan(place)
        assert len(list(place.iterdir())) == 1


def test_a_kept_plan_that_is_gone_or_another_is_refused(tmp_path):
    with pytest.raises(SourceError, match="every worker must see the output folder there"):
        KeptPlan(str(tmp_path / "plan.bin"), "0" * 64).open()
    (tmp_path / "plan.bin").write_bytes(b"another")
    with pytest.raises(SourceError, match="is not that of this run"):
        KeptPlan(str(tmp_path / "plan.bin"), "0" * 64).open()
