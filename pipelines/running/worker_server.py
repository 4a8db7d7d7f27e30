"""The process that workers are forked from: it imports once what each of them would import.

Libraries take five seconds of a processor to import. A server that has done so, while the job was
still being planned, forks a worker within milliseconds, and workers share what is in memory. It has
no networks and does nothing else; where a system has no such server, workers start afresh.
"""

import multiprocessing
import multiprocessing.forkserver
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from multiprocessing import resource_tracker
from multiprocessing.context import BaseContext

from pipelines.terminal.signals import ENDING

_IMPORTED = "pipelines.worker_imports"


def worker_context() -> BaseContext:
    """How worker processes are started: by the server where the system has one, else afresh."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_IMPORTED])
    return context


def start_worker_server() -> None:
    """Starts the server, if it doesn't run already, and doesn't wait until it has imported all.

    It ends by itself as soon as this process is gone.
    """
    if worker_context().get_start_method() == "forkserver":
        with without_interruptions():
            multiprocessing.forkserver.ensure_running()


def wants_workers(words: Sequence[str]) -> bool:
    """Whether a command line seems to ask for several worker processes; it isn't read yet.

    >>> wants_workers(["build", "photos", "--workers", "4"]), wants_workers(["build", "photos"])
    (True, False)
    >>> wants_workers(["build", "--workers=2", "photos"]), wants_workers(["x", "--workers", "1"])
    (True, False)
    """
    values = [after for word, after in pairwise(words) if word == "--workers"]
    values += [word.partition("=")[2] for word in words if word.startswith("--workers=")]
    return any(value.isdecimal() and int(value) > 1 for value in values)


def take_environment(variables: Mapping[str, str]) -> None:
    """Gives this process the environment of the one that wants its work.

    The server's is that of when it was started.
    """
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)


@contextmanager
def without_interruptions() -> Iterator[None]:
    """Holds what asks to end back from this thread while it starts processes.

    So none is left half started. A terminal sends Ctrl-C to all processes, and the parent is the
    one that answers it: a worker holds that back for good, but not the others, see
    `pipelines.running.workers.begin_worker`. What multiprocessing starts first, to tidy up behind
    all, lets through again what was held back: it runs before anything else is started.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
