import numpy as np
import pytest
from fakes.index import unit_vectors

from transforms.query_arithmetic import (
    QUERY_KINDS,
    add_delta,
    mean_delta,
    move,
    query_vector,
    sum_deltas,
)

IMAGE, SOURCE, TARGET = unit_vectors(3, dimension=8)


def ask(kind, **more):
    return query_vector(kind, image=IMAGE, source_text=SOURCE, target_text=TARGET, **more)


@pytest.mark.parametrize("kind", QUERY_KINDS)
def test_every_query_is_a_unit_vector_whatever_the_lengths_of_its_parts(kind):
    vector = ask(kind)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    longer = query_vector(kind, image=3 * IMAGE, source_text=0.5 * SOURCE, target_text=7 * TARGET)
    assert np.allclose(longer, vector, atol=1e-6)


def test_a_delta_of_weight_0_is_the_picture_itself():
    assert np.allclose(ask("delta", weight=0.0), IMAGE, atol=1e-6)
    assert np.allclose(ask("blend", weight=0.0), TARGET, atol=1e-6)


def test_the_delta_query_moves_by_the_mean_delta_of_one_pair_of_texts():
    delta = mean_delta(SOURCE[None], TARGET[None])
    assert np.allclose(add_delta(IMAGE, delta, weight=1.0), ask("delta"), atol=1e-6)
    moved = move(np.stack([IMAGE, SOURCE]), np.stack([delta, delta]), weight=1.0)
    assert np.allclose(moved[0] / np.linalg.norm(moved[0]), ask("delta"), atol=1e-6)


def test_a_mean_delta_is_that_of_each_pair():
    before, after = unit_vectors(4, dimension=8, seed=1), unit_vectors(4, dimension=8, seed=2)
    each = [mean_delta(one[None], other[None]) for one, other in zip(before, after, strict=True)]
    assert np.allclose(mean_delta(before, after), np.mean(each, axis=0), atol=1e-6)


def test_several_changes_add_up_and_none_is_zero():
    assert np.allclose(sum_deltas([IMAGE, TARGET], dimension=8), IMAGE + TARGET, atol=1e-6)
    assert not sum_deltas([], dimension=8).any()
