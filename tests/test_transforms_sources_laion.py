import errno
import json
import tarfile
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.disk import files_of_at_most, refused_files
from fakes.records import read_all
from fakes.server import PICTURE

from transforms.dataset.files import OutputError
from transforms.fetching.fetcher import FetchOptions
from transforms.fetching.store import fetch_shard, open_store, read_stats
from transforms.protocols import SourceError
from transforms.record import Reject
from transforms.sources.img2dataset import Img2DatasetSource
from transforms.sources.laion import LaionMetadata

OPTIONS = FetchOptions(deadline_s=2, backoff_s=0.01, allow_addresses=("127.0.0.0/8",))
PATHS = ["/good", "/not_found", "/gzipped", "/noai", None, "/reset", "/redirect"]


@pytest.fixture
def metadata(server, tmp_path):
    """Seven links in two files, the second in LAION-400M's spelling."""
    links = [path and server.url(path) for path in PATHS]
    texts = [f"caption {i}" for i in range(6)] + [None]
    folder = tmp_path / "metadata"
    folder.mkdir()
    newer = {
        "URL": links[:5],
        "TEXT": texts[:5],
        "WIDTH": pa.array([40] * 5, pa.int32()),
        "hash": pa.array(range(5), pa.int64()),
        "punsafe": pa.array([0.25] * 5, pa.float32()),
        "pwatermark": pa.array([0.5] * 5, pa.float32()),
        "LANGUAGE": ["en", "de", "fr", None, "en"],
        "similarity": [0.3, 0.4, 0.35, None, 0.28],
    }
    older = {
        "url": links[5:],
        "caption": texts[5:],
        "WIDTH": pa.array([40.0] * 2, pa.float64()),
        "NSFW": ["UNLIKELY"] * 2,
    }
    pq.write_table(pa.table(newer), folder / "part-0.parquet", row_group_size=2)
    pq.write_table(pa.table(older), folder / "part-1.parquet")
    return LaionMetadata(str(folder), shard_size=3)


def fetch_everything(store, metadata, advance=lambda count: None):
    open_store(store, metadata)
    for shard in metadata.shards():
        if read_stats(store, shard) is None:
            fetch_shard(store, metadata, shard, options=OPTIONS, advance=advance)


def read_everything(store):
    return read_all(Img2DatasetSource(str(store)))


def test_links_in_every_spelling(metadata, server):
    shards = metadata.shards()
    assert [(s.name, s.file.name, s.start, s.stop) for s in shards] == [
        ("00000", "part-0.parquet", 0, 3),
        ("00001", "part-0.parquet", 3, 5),
        ("00002", "part-1.parquet", 0, 2),
    ]
    links = [link for shard in shards for link in metadata.read(shard)]
    assert [link.key for link in links] == [
        f"0000{s}000{r}" for s, rows in ((0, 3), (1, 2), (2, 2)) for r in range(rows)
    ]
    assert [link.url for link in links] == [(p and server.url(p)) or "" for p in PATHS]
    assert links[3].caption == "caption 3"
    assert links[6].caption is None
    assert links[0].extra == {
        "punsafe": 0.25,
        "pwatermark": 0.5,
        "hash": 0,
        "WIDTH": 40,
        "LANGUAGE": "en",
        "similarity": 0.3,
    }
    assert {links[6].extra[name] for name in links[0].extra if name != "WIDTH"} == {None}
    assert links[6].extra["WIDTH"] == 40.0


def test_fetched_pictures_are_a_source(metadata, server, tmp_path):
    store = tmp_path / "store"
    fetch_everything(store, metadata)
    found = read_everything(store)
    assert len(found) == len(PATHS)
    outcome = {row.key: getattr(row, "reason", None) for row in found}
    assert outcome == {
        "000000000": None,
        "000000001": "http_404",
        "000000002": None,
        "000010000": "opted_out",
        "000010001": "bad_url",
        "000020000": "connection_lost",
        "000020001": None,
    }
    first = next(row for row in found if row.key == "000000000")
    assert first.image == PICTURE
    assert first.alt_text == "caption 0"
    assert first.url == server.url("/good")
    assert (first.nsfw, first.watermark) == ("0.25", 0.5)
    assert (first.language, first.similarity) == ("en", 0.3)
    later = next(row for row in found if row.key == "000020001")
    assert (later.language, later.similarity) == (None, None)
    missing = next(row for row in found if row.key == "000000001")
    assert isinstance(missing, Reject)
    assert missing.detail == "the server answers 404"
    assert Img2DatasetSource(str(store)).open(first.reference) == PICTURE


