"""Exports of data sets with splits: every file is of one, and loads as that."""

import json
import tarfile

import datasets
import pytest
from fakes import copies
from fakes.command_line import run

from transforms.dataset.reader import open_pairs


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    folder = tmp_path_factory.mktemp("split")
    copies.build(folder / "pairs", originals=12)
    done = run(
        "clean", folder / "pairs", "--out", folder / "split", "--splits", "train=0.5,test=0.5"
    )
    assert done.code == 0, done.err
    return folder / "split"


@pytest.mark.parametrize("form", ["hub-folder", "instruct-pix2pix"])
def test_tables_load_with_their_splits(split, tmp_path, form):
    words = ("--words", "prompt")
    assert run("export", split, "--format", form, "--out", tmp_path / "out", *words).code == 0
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in loaded.items()} == {
        name: len(open_pairs(split, name)) for name in ("train", "test")
    }
    assert all(len(rows) for rows in loaded.values())
    if form == "hub-folder":
        assert {name: set(rows["split"]) for name, rows in loaded.items()} == {
            name: {name} for name in loaded
        }


def test_tar_files_are_called_by_their_split(split, tmp_path):
    out = tmp_path / "out"
    done = run("export", split, "--format", "webdataset", "--out", out, "--words", "prompt")
    assert done.code == 0, done.err
    found = {}
    for path in sorted(out.glob("*.tar")):
        with tarfile.open(path) as archive:
            said = [json.load(archive.extractfile(m)) for m in archive if m.name.endswith(".json")]
        found.setdefault(path.name.partition("-")[0], []).extend(said)
    assert set(found) == {"train", "test"}
    for name, rows in found.items():
        assert {row["key"] for row in rows} == {pair.key for pair in open_pairs(split, name)}
        assert {row["split"] for row in rows} <= {name}
        assert all(row["source_group"] for row in rows)


def test_the_card_says_how_it_was_cleaned(split, tmp_path):
    run("export", split, "--format", "hub-folder", "--out", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "No picture, nor a near-copy of one, is in two splits." in card
    assert "| `source_group` |" in card
