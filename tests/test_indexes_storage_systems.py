"""Clients that are told of a server by the address, and that serve one thread at a time."""

import time
from concurrent.futures import ThreadPoolExecutor

import fsspec
import pytest
from fsspec.utils import infer_storage_options

from indexes.storage.errors import StorageError
from indexes.storage.paths import as_path
from indexes.storage.systems import forget_systems, is_address, open_system


class OneGuest(fsspec.AbstractFileSystem):
    """Says who was asked for what; it notes how many threads were in it at once."""

    protocol = "oneguest"

    def __init__(self, host, port=None, username=None, **options):
        super().__init__(**options)
        if host == "closed":
            raise RuntimeError("there is nobody in")
        self.host, self.port, self.username = host, port, username
        self.inside = self.most = 0

    @classmethod
    def _strip_protocol(cls, path):
        return infer_storage_options(path)["path"]

    @staticmethod
    def _get_kwargs_from_urls(address):
        given = infer_storage_options(address)
        return {name: given[name] for name in ("host", "port", "username") if name in given}

    def cat_file(self, path, start=None, end=None, **options):
        self.inside += 1
        self.most = max(self.most, self.inside)
        time.sleep(0.001)
        self.inside -= 1
        return f"{self.username} {self.host} {self.port} {path}".encode()


@pytest.fixture(autouse=True)
def registered():
    fsspec.register_implementation("oneguest", OneGuest, clobber=True)
    forget_systems()
    yield
    forget_systems()


def test_the_address_says_who_is_asked_and_for_what():
    assert as_path("oneguest://me@there:7/a/b").read_text() == "me there 7 /a/b"
    # To the client what follows `?` is no part of a name, but files have such names.
    odd = as_path("oneguest://there/a") / "what?is#this.png"
    assert odd.read_text() == "None there None /a/what?is#this.png"


def test_each_server_has_one_client():
    one, same, other = (
        as_path(f"oneguest://{host}/{name}").system
        for host, name in (("here", "a"), ("here", "b/c"), ("there", "a"))
    )
    assert one is same
    assert other is not one
    assert as_path("memory://one/a").system is as_path("memory://two/b").system


def test_threads_wait_for_each_other():
    path = as_path("oneguest://there/a")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: (path / str(number)).read_bytes(), range(40)))
    assert found == [f"None there None /a/{number}".encode() for number in range(40)]
    assert path.system.most == 1


def test_a_client_that_cannot_start_is_one_line():
    with pytest.raises(StorageError, match="oneguest://closed: there is nobody in"):
        as_path("oneguest://closed/a").read_bytes()
    with pytest.raises(StorageError, match="Protocol not known: nonesuch"):
        open_system("nonesuch")


@pytest.mark.parametrize("text", ["a::b", "file:///data", "local://data", "C:/data", "://data"])
def test_what_is_no_address(text):
    assert not is_address(text)


@pytest.mark.parametrize("text", ["s3://bucket", "S3://bucket", "hdfs:///data", "dir::file://data"])
def test_what_may_be_one(text):
    assert is_address(text)
