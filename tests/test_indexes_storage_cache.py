import subprocess
import sys
import textwrap

import pytest

from indexes.storage.cache import cache_bound, cache_folder, mirror
from indexes.storage.errors import StorageError


def every(name):
    return True


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PAIRLOOM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_environment_says_where_and_how_much(monkeypatch, tmp_path):
    monkeypatch.delenv("PAIRLOOM_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "pairloom"
    monkeypatch.setenv("PAIRLOOM_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.setenv("PAIRLOOM_CACHE_GIB", "0.5")
    assert cache_bound() == 1 << 29
    for wrong in ("-1", "many", "nan"):
        monkeypatch.setenv("PAIRLOOM_CACHE_GIB", wrong)
        with pytest.raises(StorageError, match="PAIRLOOM_CACHE_GIB: must be a number of GiB"):
            cache_bound()


def test_a_folder_has_one_mirror(stored_folder, cache):
    (stored_folder / "a.bin").write_bytes(b"a")
    local = mirror(stored_folder, wanted=every)
    assert (local / "a.bin").read_bytes() == b"a"
    assert local.is_relative_to(cache)
    assert mirror(stored_folder, wanted=every) == local


FETCH = textwrap.dedent(
    """
    import sys
    from indexes.storage.cache import mirror
    from indexes.storage.paths import as_path
    print(mirror(as_path(sys.argv[1]), wanted=lambda name: True))
    """
)


def fetch_elsewhere(folder):
    """Mirrors `folder` in a process that has ended then; the path."""
    done = subprocess.run(
        [sys.executable, "-c", FETCH, str(folder)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_what_nobody_uses_makes_room(s3_store, cache, monkeypatch):
    from fakes.object_store import new_folder

    first, second, third = (new_folder(s3_store) for _ in range(3))
    for folder in (first, second, third):
        (folder / "a.bin").write_bytes(bytes(100_000))
    kept = mirror(first, wanted=every)  # by this process, which has it open
    unused = fetch_elsewhere(second)
    monkeypatch.setenv("PAIRLOOM_CACHE_GIB", str(250_000 / 2**30))
    newest = mirror(third, wanted=every)
    assert (kept / "a.bin").exists()
    assert (newest / "a.bin").exists()
    assert not (cache / unused).exists()
    # It comes back when it is asked for.
    assert (mirror(second, wanted=every) / "a.bin").stat().st_size == 100_000
