"""Measuring in a process of its own: what it costs is then its own."""

import multiprocessing
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import ParamSpec, TypeVar

from pipelines.running.parent import end_with_parent

P = ParamSpec("P")
R = TypeVar("R")


def call_apart(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `work` gives, called in a process that starts afresh and ends, with this one at last."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        max_workers=1, mp_context=context, initializer=end_with_parent
    ) as pool:
        return pool.submit(work, *args, **kwargs).result()


def peak_mib() -> float:
    """The most memory that this process has had so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
