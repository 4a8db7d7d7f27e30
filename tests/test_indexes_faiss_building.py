from itertools import pairwise

import faiss
import numpy as np
import pytest
from fakes.index import unit_vectors

from indexes.faiss_building import VectorParts, build_index
from indexes.faiss_index import FaissIndex
from indexes.index_choice import IndexChoice

CODES = ["Flat", "SQfp16", "SQ8", "PQ8"]


def cut(vectors, *places):
    bounds = [0, *places, len(vectors)]
    return VectorParts.of([vectors[start:stop] for start, stop in pairwise(bounds)])


def built(path, parts, key, **options):
    build_index(parts, IndexChoice(key, ""), path=path, **options)
    return path.read_bytes()


@pytest.mark.parametrize("key", ["Flat", *(f"IVF16,{name}" for name in CODES)])
def test_cores_pieces_and_parts_change_no_byte(tmp_path, key):
    vectors = unit_vectors(3000)
    one = built(tmp_path / "one", cut(vectors), key, threads=1)
    assert one == built(tmp_path / "two", cut(vectors, 700, 700), key, threads=2, piece_bytes=9999)
    assert one == built(tmp_path / "many", cut(vectors, 5, 2000), key, threads=7, piece_bytes=640)
    assert one != built(tmp_path / "other", cut(vectors[::-1]), key)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many", "one", "other", "two"]


@pytest.mark.parametrize("key", [f"IVF16,{name}" for name in CODES])
def test_seeds_draw_other_lists(tmp_path, key):
    parts = cut(unit_vectors(3000))
    assert built(tmp_path / "a", parts, key, seed=1) != built(tmp_path / "b", parts, key, seed=2)


@pytest.mark.parametrize("key", ["Flat", "IVF2900,Flat", *(f"IVF16,{name}" for name in CODES)])
def test_the_file_is_what_faiss_itself_writes(tmp_path, key):
    vectors = unit_vectors(3000)
    written = built(tmp_path / "image.index", cut(vectors, 1000), key)
    index = faiss.read_index(str(tmp_path / "image.index"))
    index.reset()
    faiss.omp_set_num_threads(1)
    index.add(vectors)
    assert faiss.serialize_index(index).tobytes() == written


def test_lists_are_as_good_as_those_that_faiss_trains(tmp_path):
    rng = np.random.default_rng(0)
    vectors = unit_vectors(200, 32)[rng.integers(200, size=8000)]
    vectors = vectors + 0.1 * rng.normal(size=vectors.shape)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    built(tmp_path / "image.index", cut(vectors), "IVF100,Flat")
    ours = faiss.read_index(str(tmp_path / "image.index"))
    theirs = faiss.index_factory(32, "IVF100,Flat", faiss.METRIC_INNER_PRODUCT)
    theirs.train(vectors)

    def closeness(index):
        return index.quantizer.search(vectors, 1)[0].mean()

    assert closeness(ours) >= 0.99 * closeness(theirs)
    sizes = [ours.invlists.list_size(number) for number in range(100)]
    assert min(sizes) > 0


def test_equal_vectors_leave_no_list_without_a_centre(tmp_path):
    vectors = np.repeat(unit_vectors(3), 500, axis=0)
    built(tmp_path / "image.index", cut(vectors), "IVF16,Flat")
    index = faiss.read_index(str(tmp_path / "image.index"))
    centres = faiss.downcast_index(index.quantizer).reconstruct_n(0, 16)
    assert np.allclose(np.linalg.norm(centres, axis=1), 1, atol=1e-5)
    assert index.ntotal == 1500


def test_a_kind_that_is_not_known_here_is_built_by_faiss(tmp_path):
    vectors = unit_vectors(2000)
    built(tmp_path / "image.index", cut(vectors, 900), "IVF16_HNSW32,Flat")
    index = FaissIndex(tmp_path / "image.index", parameters="nprobe=16")
    assert (index.search(vectors, 1)[1][:, 0] == np.arange(2000)).all()


def test_parts_are_opened_one_at_a_time(tmp_path):
    vectors, opened = unit_vectors(3000), []

    def load(number):
        opened.append(number)
        return vectors[number * 1000 : (number + 1) * 1000]

    parts = VectorParts([1000, 0, 1000, 0], 16, load)
    assert len(parts) == 2000
    built(tmp_path / "image.index", parts, "IVF16,Flat")
    assert opened == [0, 2, 0, 2]
