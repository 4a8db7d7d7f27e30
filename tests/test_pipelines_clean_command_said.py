"""What img2dataset's files say of a picture, followed to the pairs, the filters and back."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.command_line import run
from fakes.img2dataset import write_tar

from indexes.checks import check_index
from indexes.folder import open_index
from pipelines.still_life.source import StillLifeSource
from transforms.dataset.reader import open_pairs

COUNT = 60
LANGUAGES = ("en", "en", "de", None)
SIMILARITIES = (0.35, 0.3, 0.28, 0.4, None)
NAMES = ["language", "similarity"]


def said_of(position):
    return {
        "LANGUAGE": LANGUAGES[position % len(LANGUAGES)],
        "similarity": SIMILARITIES[position % len(SIMILARITIES)],
    }


def write_parquet(folder, pictures):
    rows = [
        {"key": key, "caption": text, "png": data, "status": "success", **said_of(position)}
        for position, (key, text, data) in enumerate(pictures)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "00000.parquet")


def write_tars(folder, pictures):
    members = [
        (key, {"png": data, "txt": text.encode(), "json": json.dumps(said_of(position)).encode()})
        for position, (key, text, data) in enumerate(pictures)
    ]
    write_tar(folder / "00000.tar", members)


@pytest.fixture(scope="module")
def pictures():
    source = StillLifeSource(count=COUNT, told=True)
    return [
        (f"{position:09d}", picture.alt_text, picture.image)
        for shard in source.shards()
        for position, picture in enumerate(source.read(shard))
    ]


@pytest.fixture(scope="module", params=[write_parquet, write_tars])
def world(request, tmp_path_factory, pictures):
    """A store, an index of it, and pairs that were cleaned by language."""
    root = tmp_path_factory.mktemp("said")
    (root / "store").mkdir()
    request.param(root / "store", pictures)
    own = ("--captions", "source")
    chosen = ("--no-selection", "--edits", 2, "--filter", "language=en")
    for words in (
        ("index", root / "store", *own, "--out", root / "index"),
        (
            "build",
            root / "store",
            *own,
            *chosen,
            "--index",
            root / "index",
            "--out",
            root / "pairs",
        ),
    ):
        done = run(*words)
        assert done.code == 0, done.error
    return root


def test_the_index_has_what_the_store_says(world):
    index = open_index(world / "index")
    for row in index.rows(range(COUNT)):
        wanted = said_of(row.position)
        assert (row.language, row.similarity) == tuple(wanted.values())
    table = pq.read_table(world / "index" / "metadata" / "metadata_00000.parquet", columns=NAMES)
    assert table["similarity"].to_pylist() == [said_of(n)["similarity"] for n in range(COUNT)]


def test_both_pictures_of_a_pair_have_it(world):
    pairs = [pair.row for pair in open_pairs(world / "pairs")]
    before = [pair.row for pair in open_pairs(world / "pairs" / "before")]
    assert pairs
    for row in before:
        for side in ("source", "target"):
            wanted = said_of(int(row[f"{side}_key"]))
            assert [row[f"{side}_{name}"] for name in NAMES] == [*wanted.values()]
    assert {row[f"{side}_language"] for row in pairs for side in ("source", "target")} == {"en"}
    kept = {row["key"] for row in pairs}
    for row in before:
        english = row["source_language"] == row["target_language"] == "en"
        assert (row["key"] in kept) == english
    details = {
        row["detail"]
        for row in open_pairs(world / "pairs").rejects.rows(["detail", "stage"])
        if row["stage"] == "filter"
    }
    assert "source: language must be en, got de" in details
    assert "target: language must be en, got nothing known" in details


def test_sources_are_filtered_as_they_are_read(world, tmp_path):
    own = (world / "store", "--captions", "source")
    english = ("--source-filter", "language=en")
    rules = (*english, "--source-filter", "width=>=64")
    done = run("index", *own, *rules, "--out", tmp_path / "index", "--json")
    assert done.code == 0, done.error
    assert done.counts["rejects"] == {"filter_sources: language_filtered": COUNT // 2}
    index = open_index(tmp_path / "index")
    assert len(index) == COUNT // 2
    assert {row.language for row in index.rows(range(len(index)))} == {"en"}
    assert check_index(tmp_path / "index").problems == []
    other = run("index", *own, "--out", tmp_path / "index")
    assert other.code == 1
    assert "holds an index with another source_filters" in other.error

    words = ("--index", tmp_path / "index", "--no-selection", "--cap", "source=1")
    done = run("build", *own, *english, *words, "--out", tmp_path / "pairs")
    assert done.code == 0, done.error
    pairs = open_pairs(tmp_path / "pairs")
    languages = {pair.row[f"{side}_language"] for pair in pairs for side in ("source", "target")}
    assert languages == {"en"}
    rejects = [
        row for row in pairs.rejects.rows(["stage", "detail"]) if row["stage"] == "filter_sources"
    ]
    assert len(rejects) == COUNT // 2
    assert {row["detail"] for row in rejects} == {
        "language must be en, got de",
        "language must be en, got nothing known",
    }
    assert pairs.manifest.configuration["index"]["source_filters"] == {
        "language": "en",
        "width": ">=64",
    }
    card = (tmp_path / "pairs" / "README.md").read_text()
    assert "Pictures of the sources were read only with `language`: `en`." in card
    assert run("verify", tmp_path / "pairs").code == 0
    change = ("--filter", "similarity=>=0.3?", "--out", tmp_path / "changed")
    assert run("rethreshold", tmp_path / "pairs", *change).code == 0
    assert run("verify", tmp_path / "changed").code == 0


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("sharpness=>=5", "--source-filter: a filter of sources must be of one of licence, "),
        ("language=<=2", "--source-filter: filter language: no number can be"),
    ],
)
@pytest.mark.parametrize("command", ["index", "build"])
def test_rules_that_no_source_can_be_held_to_are_one_line(world, tmp_path, command, rule, said):
    index = () if command == "index" else ("--index", world / "index")
    out = ("--out", tmp_path / "out")
    done = run(command, world / "store", *index, *out, "--source-filter", rule)
    assert done.code == 2
    assert said in done.error
    assert not (tmp_path / "out").exists()


def test_other_rules_need_no_pictures(world, tmp_path):
    out = tmp_path / "other"
    rules = ("--filter", "language=none", "--filter", "similarity=>=0.3?")
    done = run("rethreshold", world / "pairs", "--out", out, *rules)
    assert done.code == 0, done.error
    kept = {pair.row["key"] for pair in open_pairs(out)}
    for pair in open_pairs(world / "pairs" / "before"):
        similar = [pair.row[f"{side}_similarity"] for side in ("source", "target")]
        assert (pair.row["key"] in kept) == all(each is None or each >= 0.3 for each in similar)
    assert run("verify", out).code == 0
    assert run("verify", world / "index").code == 0
