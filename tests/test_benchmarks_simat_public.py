"""The benchmark on the public tables, on a small made table of the same layout."""

import json

import numpy as np
import pytest
from fakes.pictures import picture_bytes
from fakes.simat import REGIONS, write_tables
from simat_public import main
from test_editing_editors_simat_scoring import ideal
from test_transforms_models_adaptation_heads import draw_heads

from transforms.models.adaptation_heads import save_heads


@pytest.fixture
def tables(tmp_path):
    return write_tables(tmp_path / "simat_db")


@pytest.fixture
def embeddings(tmp_path):
    """A file of embeddings, of other lengths and in another order than the tables'."""
    known, path = ideal().embeddings, tmp_path / "embeddings.npz"
    turned = np.arange(6)[::-1]
    np.savez(
        path,
        regions=np.array([int(region) for region in REGIONS])[turned],
        images=7 * known.images[turned],
        captions=known.captions,
        words=np.array(list(known.words)),
        word_embeddings=np.stack([3 * each for each in known.words.values()]),
    )
    return path


def measure(capsys, *words):
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]


def test_embeddings_of_ones_own_are_scored(capsys, tables, embeddings):
    half = ("--half", "test", "--lambdas", 1, 2)
    figures = measure(capsys, tables, "--embeddings", embeddings, *half)
    assert (figures["pictures"], figures["queries"], figures["oracle"]) == (6, 3, False)
    rows = {name: row["at_1"] for name, row in figures["rows"].items()}
    assert rows == pytest.approx(
        {
            "text to image": 1,
            "image to text to image, lambda 1": 1,
            "image to text to image, lambda 2": 1,
            "words, lambda 1": 1,
            "words, lambda 2": 1,
        }
    )


def test_an_oracle_says_what_pictures_show(capsys, tables, embeddings, tmp_path):
    np.save(tmp_path / "oracle.npy", np.zeros((6, 3)))
    oracle = ("--oracle", tmp_path / "oracle.npy", "--lambdas", 1)
    figures = measure(capsys, tables, "--embeddings", embeddings, *oracle)
    assert figures["oracle"]
    assert {row["at_5"] for row in figures["rows"].values()} == {0}


def test_a_matrix_that_torch_saved_is_read(capsys, tables, embeddings, tmp_path):
    import torch

    torch.save(torch.ones(6, 3), tmp_path / "oracle.pt")
    oracle = ("--oracle", tmp_path / "oracle.pt", "--lambdas", 1)
    figures = measure(capsys, tables, "--embeddings", embeddings, *oracle)
    assert {row["at_1"] for row in figures["rows"].values()} == {1}


def test_heads_change_the_space(capsys, tables, embeddings, tmp_path):
    save_heads(draw_heads(), tmp_path / "run" / "heads")
    more = ("--heads", tmp_path / "run", "--lambdas", 1)
    adapted = measure(capsys, tables, "--embeddings", embeddings, *more)
    assert adapted["rows"]["words, lambda 1"]["lambda"] == 1


@pytest.fixture
def presets():
    from fakes.command_line import preset_file

    return ("--preset", preset_file())


def test_pictures_are_encoded_and_kept(capsys, tables, tmp_path, presets):
    for number, region in enumerate(REGIONS):
        (tmp_path / f"{region}.png").write_bytes(picture_bytes(number))
    kept = tmp_path / "kept.npz"
    figures = measure(capsys, tables, "--pictures", tmp_path, *presets, "--save", kept)
    assert measure(capsys, tables, "--embeddings", kept)["rows"] == figures["rows"]


def test_pictures_are_cut_out_of_visual_genome_s(capsys, tables, tmp_path, presets):
    genome = tmp_path / "genome"
    genome.mkdir()
    for number, name in enumerate(("7", "8", "9")):
        (genome / f"{name}.jpg").write_bytes(picture_bytes(number, size=(32, 16)))
    kept = tmp_path / "kept.npz"
    measure(capsys, tables, "--visual-genome", genome, *presets, "--save", kept)
    images = np.load(kept)["images"]
    assert len({tuple(row) for row in images.tolist()}) == 6


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--embeddings", "nowhere.npz"), "nowhere.npz must be a .npz file of regions, images"),
        (("--pictures", "."), "must hold a picture 61.png"),
        (("--visual-genome", "."), "7.jpg: cannot be read"),
    ],
)
def test_what_is_missing_is_one_line(
    capsys, tables, presets, tmp_path, monkeypatch, flags, message
):
    monkeypatch.chdir(tmp_path)
    assert main([str(tables), *flags, *map(str, presets)]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("simat_public: error: ")
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1


def test_an_oracle_of_another_shape_is_one_line(capsys, tables, embeddings, tmp_path):
    np.save(tmp_path / "oracle.npy", np.zeros((6, 4)))
    words = [tables, "--embeddings", embeddings, "--oracle", tmp_path / "oracle.npy"]
    assert main(list(map(str, words))) == 1
    assert "must have shape (6, 3), got (6, 4)" in capsys.readouterr().err


def test_a_word_without_embedding_is_named(capsys, tables, embeddings, tmp_path):
    arrays = dict(np.load(embeddings))
    arrays["words"][1] = "wolf"
    np.savez(tmp_path / "other.npz", **arrays)
    assert main([str(tables), "--embeddings", str(tmp_path / "other.npz")]) == 1
    assert "must have embeddings of dog and 0 more" in capsys.readouterr().err
