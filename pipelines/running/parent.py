"""Processes that another one started, and that are of no use without it."""

import multiprocessing
import os
import threading


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
