"""Getting things ready ahead: in order, in bounded number, and with errors where they belong."""

import os
import threading

import pytest

from transforms.batches.ahead import chunks_ahead, make_each


@pytest.mark.parametrize("at_once", [1, 3, 7, 100])
def test_all_come_in_order_and_in_chunks(at_once):
    chunks = list(chunks_ahead(lambda n: n * n, range(50), at_once=at_once))
    assert [n for chunk in chunks for n in chunk] == [n * n for n in range(50)]
    assert {len(chunk) for chunk in chunks[:-1]} <= {at_once}


def test_the_next_chunk_is_made_ready_and_no_more():
    made = []
    lock = threading.Lock()

    def make(n):
        with lock:
            made.append(n)
        return n

    chunks = chunks_ahead(make, range(100), at_once=5)
    assert next(chunks) == [0, 1, 2, 3, 4]
    assert len(made) <= 10
    chunks.close()


def test_nothing_is_made_of_nothing():
    assert list(chunks_ahead(str, [], at_once=4)) == []


def test_what_goes_wrong_is_raised_at_its_turn():
    def make(n):
        if n == 6:
            raise KeyError(n)
        return n

    chunks = chunks_ahead(make, range(20), at_once=3)
    assert next(chunks) == [0, 1, 2]
    assert next(chunks) == [3, 4, 5]
    with pytest.raises(KeyError):
        next(chunks)


def test_what_is_made_of_each_comes_in_order():
    assert make_each(lambda n: n * n, iter(range(50))) == [n * n for n in range(50)]


@pytest.mark.skipif(os.cpu_count() == 1, reason="there are as many threads as cores")
def test_several_are_made_at_a_time():
    both = threading.Barrier(2, timeout=60)
    assert make_each(lambda n: (both.wait(), n)[1], [3, 5]) == [3, 5]


def test_of_what_goes_wrong_the_first_is_raised():
    def make(n):
        if n % 10 == 7:
            raise KeyError(n)
        return n

    with pytest.raises(KeyError, match="7"):
        make_each(make, range(20))
