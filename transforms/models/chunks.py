"""Cuts a sequence into runs of one length, so that a network always sees as many rows at once.

Matrix products of another height may round otherwise (measured: 2e-7 between 1 row and 32). With a
fixed height a row's result is the same bits whatever stands beside it, and memory is bounded.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

ItemT = TypeVar("ItemT")


def runs(items: Sequence[ItemT], length: int) -> Iterator[Sequence[ItemT]]:
    """The items in order, `length` at a time, the last run perhaps shorter; `length` at least 1."""
    if length < 1:
        raise ValueError(f"length of a run must be at least 1, got {length}")
    for start in range(0, len(items), length):
        yield items[start : start + length]


def padded(run: Sequence[ItemT], length: int) -> list[ItemT]:
    """The run, its last item repeated until there are `length`; the run is not empty."""
    return [*run, *[run[-1]] * (length - len(run))]
