import numpy as np
import pytest
from fakes.index import DIMENSION, build_index, unit_vectors
from test_transforms_models_adaptation_heads import draw_heads

from indexes.search import NO_ROW
from transforms.pictures.structure import structure_similarity
from transforms.search_space import SearchSpace, rank_rows, weigh_structure


@pytest.fixture(scope="module")
def index(tmp_path_factory, pool):
    return build_index(tmp_path_factory.mktemp("index"), [pool])


def test_without_heads_it_is_the_index(index):
    space, queries = SearchSpace(index), unit_vectors(3)
    for given, wanted in zip(space.search(queries, 4), index.search(queries, 4), strict=True):
        assert np.array_equal(given, wanted)
    assert np.array_equal(space.image(queries[0]), queries[0])
    assert np.array_equal(space.text(queries[1]), queries[1])


def test_with_heads_it_finds_what_exact_search_among_adapted_pictures_finds(index):
    heads = draw_heads(dimension=DIMENSION, width=5)
    space, queries = SearchSpace(index, heads), unit_vectors(3, dimension=5)
    scores, rows = space.search(queries, 4)
    exact = queries @ heads.adapt_images(index.embeddings(range(len(index)))).T
    assert np.array_equal(rows, np.argsort(-exact, axis=1)[:, :4])
    assert np.allclose(scores, np.take_along_axis(exact, rows, 1), atol=1e-6)


def test_more_than_there_are_are_padded(index):
    scores, rows = SearchSpace(index, draw_heads(dimension=DIMENSION)).search(
        unit_vectors(1, dimension=4), 20
    )
    assert (rows[0, len(index) :] == NO_ROW).all()
    assert np.isneginf(scores[0, len(index) :]).all()
    assert sorted(rows[0, : len(index)]) == list(range(len(index)))


def test_no_queries_find_nothing(index):
    scores, rows = SearchSpace(index, draw_heads(dimension=DIMENSION)).search(
        np.empty((0, 4), np.float32), 3
    )
    assert scores.shape == rows.shape == (0, 3)


def test_structure_weighs_as_much_as_it_is_told(index):
    structures, cosines = index.structures(range(4)), np.array([0.9, 0.2, -1.0, 1.0], np.float32)
    own = structures[0].tobytes()
    alike = [structure_similarity(own, each.tobytes()) for each in structures]
    weighed = weigh_structure(cosines, own, structures, weight=0.5)
    assert np.allclose(weighed, (cosines + 0.5 * np.array(alike)) / 1.5, atol=1e-6)
    assert (np.abs(weighed) <= 1).all()
    assert np.array_equal(weigh_structure(cosines, own, structures, weight=0.0), cosines)


def test_rows_are_ranked_by_score_and_equal_ones_by_row():
    assert rank_rows([7, 3, 5], np.array([0.5, 0.9, 0.5], np.float32)) == [3, 5, 7]
