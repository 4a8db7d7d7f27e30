import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes.duplicate_keys import DuplicateKey, find_duplicate_key
from indexes.lookup import hash_texts

KEYS = st.lists(st.lists(st.sampled_from("abcdefghij")), max_size=5)


def find(shards, hash_keys=hash_texts):
    hashes = [hash_keys(keys) for keys in shards]
    return find_duplicate_key(hashes, shards.__getitem__, hash_keys=hash_keys)


@pytest.mark.parametrize(
    ("shards", "duplicate"),
    [
        ([], None),
        ([[], []], None),
        ([["a", "b"], ["c"], []], None),
        ([["a", "a"], ["b"]], None),
        ([["a", "b"], ["c"], ["b", "d"]], DuplicateKey("b", 0, 2)),
        ([["a"], ["a"], ["a"]], DuplicateKey("a", 0, 1)),
    ],
)
def test_a_key_in_two_shards_is_found(shards, duplicate):
    assert find(shards) == duplicate


@given(KEYS)
def test_it_is_found_exactly_where_there_is_one(shards):
    duplicate = find(shards)
    if duplicate is None:
        assert sum(len(set(keys)) for keys in shards) == len(
            {key for keys in shards for key in keys}
        )
    else:
        assert duplicate.first < duplicate.second
        assert duplicate.key in shards[duplicate.first]
        assert duplicate.key in shards[duplicate.second]


def only_two(keys):
    """Hashes that are 0 or 1."""
    return np.array([len(key) % 2 for key in keys], dtype=np.uint64)


def test_hashes_that_agree_by_accident_are_no_duplicate():
    shards = [["a", "bb"], ["c", "dd"], ["e"]]
    assert find(shards, only_two) is None
    shards = [["a", "bb"], ["c", "dd"], ["dd"]]
    assert find(shards, only_two) == DuplicateKey("dd", 1, 2)


def test_nothing_is_read_again_where_no_hashes_agree():
    assert find_duplicate_key([hash_texts(["a"]), hash_texts(["b"])], None) is None
