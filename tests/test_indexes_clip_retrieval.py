"""Folders of clip-retrieval's are read as stored embeddings, or refused in one line."""

import pickle

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.clip_retrieval import VECTORS, write_folder

from indexes.clip_retrieval import embedding_files, open_embeddings
from indexes.layout import IndexFolderError


@pytest.mark.parametrize(
    ("kind", "most"), [("float16", 1e-3), ("float32", 1e-7), ("float64", 1e-7)]
)
def test_vectors_are_unit_vectors_in_the_order_of_the_parts(tmp_path, kind, most):
    stored = open_embeddings(write_folder(tmp_path / "e", kind=kind, vectors=VECTORS * 3))
    assert (len(stored), stored.dimension) == (5, 8)
    for row in range(5):
        vector = stored.embedding(row)
        assert vector.dtype == np.float32
        np.testing.assert_allclose(vector, VECTORS[row], atol=most)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    again = pickle.loads(pickle.dumps(stored))
    assert again.name(4) == "/data/a/4.jpg"


def test_pictures_are_found_by_key_and_by_the_end_of_their_path(tmp_path):
    names = ["/data/a/x.jpg", "/data/b/x.jpg", "000000012", "c/y.jpg", "/data/z.jpg"]
    stored = open_embeddings(write_folder(tmp_path / "e", names=names))
    assert stored.find(["a/x.jpg"]) == 0
    assert stored.find(["/moved/to/data/b/x.jpg"]) == 1
    assert stored.find(["000000012", "00000.tar#000000012.jpg"]) == 2
    assert stored.find(["y.jpg"]) == stored.find(["/anywhere/c/y.jpg"]) == 3
    assert stored.find(["x.jpg"]) is None  # two of them
    assert stored.find(["b/z.jpg"]) is None
    assert stored.find(["nothing.jpg"]) is None


def test_what_has_no_direction_has_no_embedding(tmp_path):
    vectors = VECTORS.copy()
    vectors[0], vectors[1, 3] = 0, np.nan
    stored = open_embeddings(write_folder(tmp_path / "e", vectors=vectors))
    assert stored.embedding(0) is None
    assert stored.embedding(1) is None
    assert stored.embedding(2) is not None


@pytest.mark.parametrize("factory", ["Flat", "IVF2,Flat", "HNSW8,Flat"])
def test_a_folder_of_an_index_alone_gives_its_vectors(tmp_path, factory):
    folder = write_folder(tmp_path / "e", kind="float32")
    index = faiss.index_factory(8, factory, faiss.METRIC_INNER_PRODUCT)
    index.train(VECTORS)
    index.add(VECTORS)
    for path in (folder / "img_emb").iterdir():
        path.unlink()
    faiss.write_index(index, str(folder / "image.index"))
    stored = open_embeddings(folder)
    for row in range(5):
        np.testing.assert_allclose(stored.embedding(row), VECTORS[row], atol=1e-6)
    assert embedding_files(folder)[0].name == "image.index"


def test_an_index_that_changes_vectors_is_refused(tmp_path):
    folder = write_folder(tmp_path / "e")
    index = faiss.index_factory(8, "SQ4", faiss.METRIC_INNER_PRODUCT)
    index.train(VECTORS)
    index.add(VECTORS)
    for path in (folder / "img_emb").iterdir():
        path.unlink()
    faiss.write_index(index, str(folder / "image.index"))
    with pytest.raises(IndexFolderError, match="keeps its vectors changed: name the folder"):
        open_embeddings(folder)


def spoil_nothing_there(folder):
    for path in folder.rglob("*.*"):
        path.unlink()


def spoil_no_metadata(folder):
    for path in (folder / "metadata").iterdir():
        path.unlink()


def spoil_fewer_rows(folder):
    pq.write_table(pa.table({"image_path": ["a"]}), folder / "metadata" / "metadata_1.parquet")


def spoil_a_part_less(folder):
    (folder / "metadata" / "metadata_1.parquet").unlink()


def spoil_no_image_path(folder):
    pq.write_table(pa.table({"key": ["a", "b"]}), folder / "metadata" / "metadata_1.parquet")


def spoil_whole_numbers(folder):
    np.save(folder / "img_emb" / "img_emb_1.npy", np.zeros((2, 8), np.int64))


def spoil_other_dimension(folder):
    np.save(folder / "img_emb" / "img_emb_1.npy", np.zeros((2, 9), np.float32))


def spoil_broken_array(folder):
    (folder / "img_emb" / "img_emb_0.npy").write_bytes(b"no array")


def spoil_broken_index(folder):
    for path in (folder / "img_emb").iterdir():
        path.unlink()
    (folder / "image.index").write_bytes(b"no index at all, but as long as the head of one is")


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (spoil_nothing_there, "neither img_emb/img_emb_0.npy nor image.index is there"),
        (spoil_no_metadata, "holds no metadata/metadata_0.parquet"),
        (spoil_fewer_rows, "img_emb_1.npy must have 2 rows of metadata, got 1"),
        (spoil_a_part_less, "img_emb_1.npy must have 2 rows of metadata, got none"),
        (spoil_no_image_path, "metadata_1.parquet cannot be read"),
        (spoil_whole_numbers, "must hold one of float16, float32, float64, got int64"),
        (spoil_other_dimension, r"must have one dimension, got \[8, 9\]"),
        (spoil_broken_array, "img_emb_0.npy cannot be read as an array"),
        (spoil_broken_index, "image.index cannot be read"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, spoil, error):
    folder = write_folder(tmp_path / "e")
    spoil(folder)
    with pytest.raises(IndexFolderError, match=error):
        open_embeddings(folder)
