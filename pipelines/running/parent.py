"""Processes that another one started, and that are of no use without it."""

import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SECONDS_BETWEEN_LOOKS = 0.1


def end_with_parent() -> None:
    """From now on this process ends when the one that started it is gone, killed for instance.

    A process that multiprocessing did not start stays as it is.
    """
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def ending_with_parent() -> Iterator[None]:
    """While this lasts, the process ends as soon as the one that started it, in any way, is gone.

    A thread looks after that, and is gone afterwards: what is forked then should have none.
    """
    over = threading.Event()
    watch = threading.Thread(target=_look_for_parent, args=(over,), daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()


def _look_for_parent(over: threading.Event) -> None:
    parent = os.getppid()
    while not over.wait(_SECONDS_BETWEEN_LOOKS):
        if os.getppid() != parent:
            os._exit(0)
