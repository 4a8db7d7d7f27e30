import subprocess
import sys
from pathlib import Path

import pytest

from indexes.storage.cache import cache_folder
from indexes.storage.errors import StorageError
from indexes.storage.paths import as_path, from_folder, is_stored, lies_at, on_this_machine
from indexes.storage.store_path import StorePath


@pytest.mark.parametrize(
    "text", ["pictures", "/data/s3", "a:b/c", "a::b", "s3:/bucket", "file", ".", "./s3://bucket"]
)
def test_what_is_no_address_is_local(text):
    assert as_path(text) == Path(text)
    assert not is_stored(as_path(text))


@pytest.mark.parametrize(
    "text", ["s3://bucket/folder", "gs://bucket", "memory://a/b", "s3://a/b::c"]
)
def test_an_address_is_on_a_store(text):
    path = as_path(text)
    assert isinstance(path, StorePath)
    assert str(as_path(path)) == str(path) == text


@pytest.mark.parametrize("begin", ["file://", "FILE://localhost", "local://"])
def test_a_file_address_is_this_machine(begin, tmp_path):
    assert as_path(f"{begin}{tmp_path}") == tmp_path
    assert not is_stored(as_path(f"{begin}{tmp_path}"))


@pytest.mark.parametrize(
    "text", ["s3://me:hidden@bucket/folder", "simplecache::s3://me:hidden@bucket/folder"]
)
def test_credentials_do_not_stand_in_addresses(text):
    with pytest.raises(StorageError) as raised:
        as_path(text)
    assert "hidden" not in str(raised.value)


def test_what_stays_on_this_machine(tmp_path, monkeypatch):
    assert on_this_machine(tmp_path) == on_this_machine(f"file://{tmp_path}") == tmp_path
    with pytest.raises(StorageError, match="s3://bucket/folder: must be on this machine"):
        on_this_machine("s3://bucket/folder")
    monkeypatch.setenv("PAIRLOOM_CACHE", "s3://bucket/cache")
    with pytest.raises(StorageError, match="must be on this machine"):
        cache_folder()


@pytest.mark.parametrize("text", ["dir::file:///data", "zip://a.png::s3://bucket/some.zip"])
def test_chains_are_refused(text):
    with pytest.raises(StorageError, match="chain"):
        as_path(text)


@pytest.mark.parametrize("text", ["hdfs:///data", "s3://", "memory:///"])
def test_an_address_says_of_whom_it_is_asked(text):
    with pytest.raises(StorageError, match="must name a bucket or a server"):
        as_path(text)


@pytest.mark.parametrize(
    ("folder", "place", "found"),
    [
        ("s3://bucket/sources", "part.tar", "s3://bucket/sources/part.tar"),
        ("s3://bucket/sources", "/data/part.tar", "/data/part.tar"),
        ("/data", "gs://other/part.tar", "gs://other/part.tar"),
        ("/data", "inner/part.tar", "/data/inner/part.tar"),
    ],
)
def test_what_a_file_names_is_meant_from_its_folder(folder, place, found):
    assert str(from_folder(as_path(folder), place)) == found


def test_links_that_lead_nowhere_lie_there(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert lies_at(tmp_path / "link")
    assert not lies_at(tmp_path / "absent")
    assert not lies_at(as_path("memory://tests/absent"))


def test_an_unknown_scheme_is_told():
    with pytest.raises(StorageError, match=r"nonesuch://.*nonesuch"):
        as_path("nonesuch://bucket/folder").exists()


def test_a_client_that_is_not_installed_is_told_with_its_extra():
    code = (
        "import sys; sys.modules['s3fs'] = None\n"
        "from pipelines.main import main\n"
        "sys.exit(main(['verify', 's3://bucket/folder']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.splitlines() == [
        'pairloom: error: s3://: the client for it is not installed: pip install "pairloom[s3]"'
    ]


def test_local_paths_need_no_client():
    code = (
        "import sys; from indexes.storage.paths import as_path; as_path('x').exists()\n"
        "print(sorted(set(sys.modules) & {'fsspec', 's3fs', 'botocore', 'aiohttp'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
