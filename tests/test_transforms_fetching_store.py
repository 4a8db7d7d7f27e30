"""Several shards at a time: slow links of one hold up no other, and the bytes are the same."""

import time
from collections import Counter
from contextlib import ExitStack

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.silence import silent_host

from transforms.dataset.files import OutputError
from transforms.fetching.options import FetchOptions
from transforms.fetching.store import OPEN_SHARDS, fetch_shards, open_store, read_stats
from transforms.protocols import SourceError
from transforms.sources.laion import LaionMetadata

OPTIONS = FetchOptions(
    deadline_s=5, silence_s=1, backoff_s=0.01, retries=0, allow_addresses=("127.0.0.0/8",)
)
SHARDS = 8


def write_links(folder, urls, *, shard_size):
    folder.mkdir()
    pq.write_table(pa.table({"URL": urls}), folder / "links.parquet")
    return LaionMetadata(str(folder), shard_size=shard_size)


def fetch(store, metadata, shards=None, options=OPTIONS, advance=lambda _: None):
    open_store(store, metadata)
    shards = metadata.shards() if shards is None else shards
    return fetch_shards(store, metadata, shards, options=options, advance=advance)


def bytes_of(store):
    return {path.name: path.read_bytes() for path in store.iterdir() if "stats" not in path.name}


def test_the_tails_of_shards_are_waited_for_together(server, tmp_path):
    with ExitStack() as hosts:
        silent = [hosts.enter_context(silent_host(f"127.0.0.{n + 2}")) for n in range(SHARDS)]
        urls = [
            url for host in silent for url in (server.url("/good"), f"http://{host}/", "not a link")
        ]
        metadata = write_links(tmp_path / "links", urls, shard_size=3)
        began = time.monotonic()
        counts = fetch(tmp_path / "store", metadata)
        # One after the other they would take a second each.
        assert time.monotonic() - began < SHARDS - 1
    assert counts == {"success": SHARDS, "deadline": SHARDS, "bad_url": SHARDS}
    for shard in metadata.shards():
        assert read_stats(tmp_path / "store", shard) == Counter(success=1, deadline=1, bad_url=1)
    assert not list((tmp_path / "store").glob("*.partial"))


def test_the_bytes_are_those_of_one_shard_after_the_other(server, tmp_path):
    paths = ["/good", "/not_found", "/large", "/redirect", "/noai"] * 7
    metadata = write_links(tmp_path / "links", [server.url(path) for path in paths], shard_size=4)
    together, apart = tmp_path / "together", tmp_path / "apart"
    counts = fetch(together, metadata)
    one_by_one = sum((fetch(apart, metadata, [shard]) for shard in metadata.shards()), Counter())
    assert counts == one_by_one
    assert bytes_of(together) == bytes_of(apart)


def test_no_more_shards_are_begun_than_may_be_open(server, tmp_path):
    most = 0
    with silent_host("127.0.0.2") as silent:
        urls = [f"http://{silent}/{n}" for n in range(12)]
        metadata = write_links(tmp_path / "links", urls, shard_size=1)

        def look(_):
            nonlocal most
            most = max(most, len(list((tmp_path / "store").glob("*.partial"))))

        counts = fetch(tmp_path / "store", metadata, advance=look)
    assert most == OPEN_SHARDS
    assert counts["deadline"] + counts["silent_host"] == 12


def test_shards_of_which_nothing_is_missing_are_written_without_asking(server, tmp_path):
    metadata = write_links(tmp_path / "links", [server.url("/good")] * 6, shard_size=2)
    store, seen = tmp_path / "store", 0

    def stop(count):
        nonlocal seen
        seen += count
        if seen == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(store, metadata, advance=stop)
    fetch(store, metadata, [each for each in metadata.shards() if read_stats(store, each) is None])
    assert [read_stats(store, each) for each in metadata.shards()] == [{"success": 2}] * 3
    assert server.asked["/good"] == 6


def test_metadata_that_break_off_leave_what_was_fetched(server, tmp_path):
    metadata = write_links(tmp_path / "links", [server.url("/good")] * 8, shard_size=2)

    def broken():
        yield from metadata.shards()[:3]
        raise SourceError("it breaks off")

    with pytest.raises(SourceError, match="it breaks off"):
        fetch(tmp_path / "store", metadata, broken())
    assert fetch(tmp_path / "store", metadata) == {"success": 8}


def test_a_store_that_cannot_be_written_ends_it_in_one_line(server, tmp_path):
    metadata = write_links(tmp_path / "links", [server.url("/good")] * 4, shard_size=2)
    open_store(tmp_path / "store", metadata)
    (tmp_path / "store" / "00001.tar").mkdir()
    with pytest.raises(OutputError, match=r"cannot write .*00001\.tar"):
        fetch(tmp_path / "store", metadata)
    (tmp_path / "store" / "00001.tar").rmdir()
    assert fetch(tmp_path / "store", metadata) == {"success": 4}