def test_the_store_is_laid_out_as_img2dataset_does(metadata, tmp_path):
    store = tmp_path / "store"
    fetch_everything(store, metadata)
    names = {f"0000{i}{end}" for i in range(3) for end in (".tar", ".parquet", "_stats.json")}
    assert {path.name for path in store.iterdir()} == names | {"fetch.json"}
    with tarfile.open(store / "00000.tar") as tar:
        assert tar.getnames() == [
            f"00000000{i}.{end}" for i in (0, 2) for end in ("png", "txt", "json")
        ]
        values = json.load(tar.extractfile("000000000.json"))
    table = pq.read_table(store / "00000.parquet")
    assert values == {k: v for k, v in table.to_pylist()[0].items() if k in values}
    assert table.column("status").to_pylist() == ["success", "failed_to_download", "success"]
    assert table.column("key").to_pylist() == ["000000000", "000000001", "000000002"]
    assert table.schema.field("hash").type == pa.int64()
    stats = json.loads((store / "00000_stats.json").read_text())
    assert (stats["count"], stats["successes"], stats["failed_to_download"]) == (3, 2, 1)
    assert stats["status_dict"] == {"success": 2, "http_404": 1}


def test_a_second_run_asks_for_nothing_and_a_lost_shard_comes_back_the_same(
    metadata, server, tmp_path
):
    store = tmp_path / "store"
    fetch_everything(store, metadata)
    before = {path.name: path.read_bytes() for path in store.iterdir() if "stats" not in path.name}
    server.asked.clear()
    fetch_everything(store, metadata)
    assert not server.asked
    (store / "00000_stats.json").unlink()
    (store / "00000.tar").write_bytes(b"half")
    (store / ".00000.tar.0123abcd.tmp").write_bytes(b"left behind")
    fetch_everything(store, metadata)
    assert set(server.asked) == {"/good", "/not_found", "/gzipped"}
    assert before == {
        path.name: path.read_bytes() for path in store.iterdir() if "stats" not in path.name
    }


def test_a_killed_run_leaves_no_shard_that_looks_whole(metadata, tmp_path):
    store = tmp_path / "store"
    calls = []

    def die(count):
        calls.append(count)
        if len(calls) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_everything(store, metadata, die)
    assert sorted(path.name for path in store.iterdir()) == [
        "00000.parquet",
        "00000.tar",
        "00000_stats.json",
        "00001.partial",
        "fetch.json",
    ]
    full = refused_files("_stats.json", errno.ENOSPC)
    with full, pytest.raises(OutputError, match="No space left"):
        fetch_shard(
            store, metadata, metadata.shards()[1], options=OPTIONS, advance=lambda count: None
        )
    assert read_stats(store, metadata.shards()[1]) is None
    assert len(read_everything(store)) == 5


def test_a_tar_half_written_is_not_there_and_its_pictures_are_kept(metadata, server, tmp_path):
    # Its two pictures have room on the disk, the tar with their captions has none.
    full = files_of_at_most(2 * len(PICTURE) + 2000)
    store = tmp_path / "store"
    open_store(store, metadata)
    with full, pytest.raises(OutputError, match=r"cannot write .*00000\.tar: File too large"):
        fetch_shard(
            store, metadata, metadata.shards()[0], options=OPTIONS, advance=lambda count: None
        )
    assert {path.name for path in store.iterdir()} == {"fetch.json", "00000.partial"}
    server.asked.clear()
    fetch_everything(store, metadata)
    assert not {"/not_found", "/gzipped"} & set(server.asked)
    assert not list(store.glob("*.partial"))


def test_a_store_takes_one_set_of_metadata(metadata, tmp_path):
    store = tmp_path / "store"
    open_store(store, metadata)
    open_store(store, metadata)
    with pytest.raises(OutputError, match="other metadata, or of another shard size or other"):
        open_store(store, replace(metadata, shard_size=2))
    (store / "fetch.json").write_text("{")
    with pytest.raises(OutputError, match=r"fetch\.json: cannot read it"):
        open_store(store, metadata)
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter.txt").write_text("mine")
    with pytest.raises(OutputError, match="did not write"):
        open_store(other, metadata)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"TEXT": ["a"]}, "column URL is missing"),
        ({"URL": [1]}, "column URL must hold text, it holds int64"),
        ({"URL": ["a"], "TEXT": [1.5]}, "column TEXT must hold text, it holds double"),
        ({"URL": ["a"], "pwatermark": ["x"]}, "column pwatermark must hold a number"),
        ({"URL": ["a"], "similarity": ["x"]}, "column similarity must hold a number"),
        ({"URL": ["a"], "language": [7]}, "column language must hold text"),
        ({"URL": []}, "metadata holds no rows|must hold text"),
    ],
)
def test_metadata_with_other_columns(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "m.parquet")
    with pytest.raises(SourceError, match=message):
        LaionMetadata(str(tmp_path / "m.parquet")).shards()


def test_metadata_that_cannot_be_read(tmp_path, metadata):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"no \.parquet file here"):
        LaionMetadata(str(tmp_path / "empty")).shards()
    with pytest.raises(SourceError, match="no readable Parquet file"):
        LaionMetadata(str(tmp_path / "nowhere")).shards()
    path = tmp_path / "metadata" / "part-0.parquet"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SourceError, match=r"part-0\.parquet: no readable Parquet file"):
        LaionMetadata(str(tmp_path / "metadata")).shards()
    with pytest.raises(SourceError, match="shard_size must be a whole number in"):
        LaionMetadata("x", shard_size=10_001)
