"""A run that is stopped anywhere is gone on with, and what it fetched is not fetched again."""

import json
from contextlib import contextmanager, suppress
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.server import PICTURE

from transforms.dataset.files import OutputError
from transforms.fetching.options import FetchOptions
from transforms.fetching.partial import open_partial
from transforms.fetching.policy import FetchError
from transforms.fetching.store import fetch_shard, open_store, read_stats
from transforms.pictures.decoding import PictureLimits, normalise
from transforms.protocols import SourceError
from transforms.sources.laion import LaionMetadata, Link

OPTIONS = FetchOptions(deadline_s=5, backoff_s=0.01, retries=0, allow_addresses=("127.0.0.0/8",))
LIMITS = PictureLimits()
PATHS = ["/good", "/not_found", "/gzipped", "/noai", "/redirect", "/half", "/good_without_length"]


def make_link(number, url="http://a/"):
    return Link(f"{number:09d}", url, None, {})


@contextmanager
def stopped(path, limits=LIMITS):
    """What `open_partial` gives, in a run that is stopped at the end of the block."""
    with suppress(KeyboardInterrupt), open_partial(path, limits) as partial:
        yield partial
        raise KeyboardInterrupt


def write_partial(path):
    """Two pictures and a failure between them."""
    picture = normalise(PICTURE)
    with stopped(path) as partial:
        partial.add(make_link(0), picture)
        partial.add(make_link(1), FetchError("http_404", "gone"))
        partial.add(make_link(2), picture)
    return path.read_bytes()


def settled(path, limits=LIMITS):
    """Which of the three links need not be fetched, every picture of them being whole."""
    with stopped(path, limits) as partial:
        found = [number for number in range(3) if partial.settles(make_link(number))]
        for number in set(found) - {1}:
            assert partial.read(partial.outcomes[make_link(number).key]) == PICTURE
    return found


def test_wherever_it_breaks_off_what_was_whole_is_there(tmp_path):
    path = tmp_path / "00000.partial"
    whole = write_partial(path)
    assert settled(path) == [0, 1, 2]
    assert path.read_bytes() == whole
    counts = []
    for length in range(0, len(whole), 101):
        path.write_bytes(whole[:length])
        found = settled(path)
        assert found == [0, 1, 2][: len(found)]
        counts.append(len(found))
        assert whole.startswith(path.read_bytes()) or length < 100
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2}


def test_damage_costs_what_follows_it(tmp_path):
    path = tmp_path / "00000.partial"
    whole = write_partial(path)
    for place in range(0, len(whole), 103):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        found = settled(path)
        assert found == [0, 1, 2][: len(found)]
    for text in (b"", b"\n", b"[]\n", b"[" * 90_000, b'{"key": 1}\n', b"\0" * 1000):
        path.write_bytes(text)
        assert settled(path) == []


@pytest.mark.parametrize(
    "change",
    [{"size": -1}, {"size": 10**15}, {"extension": "../x"}, {"sha256": "0"}, {"width": "1"}],
)
def test_facts_that_cannot_be_are_no_facts(tmp_path, change):
    path = tmp_path / "00000.partial"
    lines = write_partial(path).split(b"\n", 2)
    lines[1] = json.dumps(json.loads(lines[1]) | change).encode()
    path.write_bytes(b"\n".join(lines))
    assert settled(path) == []


def test_other_limits_judge_again(tmp_path):
    path = tmp_path / "00000.partial"
    write_partial(path)
    assert settled(path, replace(LIMITS, max_pixels=2000)) == []


@pytest.mark.parametrize(
    ("reason", "settles"),
    [
        ("http_404", True),
        ("opted_out", True),
        ("forbidden_address", True),
        ("truncated", True),
        ("deadline", False),
        ("silent_host", False),
        ("connection_lost", False),
        ("http_503", False),
        ("http_429", False),
    ],
)
def test_what_may_pass_is_tried_again(tmp_path, reason, settles):
    path = tmp_path / "00000.partial"
    for _ in range(2):
        with stopped(path) as partial:
            partial.add(make_link(0), FetchError(reason, "a line"))
            assert partial.settles(make_link(0)) == settles
            assert not partial.settles(make_link(0, "http://another/"))
            assert not partial.settles(make_link(1))


def test_it_is_gone_when_the_shard_is_whole_and_never_a_link(tmp_path):
    path = tmp_path / "00000.partial"
    with open_partial(path, LIMITS) as partial:
        partial.add(make_link(0), normalise(PICTURE))
    assert not path.exists()
    (tmp_path / "elsewhere").write_text("mine")
    path.symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(OutputError, match=r"cannot write .*00000\.partial"),
        open_partial(path, LIMITS),
    ):
        pass
    assert (tmp_path / "elsewhere").read_text() == "mine"


@pytest.fixture
def metadata(server, tmp_path):
    """Two shards of the same seven links; WIDTH differs in type between their files."""
    folder = tmp_path / "metadata"
    folder.mkdir()
    urls = [server.url(path) for path in PATHS]
    for name, width in (("a", pa.array([7] * 7, pa.int32())), ("b", [7.0] * 6 + [float("nan")])):
        pq.write_table(pa.table({"URL": urls, "WIDTH": width}), folder / f"{name}.parquet")
    return LaionMetadata(str(folder))


def fetch(store, metadata, stop_after=10**9):
    """Fetches, and is stopped after so many links of it."""
    done = 0

    def advance(count):
        nonlocal done
        done += count
        if done >= stop_after:
            raise KeyboardInterrupt

    open_store(store, metadata)
    for shard in metadata.shards():
        if read_stats(store, shard) is None:
            fetch_shard(store, metadata, shard, options=OPTIONS, advance=advance)


def bytes_of(store):
    return {path.name: path.read_bytes() for path in store.iterdir() if "stats" not in path.name}


def test_stopped_after_every_link_the_bytes_are_the_same_and_nothing_is_asked_twice(
    metadata, server, tmp_path
):
    fetch(tmp_path / "whole", metadata)
    asked_once = dict(server.asked)
    server.asked.clear()
    for links in (*range(1, 8), *range(1, 8)):
        with suppress(KeyboardInterrupt):
            fetch(tmp_path / "stopped", metadata, stop_after=links)
    fetch(tmp_path / "stopped", metadata)
    assert bytes_of(tmp_path / "stopped") == bytes_of(tmp_path / "whole")
    # What was in flight when it was stopped is all that was asked for again.
    assert set(server.asked) == set(asked_once)
    server.asked.clear()
    fetch(tmp_path / "stopped", metadata)
    assert not server.asked


def test_columns_of_different_types_are_fetched_with_null_for_nan(metadata, tmp_path):
    store = tmp_path / "store"
    fetch(store, metadata)
    tables = [pq.read_table(store / f"0000{n}.parquet") for n in (0, 1)]
    assert tables[0].schema == tables[1].schema
    assert tables[1].column("WIDTH").to_pylist() == [7] * 6 + [None]
    assert not list(store.glob("*.partial"))


def test_what_cannot_be_written_is_said_before_anything_is_fetched(server, tmp_path):
    for name, values in (("a", [1, 2]), ("b", ["x", "y"])):
        table = pa.table({"URL": [server.url("/good")] * 2, "hash": values})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    with pytest.raises(SourceError, match=r"b\.parquet: column hash holds string"):
        fetch(tmp_path / "store", LaionMetadata(str(tmp_path)))
    assert not server.asked
