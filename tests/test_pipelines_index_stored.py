"""An index of pictures whose embeddings clip-retrieval made."""

import json

import numpy as np
import pytest
from fakes.clip_retrieval import write_folder
from fakes.still_life import POOL

from indexes.folder import open_index
from pipelines.index.job import run_index
from pipelines.index.plan import IndexPlan
from pipelines.index.stored import describe_embeddings, looks_like_embeddings
from pipelines.main import main
from pipelines.running.execution import Execution
from transforms.sources.folder import FolderSource
from transforms.take_embeddings import OtherEncoderError


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Twelve picture files with captions beside them."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, picture in zip(range(12), POOL.read(POOL.shards()[0]), strict=False):
        (folder / f"{number:02d}.png").write_bytes(picture.image)
        (folder / f"{number:02d}.txt").write_text(picture.alt_text)
    return folder


@pytest.fixture(scope="module")
def own(pictures, tiny_preset, tmp_path_factory):
    """The index of them that the preset's own encoder makes."""
    folder = tmp_path_factory.mktemp("own") / "index"
    run_index(plan(pictures, tiny_preset, folder), Execution())
    return open_index(folder)


def plan(pictures, preset, folder, **settings):
    return IndexPlan(
        source=FolderSource(str(pictures)),
        preset=preset,
        folder=str(folder),
        captions="source",
        **settings,
    )


def store(index, folder, *, order, vectors=None):
    """The embeddings of `index` as clip-retrieval writes them, in another order."""
    vectors = index.embeddings(order) if vectors is None else vectors
    names = [f"/elsewhere/{index.row(row).reference}" for row in order]
    sizes = (len(order) - 3, 3)
    return write_folder(folder, names=names, vectors=vectors, sizes=sizes)


def test_the_index_is_that_of_the_encoder_but_for_half_precision(
    pictures, own, tiny_preset, tmp_path
):
    order = np.random.default_rng(0).permutation(12).tolist()
    stored = store(own, tmp_path / "stored", order=order)
    summary = run_index(
        plan(pictures, tiny_preset, tmp_path / "index", embeddings=str(stored)), Execution()
    )
    assert (summary.indexed, summary.rejects) == (12, {})
    index = open_index(tmp_path / "index", encoder=own.description["encoder"])
    assert index.keys() == own.keys()
    assert index.captions() == own.captions()
    rows = list(range(12))
    np.testing.assert_allclose(index.embeddings(rows), own.embeddings(rows), atol=1e-3)
    np.testing.assert_array_equal(index.structures(rows), own.structures(rows))
    assert index.description["embeddings"] == describe_embeddings(str(stored))


def test_pictures_without_an_embedding_are_rejects(pictures, own, tiny_preset, tmp_path):
    stored = store(own, tmp_path / "stored", order=list(range(2, 12)))
    target = tmp_path / "index"
    summary = run_index(plan(pictures, tiny_preset, target, embeddings=str(stored)), Execution())
    assert (summary.indexed, summary.rejects) == (10, {"embed: no_embedding": 2})


def test_embeddings_of_another_encoder_are_refused(pictures, own, tiny_preset, tmp_path):
    turned = np.roll(own.embeddings(list(range(12))), 5, axis=1)
    turned[:, ::2] *= -1
    stored = store(own, tmp_path / "stored", order=list(range(12)), vectors=turned)
    with pytest.raises(OtherEncoderError, match="another encoder than the preset's"):
        run_index(
            plan(pictures, tiny_preset, tmp_path / "index", embeddings=str(stored)), Execution()
        )


def test_embeddings_of_other_pictures_are_refused(pictures, own, tiny_preset, tmp_path):
    names = [f"other/{n}.jpg" for n in range(5)]
    vectors = own.embeddings(list(range(5)))
    stored = write_folder(tmp_path / "stored", names=names, vectors=vectors)
    with pytest.raises(OtherEncoderError, match="of none of the first"):
        run_index(
            plan(pictures, tiny_preset, tmp_path / "index", embeddings=str(stored)), Execution()
        )


def test_changed_embeddings_are_another_index(pictures, own, tiny_preset, tmp_path):
    stored = store(own, tmp_path / "stored", order=list(range(12)))
    before = describe_embeddings(str(stored))
    np.save(stored / "img_emb" / "img_emb_1.npy", np.ones((3, own.dimension), np.float32))
    assert describe_embeddings(str(stored)) != before


def test_a_folder_of_embeddings_is_no_collection(own, tmp_path, capsys):
    stored = store(own, tmp_path / "stored", order=list(range(12)))
    assert looks_like_embeddings(stored)
    assert main(["index", str(stored), "--out", str(tmp_path / "index")]) == 2
    said = capsys.readouterr().err
    assert f"pairloom index PICTURES --embeddings {stored}" in said.replace("\n", " ")


def test_what_is_said_of_it_is_json(own, tmp_path):
    stored = store(own, tmp_path / "stored", order=list(range(12)))
    assert json.loads(json.dumps(describe_embeddings(str(stored))))["path"] == str(stored)
