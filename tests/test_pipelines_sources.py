import argparse
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from fakes.pictures import picture_bytes

from pipelines.fetch import command as fetch
from pipelines.sources import open_source, read_spec
from pipelines.still_life.source import StillLifeSubset
from pipelines.terminal.console import CommandError
from transforms.pictures.decoding import PictureLimits
from transforms.protocols import SourceError
from transforms.sources.folder import FolderSource
from transforms.sources.img2dataset import Img2DatasetSource

PNG = picture_bytes(0, size=(20, 20))


def write_yaml(path, values):
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return str(path)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.png").write_bytes(PNG)
    return folder


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    pq.write_table(pa.table({"key": ["a"], "png": [PNG]}), folder / "00000.parquet")
    return folder


def test_paths(photos, store, monkeypatch):
    assert open_source(str(photos)) == FolderSource(str(photos))
    assert open_source(str(store)) == Img2DatasetSource(str(store))
    one = open_source(str(store / "00000.parquet"))
    assert one == Img2DatasetSource(str(store / "00000.parquet"))
    assert len(one.shards()) == 1
    monkeypatch.chdir(photos.parent)
    assert open_source("photos") == FolderSource(str(photos))


def test_source_files(photos, store, tmp_path):
    limits = {"max_pixels": 1000, "min_side": 4}
    folder = {"kind": "folder", "path": "photos", "shard_size": 7, "limits": limits}
    assert open_source(write_yaml(tmp_path / "a.yaml", folder)) == FolderSource(
        str(photos), shard_size=7, limits=PictureLimits(max_pixels=1000, min_side=4)
    )
    tars = {"kind": "img2dataset", "path": str(store)}
    assert open_source(write_yaml(tmp_path / "b.yml", tars)) == Img2DatasetSource(str(store))
    laion = {"kind": "laion", "metadata": "links.parquet", "store": "store"}
    assert open_source(write_yaml(tmp_path / "c.yaml", laion)) == Img2DatasetSource(str(store))


def test_describe_makes_the_same_source_again(photos, store):
    still = open_source(
        {"kind": "still-life", "count": 5, "seed": 3, "shard_size": 2, "told": True}
    )
    drawn = StillLifeSubset(collection=still, objects=2, drawn=2, draw_seed=7)
    sources = [open_source(str(photos)), open_source(str(store)), still, drawn]
    for source in [*sources, open_source("still-life")]:
        description = json.loads(json.dumps(source.describe()))
        assert open_source(description) == source
        assert open_source(description).shards() == source.shards()
    assert sum(shard.stop - shard.start for shard in still.shards()) == 5
    assert sum(shard.stop - shard.start for shard in drawn.shards()) == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"kind": "folder", "path": "x", "colour": 1},
            "unknown key 'colour', a folder source takes",
        ),
        ({"kind": "folder"}, "a folder source needs the key path"),
        ({"kind": "painting"}, "kind must be one of folder, img2dataset, laion, links, still-life"),
        ({"path": "x"}, "kind must be one of"),
        ({"kind": ["folder"]}, "kind must be one of"),
        ({"kind": "folder", "path": 7}, "path must be text, got 7"),
        ({"kind": "folder", "path": "x", "shard_size": "7"}, "shard_size must be a whole number"),
        ({"kind": "folder", "path": "x", "shard_size": True}, "shard_size must be a whole number"),
        ({"kind": "folder", "path": "x", "shard_size": 0}, "shard_size must be"),
        ({"kind": "folder", "path": "x", "limits": {"pixels": 1}}, "limits: unknown key 'pixels'"),
        ({"kind": "folder", "path": "x", "limits": {"min_side": 0}}, "limits: min_side must be"),
        (
            {"kind": "folder", "path": "x", "limits": {"min_side": "a"}},
            "limits: min_side must be a whole",
        ),
        (
            {"kind": "folder", "path": "x", "limits": {"max_pixels": 10**10}},
            "max_pixels must be <=",
        ),
        ({"kind": "still-life", "number": 5}, "unknown key 'number', a still-life source takes"),
        ({"kind": "laion", "metadata": "m.parquet"}, "fetch them with `pairloom fetch`"),
        ({"kind": "laion", "metadata": "m", "store": "nowhere"}, "nothing fetched there yet"),
        ({"kind": "still-life", "told": 1}, "told must be true or false, got 1"),
        ({"kind": "still-life", "objects": 1}, "to draw pictures from it needs the key drawn"),
        ({"kind": "still-life", "draw_seed": 1}, "to draw pictures from it needs the key objects"),
        ({"kind": "still-life", "objects": 3, "drawn": 1}, "objects must be 1 or 2, got 3"),
        ({1: 2, "kind": "folder"}, "unknown key 1"),
        (["kind", "folder"], "must be a mapping"),
        ("kind: [", "no readable YAML"),
        ("", "must be a mapping"),
    ],
)
def test_source_files_that_are_wrong(tmp_path, values, message):
    path = write_yaml(tmp_path / "source.yaml", values)
    with pytest.raises(SourceError, match=message) as caught:
        open_source(path)
    assert "\n" not in str(caught.value)


