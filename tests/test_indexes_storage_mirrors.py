import pytest

from indexes.storage.errors import StorageError
from indexes.storage.mirrors import STATE_FILE, is_plain, note_uploaded, sync_folder
from indexes.storage.store_path import StorePath

LAST = ("manifest.json", "COMPLETED")


def every(name):
    return True


def fill(folder, files):
    for name, data in files.items():
        (folder / name).write_bytes(data)


def found(local):
    return {
        path.relative_to(local).as_posix(): path.read_bytes()
        for path in local.rglob("*")
        if path.is_file() and path.name != STATE_FILE
    }


def test_a_mirror_is_what_the_folder_is_now(stored_folder, tmp_path):
    local = tmp_path / "mirror"
    files = {"a.bin": b"a", "sub/b.bin": b"b", "manifest.json": b"{}", "COMPLETED": b""}
    fill(stored_folder, files)
    sync_folder(stored_folder, local, wanted=every, last=LAST)
    assert found(local) == files
    fill(stored_folder, {"a.bin": b"A", "c.bin": b"c"})
    (stored_folder / "sub/b.bin").unlink()
    sync_folder(stored_folder, local, wanted=every, last=LAST)
    assert found(local) == {"a.bin": b"A", "c.bin": b"c", "manifest.json": b"{}", "COMPLETED": b""}


def test_what_is_there_is_not_fetched_again(stored_folder, tmp_path):
    fill(stored_folder, {"a.bin": b"a", "b.bin": b"b", "COMPLETED": b""})
    sync_folder(stored_folder, tmp_path, wanted=every, last=LAST)
    before = {path: path.stat().st_ino for path in tmp_path.iterdir()}
    sync_folder(stored_folder, tmp_path, wanted=every, last=LAST)
    assert {path: path.stat().st_ino for path in tmp_path.iterdir()} == before
    fill(stored_folder, {"b.bin": b"other"})
    sync_folder(stored_folder, tmp_path, wanted=every, last=LAST)
    assert (tmp_path / "a.bin").stat().st_ino == before[tmp_path / "a.bin"]
    assert (tmp_path / "b.bin").read_bytes() == b"other"


def test_a_file_that_is_gone_here_is_fetched_again(stored_folder, tmp_path):
    fill(stored_folder, {"a.bin": b"a"})
    sync_folder(stored_folder, tmp_path, wanted=every)
    (tmp_path / "a.bin").unlink()
    sync_folder(stored_folder, tmp_path, wanted=every)
    assert found(tmp_path) == {"a.bin": b"a"}


def test_only_what_is_wanted_is_fetched(stored_folder, tmp_path):
    fill(stored_folder, {"a.bin": b"a", "b.txt": b"b"})
    sync_folder(stored_folder, tmp_path, wanted=lambda name: name.endswith(".bin"))
    assert found(tmp_path) == {"a.bin": b"a"}


def test_what_is_not_wanted_now_stays(stored_folder, tmp_path):
    files = {"a.bin": b"a", "b.txt": b"b", "COMPLETED": b""}
    fill(stored_folder, files)
    sync_folder(stored_folder, tmp_path, wanted=every, last=LAST)
    before = {path: path.stat().st_ino for path in tmp_path.iterdir()}
    sync_folder(stored_folder, tmp_path, wanted=lambda name: name != "b.txt", last=LAST)
    assert {path: path.stat().st_ino for path in tmp_path.iterdir()} == before
    fill(stored_folder, {"b.txt": b"other"})
    sync_folder(stored_folder, tmp_path, wanted=every, last=LAST)
    assert found(tmp_path) == files | {"b.txt": b"other"}


def test_a_fetch_that_fails_leaves_nothing_that_looks_whole(stored_folder, tmp_path, monkeypatch):
    fill(stored_folder, {"a.bin": b"a", "b.bin": b"b", "COMPLETED": b""})
    sync_folder(stored_folder, tmp_path, wanted=every, last=LAST)
    fill(stored_folder, {"a.bin": b"A", "b.bin": b"B"})
    real = StorePath.info

    def info(path):
        if path.name == "b.bin":
            raise StorageError(5, "the server broke the connection off", str(path))
        return real(path)

    monkeypatch.setattr(StorePath, "info", info)
    with pytest.raises(StorageError, match="broke"):
        sync_folder(stored_folder, tmp_path, wanted=every, last=LAST)
    assert not (tmp_path / "COMPLETED").exists()
    monkeypatch.undo()
    sync_folder(stored_folder, tmp_path, wanted=every, last=LAST)
    assert found(tmp_path) == {"a.bin": b"A", "b.bin": b"B", "COMPLETED": b""}


def test_a_folder_that_changes_meanwhile_is_not_mirrored(stored_folder, tmp_path, monkeypatch):
    fill(stored_folder, {"a.bin": b"a", "COMPLETED": b""})
    real = StorePath.info

    def info(path):
        if path.name == "COMPLETED":
            (stored_folder / "a.bin").write_bytes(b"meanwhile")
        return real(path)

    monkeypatch.setattr(StorePath, "info", info)
    with pytest.raises(StorageError, match="changed while it was fetched"):
        sync_folder(stored_folder, tmp_path, wanted=every, last=LAST)
    assert not (tmp_path / "COMPLETED").exists()


def test_what_was_uploaded_from_here_is_not_fetched(stored_folder, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"a")
    (stored_folder / "a.bin").upload(tmp_path / "a.bin")
    note_uploaded(stored_folder, tmp_path, every)
    before = (tmp_path / "a.bin").stat().st_ino
    sync_folder(stored_folder, tmp_path, wanted=every)
    assert (tmp_path / "a.bin").stat().st_ino == before


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/a", "a//b", "a/", "./a", "", "a\0b"])
def test_no_name_leads_out_of_the_mirror(name):
    assert not is_plain(name)


def test_ordinary_names_are_plain():
    assert all(map(is_plain, ("a", "a/b.c", "..a", "a..b/c", ".hidden/x")))
