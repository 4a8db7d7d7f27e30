from itertools import pairwise

import numpy as np
import pytest
from fakes.index import unit_vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes.exact import ExactIndex
from indexes.faiss_index import FaissIndex, IndexChoice, build_index, choose_index, training_size
from indexes.layout import IndexFolderError
from indexes.search import NO_ROW, rescore
from indexes.sharded import ShardedIndex


def faiss_over(path, vectors, choice=None):
    choice = choice or IndexChoice("Flat", "")
    build_index([vectors], vectors[: training_size(len(vectors), choice)], choice, path=path)
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


def test_the_same_vectors_give_the_same_bytes_however_they_are_cut(tmp_path):
    vectors = unit_vectors(2000)
    choice = IndexChoice("IVF16,Flat", "nprobe=4")
    training = vectors[:800]
    build_index([vectors], training, choice, path=tmp_path / "one")
    build_index([vectors[:700], vectors[700:]], training, choice, path=tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_merged_shards_of_one_trained_index_equal_the_whole(tmp_path):
    import faiss

    vectors, queries = unit_vectors(2000), unit_vectors(9, seed=2)
    choice = IndexChoice("IVF16,Flat", "nprobe=16")
    whole = faiss_over(tmp_path / "whole", vectors, choice)
    cut = 900
    shards = []
    for number, part in enumerate((vectors[:cut], vectors[cut:])):
        path = tmp_path / f"{number}"
        build_index([part], vectors[: training_size(2000, choice)], choice, path=path)
        shards.append(FaissIndex(path, parameters=choice.parameters))
    assert faiss.read_index(str(tmp_path / "0")).ntotal == cut
    scores, rows = ShardedIndex(shards).search(queries, 12)
    whole_scores, whole_rows = whole.search(queries, 12)
    assert (rows == whole_rows).all()
    assert (scores == whole_scores).all()


@pytest.mark.parametrize(
    ("count", "key"),
    [
        (1, "Flat"),
        (100_000, "Flat"),
        (160_000, "IVF1600,Flat"),
        (250_000, "IVF2000,Flat"),
        (1_000_000, "IVF65536_HNSW32,Flat"),
        (10_000_000, "IVF262144_HNSW32,Flat"),
        (100_000_000, "IVF1048576_HNSW32,Flat"),
    ],
)
def test_the_index_suits_the_number_of_vectors(count, key):
    choice = choose_index(count)
    assert choice.key == key
    assert training_size(count, choice) <= count
    assert (choice.parameters == "") == (key == "Flat")


def test_a_file_that_is_no_index_is_refused(tmp_path):
    (tmp_path / "image.index").write_bytes(b"no index at all")
    with pytest.raises(IndexFolderError, match="is not a FAISS index"):
        FaissIndex(tmp_path / "image.index")
