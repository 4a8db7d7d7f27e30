"""Work on pictures in threads: what a model is to see, while it works, and what it has said.

Decoding, resizing and writing are Pillow's, which lets other threads run meanwhile. What is made of
a picture depends on the picture alone and comes in the order of the pictures: no bytes depend on
it.
"""

import functools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

ItemT = TypeVar("ItemT")
ReadyT = TypeVar("ReadyT")

MOST_THREADS = 16
"""A process has as many threads as the machine has cores, but no more: its model wants one too."""


@functools.cache
def _threads() -> ThreadPoolExecutor:
    number = max(1, min(MOST_THREADS, os.cpu_count() or 1))
    return ThreadPoolExecutor(number, thread_name_prefix="pairloom-ahead")


def chunks_ahead(
    prepare: Callable[[ItemT], ReadyT], items: Iterable[ItemT], *, at_once: int
) -> Iterator[list[ReadyT]]:
    """`prepare(item)` for all items, in order, `at_once` at a time; the last chunk may be shorter.

    While whoever asked is busy with a chunk, the next one is made ready: at most twice `at_once`
    items are there at a time. What `prepare` raises is raised where its item's turn is.
    """
    remaining = iter(items)
    waiting: deque[Future[ReadyT]] = deque()

    def fill() -> None:
        for item in remaining:
            waiting.append(_threads().submit(prepare, item))
            if len(waiting) >= at_once:
                return

    try:
        fill()
        while waiting:
            chunk = [waiting.popleft().result() for _ in range(min(at_once, len(waiting)))]
            fill()
            yield chunk
    finally:
        for future in waiting:
            future.cancel()


def each_ahead(
    prepare: Callable[[ItemT], ReadyT], items: Iterable[ItemT], *, at_once: int
) -> Iterator[ReadyT]:
    """What `chunks_ahead` gives, one by one."""
    return chain.from_iterable(chunks_ahead(prepare, items, at_once=at_once))


def make_each(make: Callable[[ItemT], ReadyT], items: Iterable[ItemT]) -> list[ReadyT]:
    """`make(item)` for all items, in order, by all threads; not to be called in one of them.

    What `make` raises first, by the order of the items, is raised.
    """
    return list(_threads().map(make, items))
