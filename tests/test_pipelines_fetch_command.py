"""What a source file may say by itself, and what only the command line may."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from fakes.command_line import loaded_by, run
from fakes.records import read_all

from transforms.record import Reject
from transforms.sources.img2dataset import Img2DatasetSource


@pytest.fixture
def links(server, tmp_path):
    """A folder with the metadata of two links, and the function that writes a source file to it."""
    home = tmp_path / "home"
    home.mkdir()
    urls = [server.url("/good"), server.url("/not_found")]
    pq.write_table(pa.table({"URL": urls, "TEXT": ["a", "b"]}), home / "links.parquet")

    def write(**values):
        path = home / "source.yaml"
        path.write_text(yaml.safe_dump({"kind": "laion", "metadata": "links.parquet"} | values))
        return path

    return write


@pytest.mark.parametrize(
    ("in_file", "flags", "missing"),
    [
        (["127.0.0.0/8"], [], "127.0.0.0/8"),
        (["127.0.0.1"], [], "127.0.0.1/32"),
        (["0.0.0.0/0"], ["127.0.0.0/8"], "0.0.0.0/0"),
        (["127.0.0.0/8"], ["127.0.0.0/9"], "127.0.0.0/8"),
        (["127.0.0.0/8", "10.0.0.0/8"], ["127.0.0.0/8"], "10.0.0.0/8"),
        (["::1/128"], ["0.0.0.0/0"], "::1/128"),
        (["::ffff:127.0.0.1"], ["127.0.0.0/8"], "::ffff:7f00:1/128"),
    ],
)
def test_a_file_alone_opens_no_network(links, server, tmp_path, in_file, flags, missing):
    source = links(fetch={"allow_addresses": in_file})
    words = [word for flag in flags for word in ("--allow-address", flag)]
    done = run("fetch", source, "--out", tmp_path / "out", *words)
    said = done.error.replace("::ffff:127.0.0.1/128", "::ffff:7f00:1/128")
    assert f"allow_addresses {missing} is let through only if the command line says so" in said
    assert f"--allow-address {missing}" in said
    assert not server.asked
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flag", ["127.0.0.1", "127.0.0.0/8", "0.0.0.0/0"])
def test_the_command_line_opens_what_the_file_names(links, server, tmp_path, flag):
    source = links(fetch={"allow_addresses": ["127.0.0.1/32"]})
    done = run("fetch", source, "--out", tmp_path / "out", "--allow-address", flag)
    assert done.code == 0
    assert server.asked["/good"] == 1


def test_without_networks_of_its_own_a_file_is_as_before(links, server, tmp_path):
    for values in ({}, {"fetch": {}}, {"fetch": {"allow_addresses": []}}):
        done = run("fetch", links(**values), "--out", tmp_path / "out")
        assert done.code == 1  # nothing but forbidden addresses
    assert not server.asked


@pytest.mark.parametrize(
    ("fetch", "error"),
    [
        ({"allow_addresses": "127.0.0.0/8"}, "allow_addresses must be a list of networks"),
        ({"allow_addresses": None}, "allow_addresses must be a list of networks"),
        ({"allow_addresses": [2130706433]}, "a network must be text like 10.1.0.0/16"),
        ({"allow_addresses": ["10.1.2.3/8"]}, "has host bits set"),
        ({"in_flight": 10**9}, "in_flight must be <= 1000"),
        ({"in_flight": True}, "in_flight must be a whole number"),
        ({"per_host": 10**6}, "per_host must be <= 1000"),
        ({"retries": 10**6}, "retries must be <= 100"),
        ({"max_bytes": 10**12}, "max_bytes must be <= 1000000000"),
        ({"max_redirects": -1}, "max_redirects must be >= 0"),
        ({"deadline_s": float("inf")}, "deadline_s must be a finite number"),
        ({"deadline_s": float("nan")}, "deadline_s must be a finite number"),
        ({"deadline_s": "30"}, "deadline_s must be a finite number"),
        ({"deadline_s": True}, "deadline_s must be a finite number"),
        ({"deadline_s": 10**6}, r"deadline_s must be in \(0, 3600\]"),
        ({"backoff_s": float("inf")}, "backoff_s must be a finite number"),
        ({"backoff_s": 10**6}, r"backoff_s must be in \[0, 3600\]"),
        ({"limits": {}}, "unknown key 'limits'"),
        ({"user_agent": "x"}, "unknown key 'user_agent'"),
    ],
)
def test_what_a_file_asks_for_has_bounds(links, tmp_path, fetch, error):
    done = run("fetch", links(fetch=fetch), "--out", tmp_path / "out")
    assert done.code == 1
    with pytest.raises(ValueError, match=error):
        raise ValueError(done.error)


@pytest.mark.parametrize(
    "store", ["../elsewhere", "{tmp}/elsewhere", "link/elsewhere", "a/../../b"]
)
def test_a_file_writes_outside_its_folder_only_if_the_command_line_says_so(links, tmp_path, store):
    (tmp_path / "home" / "link").symlink_to(tmp_path)
    source = links(store=store.format(tmp=tmp_path))
    done = run("fetch", source)
    assert done.code == 1
    assert "is not below the folder of the source file" in done.error
    assert "--out" in done.error
    assert {path.name for path in tmp_path.iterdir()} == {"home"}


def test_a_store_below_the_files_folder_is_written(links, server, tmp_path):
    source = links(store="deep/er/store")
    assert run("fetch", source, "--allow-address", "127.0.0.1").code == 0
    assert (tmp_path / "home" / "deep" / "er" / "store" / "00000.tar").exists()


def test_columns_that_do_not_agree_are_said_before_anything_is_fetched(links, server, tmp_path):
    source = links(metadata=".")
    other = pa.table({"URL": ["http://a/"], "WIDTH": ["wide"]})
    pq.write_table(other, tmp_path / "home" / "z.parquet")
    one = pa.table({"URL": [server.url("/good")], "WIDTH": [64]})
    pq.write_table(one, tmp_path / "home" / "links.parquet")
    done = run("fetch", source, "--out", tmp_path / "out", "--allow-address", "127.0.0.1")
    assert done.code == 1
    assert "z.parquet: column WIDTH holds string, in links.parquet it holds int64" in done.error
    assert not server.asked
    assert not (tmp_path / "out").exists()


def test_links_that_break_a_rule_are_not_fetched(links, server, tmp_path):
    source = links(metadata=".")
    urls = [server.url(path) for path in ("/good", "/gzipped", "/redirect", "/not_found")]
    said = {
        "LANGUAGE": ["en", "de", "en", None],
        "similarity": [0.35, 0.4, 0.2, 0.4],
        "WIDTH": [640, 640, 640, 640],
        "HEIGHT": [480, 480, 480, None],
    }
    table = pa.table({"URL": urls, "TEXT": ["a", "b", "c", "d"], **said})
    pq.write_table(table, tmp_path / "home" / "links.parquet")
    out = ("--out", tmp_path / "out")
    rules = ("language=en,de", "similarity=>=0.3", "aspect=<=1.4", "height=>=480")
    flags = [word for rule in rules for word in ("--source-filter", rule)]
    done = run("fetch", source, *out, "--allow-address", "127.0.0.1", *flags, "--json")
    assert done.code == 0, done.error
    assert {*server.asked} == {"/good", "/gzipped"}
    assert done.counts == {
        "links": 4,
        "pictures": 2,
        "rejects": {"similarity_filtered": 1, "aspect_filtered": 1},
    }
    rows = read_all(Img2DatasetSource(str(tmp_path / "out")))
    assert [row.detail if isinstance(row, Reject) else row.language for row in rows] == [
        "en",
        "de",
        "similarity must be >=0.3, got 0.2",
        "aspect must be <=1.4, got nothing known",
    ]

    server.asked.clear()
    again = run("fetch", source, *out, "--allow-address", "127.0.0.1", *flags)
    assert again.code == 0
    assert not server.asked
    other = run("fetch", source, *out, "--allow-address", "127.0.0.1")
    assert other.code == 1
    assert "of another shard size or other filters" in other.error


def test_where_no_link_keeps_the_rules_nothing_is_asked(links, server, tmp_path):
    flags = ("--source-filter", "language=en", "--allow-address", "127.0.0.1")
    done = run("fetch", links(), "--out", tmp_path / "out", *flags)
    assert done.code == 1
    assert "language_filtered" in done.error
    assert not server.asked
    assert run("fetch", links(), "--out", tmp_path / "x", "--source-filter", "text=>=1").code == 2


def test_fetching_loads_neither_torch_nor_beam():
    """They are hundreds of megabytes, and fetch promises how much memory it takes."""
    said, loaded = loaded_by("fetch", "--help")
    assert "--allow-address" in said
    assert loaded.isdisjoint({"torch", "apache_beam", "transformers"})
