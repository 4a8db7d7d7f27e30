from itertools import pairwise

import numpy as np
import pytest
from fakes.index import unit_vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes.exact import ExactIndex
from indexes.faiss_building import VectorParts, build_index
from indexes.faiss_index import FaissIndex
from indexes.index_choice import IndexChoice
from indexes.layout import IndexFolderError
from indexes.search import NO_ROW, best_first, rescore, score_pairs
from indexes.sharded import ShardedIndex


def faiss_over(path, vectors, choice=None):
    choice = choice or IndexChoice("Flat", "")
    build_index(VectorParts.of([vectors]), choice, path=path)
    return FaissIndex(path, parameters=choice.parameters)


def test_exact_search_is_sorting_by_inner_product():
    vectors, queries = unit_vectors(500), unit_vectors(7, seed=1)
    scores, rows = ExactIndex(vectors, block_rows=64).search(queries, 9)
    expected = np.argsort(-(queries.astype(float) @ vectors.T.astype(float)), axis=1)[:, :9]
    assert (rows == expected).all()
    assert scores.dtype == np.float32
    assert (np.diff(scores, axis=1) <= 0).all()


def test_equal_scores_are_answered_by_rising_row():
    vectors = np.repeat(unit_vectors(3), 40, axis=0)
    _, rows = ExactIndex(vectors, block_rows=50).search(vectors[40:41], 6)
    assert rows[0].tolist() == [40, 41, 42, 43, 44, 45]


def test_too_few_vectors_leave_places_empty():
    scores, rows = ExactIndex(unit_vectors(2)).search(unit_vectors(1), 4)
    assert (rows[0, 2:] == NO_ROW).all()
    assert np.isneginf(scores[0, 2:]).all()


def test_no_vectors_and_no_queries():
    assert (ExactIndex(unit_vectors(0)).search(unit_vectors(2), 3)[1] == NO_ROW).all()
    assert ExactIndex(unit_vectors(5)).search(unit_vectors(0), 3)[1].shape == (0, 3)


@pytest.mark.parametrize(("shape", "k"), [((3, 5), 1), ((16,), 1), ((3, 16), 0)])
def test_wrong_queries_are_refused(shape, k):
    with pytest.raises(ValueError, match="must"):
        ExactIndex(unit_vectors(4)).search(np.zeros(shape, np.float32), k)


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 300),
    cuts=st.lists(st.integers(0, 300), max_size=4),
    k=st.integers(1, 40),
    block=st.integers(1, 200),
    distinct=st.integers(1, 300),
    seed=st.integers(0, 5),
)
def test_shards_answer_as_one(count, cuts, k, block, distinct, seed):
    vectors = unit_vectors(count, seed=seed)
    vectors = vectors[np.arange(count) % distinct]
    queries = unit_vectors(4, seed=seed + 100)
    bounds = [0, *sorted(min(cut, count) for cut in cuts), count]
    shards = [ExactIndex(vectors[start:stop], block_rows=block) for start, stop in pairwise(bounds)]
    scores, rows = ShardedIndex(shards).search(queries, k)
    one_scores, one_rows = ExactIndex(vectors).search(queries, k)
    assert (rows == one_rows).all()
    assert (scores == one_scores).all()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), k=st.integers(1, 20))
def test_flat_faiss_finds_what_exact_search_finds(tmp_path_factory, seed, k):
    vectors, queries = unit_vectors(400, seed=seed), unit_vectors(5, seed=seed + 1)
    index = faiss_over(tmp_path_factory.mktemp("faiss") / "image.index", vectors)
    _, found = index.search(queries, min(k + 5, 400))
    scores, rows = rescore(queries, found, lambda wanted: vectors[wanted], k=k)
    exact_scores, exact_rows = ExactIndex(vectors).search(queries, k)
    assert (rows == exact_rows).all()
    assert (scores == exact_scores).all()


@pytest.mark.parametrize(("asked", "most", "k"), [(1, 1, 1), (70, 26, 10), (3, 4, 9), (0, 5, 2)])
def test_scores_of_many_queries_are_to_the_bit_those_of_each(asked, most, k):
    vectors, queries = unit_vectors(300, 512), unit_vectors(asked, 512, seed=1)
    vectors[50:60] = vectors[40]
    rng = np.random.default_rng(asked)
    found = np.stack([rng.permutation(80)[:most] for _ in range(asked)] or [np.empty(most)])
    found = found[:asked].astype(np.int64)
    found[::2, most // 2 :] = NO_ROW
    scores, rows = rescore(queries, found, lambda wanted: vectors[wanted], k=k)
    assert (scores.dtype, scores.shape, rows.shape) == (np.float32, (asked, k), (asked, k))
    for number, query in enumerate(queries):
        present = found[number][found[number] != NO_ROW]
        expected = best_first(score_pairs(query, vectors[present]), present, k)
        assert (scores[number] == expected[0]).all()
        assert (rows[number] == expected[1]).all()


@pytest.mark.parametrize("key", ["IVF16,Flat", "IVF16_HNSW32,Flat"])
def test_inverted_lists_recall_grows_to_all(tmp_path, key):
    vectors, queries = unit_vectors(2000), unit_vectors(20, seed=3)
    _, exact = ExactIndex(vectors).search(queries, 10)

    def recall(probes):
        choice = IndexChoice(key, f"nprobe={probes}")
        _, rows = faiss_over(tmp_path / f"{probes}.index", vectors, choice).search(queries, 10)
        return np.mean([len(set(a) & set(b)) / 10 for a, b in zip(rows, exact, strict=True)])

    assert recall(1) < 0.9
    assert recall(1) < recall(4) < recall(16) == 1


def test_a_file_that_is_no_index_is_refused(tmp_path):
    (tmp_path / "image.index").write_bytes(b"no index at all")
    with pytest.raises(IndexFolderError, match="is not a FAISS index"):
        FaissIndex(tmp_path / "image.index")
