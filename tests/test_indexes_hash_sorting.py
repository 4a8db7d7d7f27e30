import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes.duplicate_keys import DuplicateKey, find_duplicate_key
from indexes.hash_sorting import HashSorter
from indexes.lookup import hash_texts


@pytest.mark.parametrize("held", [3, 100, 10_000])
@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.integers(0, 2**64 - 1) | st.sampled_from([0, 5, 2**64 - 1]), max_size=300),
    at_once=st.integers(1, 50),
)
def test_hashes_come_back_sorted_however_few_are_held(held, values, at_once):
    hashes = np.array(values, dtype=np.uint64)
    with HashSorter(held=held) as sorter:
        for start in range(0, len(hashes), at_once):
            own = hashes[start : start + at_once]
            sorter.add(own, np.arange(start, start + len(own)))
        assert len(sorter) == len(hashes)
        parts = list(sorter.sorted())
    order = np.argsort(hashes, kind="stable")
    assert (np.concatenate([each for each, _ in parts]) == hashes[order]).all()
    assert (np.concatenate([rows for _, rows in parts]) == order).all()


def test_a_duplicate_is_found_though_few_hashes_are_held():
    shards = [[f"key {shard} {number}" for number in range(200)] for shard in range(20)]
    shards[17][50] = shards[4][3]
    read = []

    def read_keys(number):
        read.append(number)
        return shards[number]

    found = find_duplicate_key(map(hash_texts, shards), read_keys, held=100)
    assert found == DuplicateKey("key 4 3", 4, 17)
    assert read == [4, 17]
