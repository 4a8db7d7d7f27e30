"""Indexes that cannot be used, and index folders that must not be written to."""

import json
import shutil

import pyarrow.parquet as pq
import pytest
from fakes.command_line import (
    CAPTIONS,
    build_command,
    copy_of_index,
    index_command,
    index_folder,
    make_collection,
    pool_folder,
    preset_file,
    run,
)
from fakes.folders import looks_finished

from indexes.folder import open_index
from pipelines.build.index_words import find_caption


@pytest.fixture
def spoilt(tmp_path):
    """A copy of a finished index that may be changed."""
    return copy_of_index(tmp_path / "index")


def refused(index, tmp_path, *more):
    """The line with which a build refuses `index`, without a data set that looks finished."""
    outcome = build_command(pool_folder(), tmp_path / "pairs", *more, index=index)
    assert not looks_finished(tmp_path / "pairs")
    return outcome.error


def test_an_index_that_is_not_there(tmp_path):
    line = refused(tmp_path / "nowhere", tmp_path)
    assert f"--index: must be an existing folder, got '{tmp_path / 'nowhere'}'" in line
    assert not (tmp_path / "pairs").exists()


def test_a_folder_that_is_no_index(tmp_path):
    line = refused(pool_folder(), tmp_path)
    assert line == f"{pool_folder().resolve()} is not an index: it has no pairloom.json"
    assert not (tmp_path / "pairs").exists()


def test_an_unfinished_index(spoilt, tmp_path):
    (spoilt / "COMPLETED").unlink()
    line = refused(spoilt, tmp_path)
    assert line == f"{spoilt.resolve()} is not finished: run the index command again"
    assert not (tmp_path / "pairs").exists()


def test_an_index_that_was_only_begun(spoilt, tmp_path):
    (spoilt / "COMPLETED").unlink()
    begun = json.loads((spoilt / "pairloom.json").read_text())
    only = {name: begun[name] for name in ("version", "description")}
    (spoilt / "pairloom.json").write_text(json.dumps(only))
    assert "is not finished" in refused(spoilt, tmp_path)


