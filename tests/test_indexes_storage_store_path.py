import os
import pickle
import stat

import pytest

from indexes.storage.errors import StorageError, StorageMissingError
from indexes.storage.paths import as_path
from indexes.storage.ranges import BLOCK_BYTES

PATTERN = bytes(range(251))


def test_a_file_is_what_was_written(stored_folder):
    path = stored_folder / "inner" / "some.bin"
    assert not path.exists()
    path.write_bytes(b"first")
    path.write_bytes(b"second")
    assert (path.read_bytes(), path.read_text()) == (b"second", "second")
    assert path.is_file()
    assert not path.is_dir()
    assert stored_folder.is_dir()
    assert path.stat().st_size == 6
    assert stat.S_ISREG(path.stat().st_mode)
    assert stat.S_ISDIR(path.parent.stat().st_mode)
    path.unlink()
    assert not path.exists()
    path.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        path.unlink()


def test_another_content_is_told_by_the_status(stored_folder):
    path = stored_folder / "some.bin"
    path.write_bytes(b"aa")
    before = path.stat()
    path.write_bytes(b"bb")
    assert path.stat().st_ino != before.st_ino
    assert path.stat().st_size == before.st_size


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, 10 * BLOCK_BYTES + 17])
def test_ranges_are_those_of_the_file(stored_folder, size):
    data = (PATTERN * (size // len(PATTERN) + 1))[:size]
    path = stored_folder / "large.bin"
    path.write_bytes(data)
    with path.open("rb") as file:
        assert file.read() == data
        file.seek(0)
        assert file.read(5) == data[:5]
        for place in (size - 3, BLOCK_BYTES - 2, size // 2):
            if place >= 0:
                file.seek(place)
                assert file.read(7) == data[place : place + 7]
        file.seek(-min(9, size), os.SEEK_END)
        assert file.read() == data[size - min(9, size) :]
    assert path.read_range(0, min(4, size)) == data[:4]


def test_a_range_that_is_not_there_is_an_error(stored_folder):
    path = stored_folder / "short.bin"
    path.write_bytes(b"abc")
    with pytest.raises(StorageError, match=r"short\.bin"):
        path.read_range(1, 5)


def test_a_file_that_became_another_is_read_anew(stored_folder):
    path = stored_folder / "some.bin"
    for data in (b"first", b"other"):
        path.write_bytes(data)
        with path.open("rb") as file:
            assert file.read() == data


def test_a_local_file_arrives_whole(stored_folder, tmp_path):
    local = tmp_path / "local.bin"
    local.write_bytes(PATTERN * 1000)
    (stored_folder / "there.bin").upload(local)
    assert (stored_folder / "there.bin").read_bytes() == PATTERN * 1000


def test_folders_are_listed_as_local_ones_are(stored_folder):
    for name in ("b.txt", "a.txt", "sub/c.txt", "sub/deeper/d.bin"):
        (stored_folder / name).write_bytes(name.encode())
    assert [path.name for path in stored_folder.iterdir()] == ["a.txt", "b.txt", "sub"]
    assert [path.name for path in stored_folder.glob("*.txt")] == ["a.txt", "b.txt"]
    assert {
        path.relative_to(stored_folder).as_posix() for path in stored_folder.rglob("*.txt")
    } == {
        "a.txt",
        "b.txt",
        "sub/c.txt",
    }
    assert list(stored_folder.files()) == ["a.txt", "b.txt", "sub/c.txt", "sub/deeper/d.bin"]
    absent = stored_folder / "absent"
    assert (list(absent.iterdir()), list(absent.glob("*")), absent.files()) == ([], [], {})


def test_names_are_put_together_as_paths_are():
    path = as_path("s3://bucket/folder") / "some.tar"
    assert str(path) == "s3://bucket/folder/some.tar"
    assert str(path.with_suffix(".parquet").parent / "x") == "s3://bucket/folder/x"
    assert (path.name, path.stem, path.suffix) == ("some.tar", "some", ".tar")
    assert path.is_relative_to(as_path("s3://bucket/folder"))
    assert not path.is_relative_to(as_path("s3://bucket/other"))
    assert path.resolve() == path.absolute() == path
    assert pickle.loads(pickle.dumps(path)) == path
    assert str(pickle.loads(pickle.dumps(path))) == str(path)


def test_it_is_never_taken_for_a_local_file(stored_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError, match="no local file"):
        os.fspath(stored_folder)
    with pytest.raises(StorageError, match="written whole"):
        (stored_folder / "some.bin").open("wb")
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_told_with_its_address(stored_folder):
    for do in ("stat", "read_bytes", "open"):
        with pytest.raises(StorageMissingError) as raised:
            getattr(stored_folder / "gone.bin", do)()
        assert str(raised.value).startswith(f"{stored_folder}/gone.bin: there is no such file")


def test_what_is_asked_of_an_open_file_is_remembered(stored_folder):
    path = stored_folder / "some.bin"
    path.write_bytes(b"first")
    with path.remembered():
        (as_path(f"{stored_folder}/./some.bin")).write_bytes(b"longer than that")
        assert path.stat().st_size == len(b"longer than that")
    with path.remembered():
        system, key = path.system, path.key
        system.pipe_file(key, b"by another")
        assert path.stat().st_size == len(b"longer than that")
    assert path.stat().st_size == len(b"by another")


def test_a_bucket_that_is_missing_is_told(s3_store):
    with pytest.raises(StorageError, match=r"s3://no-such-bucket/some.bin: .*bucket"):
        as_path("s3://no-such-bucket/some.bin").write_bytes(b"")
