import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transforms.near_copies.components import connect

EDGES = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40)


def connect_one_by_one(count, edges):
    groups = list(range(count))
    for one, other in edges:
        low, high = sorted((groups[one], groups[other]))
        groups = [low if group == high else group for group in groups]
    return groups


@given(EDGES, st.randoms(use_true_random=False), st.integers(1, 5))
def test_groups_are_those_of_joining_one_by_one_in_whatever_order(edges, random, pieces):
    shuffled = list(edges)
    random.shuffle(shuffled)
    cut = [shuffled[n::pieces] for n in range(pieces)]
    arrays = [np.array(each, np.int64).reshape(-1, 2) for each in cut]
    assert connect(20, lambda: arrays).tolist() == connect_one_by_one(20, edges)


def test_a_long_chain_is_one_group():
    rows = np.arange(5000)
    random = np.random.default_rng(0).permutation(rows)
    edges = np.stack([random[:-1], random[1:]], axis=1)
    assert set(connect(5000, lambda: [edges]).tolist()) == {0}