def other_preset(folder):
    """The tiny networks with another encoder of the same shape."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(preset_file().parent, folder)
    weights = folder / "clip" / "model.safetensors"
    tensors = load_file(weights)
    name = sorted(tensors)[0]
    save_file(tensors | {name: tensors[name] + torch.ones_like(tensors[name])}, weights)
    return folder / preset_file().name


def test_an_index_made_by_another_encoder(tmp_path):
    preset = other_preset(tmp_path / "preset")
    line = refused(index_folder(), tmp_path, "--preset", preset)
    assert line.startswith(
        f"{index_folder().resolve()} was made with the encoder clip clip sha256="
    )
    assert not (tmp_path / "pairs").exists()


def test_going_on_with_an_index_of_another_description(spoilt, tmp_path):
    before = {path: path.read_bytes() for path in spoilt.rglob("*") if path.is_file()}
    for more, name in (
        (("--preset", other_preset(tmp_path / "preset")), "encoder"),
        (("--seed", "7"), "seed"),
        (("--captions", "model"), "captioner"),
    ):
        line = index_command(pool_folder(), spoilt, *more).error
        assert line.startswith(f"{spoilt} holds an index with another {name}: ")
    other = index_command(make_collection(tmp_path / "other"), spoilt)
    assert other.error.startswith(f"{spoilt} holds an index with another source: ")
    assert before == {path: path.read_bytes() for path in spoilt.rglob("*") if path.is_file()}


def test_an_index_is_not_put_where_something_else_lies(tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to_my_mother.txt").write_text("Dear mother")
    line = index_command(pool_folder(), tmp_path / "letters").error
    assert line == f"{tmp_path / 'letters'} is not empty and not an index: choose another folder"
    (tmp_path / "file").write_text("a file")
    assert str(tmp_path / "file") in index_command(pool_folder(), tmp_path / "file").error


SPOILERS = {
    "manifest is no JSON": lambda index: (index / "pairloom.json").write_text("{"),
    "manifest is no object": lambda index: (index / "pairloom.json").write_text("[]"),
    "manifest lacks its counts": lambda index: shorten_manifest(index),
    "another version": lambda index: change_version(index),
    "metadata gone": lambda index: next((index / "metadata").iterdir()).unlink(),
    "metadata cut short": lambda index: cut(next((index / "metadata").iterdir())),
    "metadata lack a column": lambda index: drop_column(next((index / "metadata").iterdir())),
    "embeddings gone": lambda index: next((index / "img_emb").iterdir()).unlink(),
    "embeddings cut short": lambda index: cut(next((index / "img_emb").iterdir())),
    "structure cut short": lambda index: cut(next((index / "structure").iterdir())),
    "FAISS index gone": lambda index: (index / "image.index").unlink(),
    "FAISS index cut short": lambda index: cut(index / "image.index"),
    "FAISS index is none": lambda index: (index / "image.index").write_bytes(b"nonsense"),
    "FAISS parameters gone": lambda index: (index / "image.json").unlink(),
    "FAISS parameters are none": lambda index: (index / "image.json").write_text(
        '{"index_param": "nose=5"}'
    ),
}


def shorten_manifest(index):
    manifest = json.loads((index / "pairloom.json").read_text())
    del manifest["pictures"]
    (index / "pairloom.json").write_text(json.dumps(manifest))


def change_version(index):
    manifest = json.loads((index / "pairloom.json").read_text())
    (index / "pairloom.json").write_text(json.dumps(manifest | {"version": 99}))


def cut(path):
    path.write_bytes(path.read_bytes()[:-30])


def drop_column(path):
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["caption"]), path)


@pytest.mark.parametrize("fault", SPOILERS)
def test_a_damaged_index(spoilt, tmp_path, fault):
    SPOILERS[fault](spoilt)
    line = refused(spoilt, tmp_path)
    assert str(spoilt) in line
    assert "while running" not in line


def test_an_index_whose_pictures_have_moved(spoilt, tmp_path):
    manifest = json.loads((spoilt / "pairloom.json").read_text())
    manifest["description"]["source"]["path"] = str(tmp_path / "gone")
    (spoilt / "pairloom.json").write_text(json.dumps(manifest))
    built = build_command(pool_folder(), tmp_path / "pairs", index=spoilt)
    assert built.code == 0, built.err
    assert built.counts["pairs"] == 0
    assert built.counts["rejects"]["segment"] == {"target_gone": 6}


def test_a_caption_is_not_taken_for_another_picture_of_the_same_key():
    index = open_index(index_folder())
    key, content = index.key(2), index.content(2)
    assert find_caption(index, key, content) == (CAPTIONS[2], None)
    assert find_caption(index, key, index.content(3)) is None
    assert find_caption(index, "no such key", content) is None


def test_an_index_whose_source_is_of_no_known_kind(spoilt, tmp_path):
    manifest = json.loads((spoilt / "pairloom.json").read_text())
    manifest["description"]["source"] = {"kind": "attic"}
    (spoilt / "pairloom.json").write_text(json.dumps(manifest))
    assert "kind must be one of" in refused(spoilt, tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("captioner: 5\n", "part encoder is missing"),
        ("nose: {}\n", "part captioner is missing"),
        ("[]\n", "must map parts to models"),
        ("a: [\n", "not readable as YAML"),
    ],
)
def test_a_preset_that_breaks_a_rule(tmp_path, text, said):
    path = tmp_path / "preset.yaml"
    path.write_text(text)
    for command in (index_command, build_command):
        line = command(pool_folder(), tmp_path / "out", "--preset", path).error
        assert line.startswith(f"{path}: ")
        assert said in line
        assert not (tmp_path / "out").exists()


def test_a_preset_that_is_not_there(tmp_path):
    line = index_command(pool_folder(), tmp_path / "out", "--preset", "sd15").error
    assert line == "no preset 'sd15': neither a file nor one of sd14, stilllife"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("part", ["blip", "clip", "clipseg"])
def test_a_network_that_is_not_there(tmp_path, part):
    shutil.copytree(preset_file().parent, tmp_path / "preset")
    shutil.rmtree(tmp_path / "preset" / part)
    preset = tmp_path / "preset" / preset_file().name
    line = refused(index_folder(), tmp_path, "--preset", preset)
    assert line.startswith(f"no model at {tmp_path / 'preset' / part}: ")
    assert not (tmp_path / "pairs").exists()


def test_a_network_with_damaged_weights(tmp_path):
    shutil.copytree(preset_file().parent, tmp_path / "preset")
    weights = tmp_path / "preset" / "clip" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    preset = tmp_path / "preset" / preset_file().name
    line = index_command(pool_folder(), tmp_path / "out", "--preset", preset).error
    assert line.startswith(f"{tmp_path / 'preset' / 'clip'}: cannot be loaded (")
    assert not looks_finished(tmp_path / "out")


def test_verify_takes_an_index_and_names_what_is_neither(tmp_path):
    outcome = run("verify", index_folder())
    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "whole")
    assert run("verify", tmp_path / "nowhere").error.endswith(
        "must be a folder that holds a data set or an index"
    )