def test_specs_that_name_nothing(tmp_path):
    with pytest.raises(SourceError, match="nowhere: no such folder or file"):
        open_source(str(tmp_path / "nowhere"))
    with pytest.raises(SourceError, match="cannot read it: No such file"):
        open_source(str(tmp_path / "nowhere.yaml"))
    (tmp_path / "letter.doc").write_text("x")
    with pytest.raises(SourceError, match=r"must be \.yaml, \.tar or \.parquet"):
        open_source(str(tmp_path / "letter.doc"))


def test_the_examples_are_valid(request):
    examples = sorted((request.config.rootpath / "data_manifests" / "sources").glob("*.yaml"))
    assert {read_spec(path).kind for path in examples} == {
        "folder",
        "img2dataset",
        "laion",
        "still-life",
    }


def fetch_command(*words):
    parser = argparse.ArgumentParser()
    fetch.add_parser(parser.add_subparsers())
    args = parser.parse_args(["fetch", *words])
    return args.run(args)


@pytest.fixture
def links(server, tmp_path):
    path = tmp_path / "links.parquet"
    urls = [server.url(name) for name in ("/good", "/not_found", "/good?2", "/gzipped")]
    pq.write_table(pa.table({"URL": urls, "TEXT": ["a", "b", "c", "d"]}), path)
    return path


def test_fetch_makes_a_source(links, tmp_path, capsys):
    out = tmp_path / "out"
    words = [str(links), "--out", str(out), "--shard-size", "2", "--allow-address", "127.0.0.1"]
    for _ in range(2):
        assert fetch_command(*words, "--json") == 0
        last = capsys.readouterr().out.splitlines()[-1]
        assert json.loads(last) == {"links": 4, "pictures": 2, "rejects": {"http_404": 2}}
    assert len(open_source(str(out)).shards()) == 2
    values = {"kind": "laion", "metadata": "links.parquet", "store": "out", "shard_size": 2}
    spec = write_yaml(tmp_path / "s.yaml", values | {"fetch": {"deadline_s": 1.5}})
    assert fetch_command(spec) == 0
    assert open_source(spec) == open_source(str(out))


def test_fetch_says_what_is_wrong(links, photos, tmp_path, capsys):
    out = str(tmp_path / "out")
    with pytest.raises(CommandError, match="--out is missing"):
        fetch_command(str(links))
    with pytest.raises(CommandError, match=r"no\.parquet: no readable Parquet file"):
        fetch_command(str(tmp_path / "no.parquet"), "--out", out)
    with pytest.raises(CommandError, match="in_flight must be >= 1, got 0"):
        fetch_command(str(links), "--out", out, "--in-flight", "0")
    with pytest.raises(CommandError, match="shard_size must be"):
        fetch_command(str(links), "--out", out, "--shard-size", "0")
    with pytest.raises(CommandError, match="'intranet' does not appear to be"):
        fetch_command(str(links), "--out", out, "--allow-address", "intranet")
    values = {"kind": "laion", "metadata": "links.parquet", "store": "out"}
    spec = write_yaml(tmp_path / "s.yaml", values | {"fetch": {"speed": 1}})
    with pytest.raises(CommandError, match="fetch: unknown key 'speed', it takes deadline_s"):
        fetch_command(spec)
    spec = write_yaml(tmp_path / "t.yaml", {"kind": "folder", "path": "photos"})
    with pytest.raises(CommandError, match="only a laion source is fetched, this is kind folder"):
        fetch_command(spec, "--out", out)
    with pytest.raises(CommandError, match="did not write"):
        fetch_command(str(links), "--out", str(photos))
    assert fetch_command(str(links), "--out", out) == 1  # nothing but forbidden addresses
    assert "forbidden_address" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["path", "limits", "kind"])
def test_lists_of_lists_of_lists_are_told_shortly(tmp_path, place):
    lines = ["path: .", "a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for name, before in zip("bcdefghij", "abcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    nested = yaml.safe_load("\n".join(lines))["j"]
    spec = {"kind": "folder", "path": str(tmp_path)}
    spec[place] = {"max_pixels": nested} if place == "limits" else nested
    with pytest.raises(SourceError, match=place) as error:
        open_source(spec)
    assert len(str(error.value)) < 1000
