"""Several processes on one machine: each loads the models once and takes shard after shard.

Beam's own multi_processing mode starts its processes anew for every pipeline; a build is many small
pipelines, so that it can be interrupted and resumed, and would load the models for each of them.
Every shard is a pipeline of its own either way, so its bytes cannot depend on who made it.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from pipelines.running.parent import end_with_parent
from pipelines.running.worker_server import (
    take_environment,
    without_interruptions,
    worker_context,
)
from pipelines.terminal.console import CommandError, silence_libraries
from pipelines.terminal.failures import EXPECTED_ERRORS, as_memory_error
from pipelines.terminal.signals import ENDING
from transforms.models.devices import take_card

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

UnitT = TypeVar("UnitT")
ResultT = TypeVar("ResultT")


def run_units(
    function: Callable[[UnitT], ResultT],
    units: Sequence[UnitT],
    *,
    workers: int,
    follow: Callable[[ResultT], UnitT | None] | None = None,
) -> Iterator[ResultT]:
    """`function(unit)` for all units, results as they come; in this process for one worker.

    `follow`, called here, may say of a result which unit is to be done next because of it.

    `function` and `units` are pickled to the processes, which share nothing with this one, see
    `pipelines.running.worker_server`. Where a unit raises, or the run is interrupted, they are
    ended at once: what they write becomes whole or is not there, so that nothing is lost but the
    time.

    Raises:
        CommandError: a worker process died (out of memory, most often, or killed).
        whatever `function` raised; from another process, an error that no user can mend comes
            as a CommandError with its type.
    """
    if workers < 1:
        raise CommandError(f"--workers must be at least 1, got {workers}", exit_code=2)
    if workers == 1 or len(units) < 2:
        yield from _one_by_one(function, units, follow or _nothing_follows)
        return
    others = set(multiprocessing.active_children())
    context = worker_context()
    with without_interruptions():  # it starts a process of multiprocessing's own as well
        pool = ProcessPoolExecutor(
            min(workers, len(units)),
            mp_context=context,
            initializer=begin_worker,
            initargs=(context.Value("i", 0), dict(os.environ)),
        )
    finished = False
    try:
        yield from _drain(
            pool, _InWorker(function), units, follow or _nothing_follows, ahead=2 * workers
        )
        finished = True
    except BrokenProcessPool as error:
        raise CommandError(
            "a worker process died (killed, or out of memory): run the command again to go on, "
            "with fewer --workers if memory is short"
        ) from error
    finally:
        if not finished:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def begin_worker(started: "Synchronized[int]", variables: Mapping[str, str]) -> None:
    """Makes a process just started a worker: silent, and gone as soon as its parent is.

    `started` counts the workers; where there are GPUs, each takes the next one. `variables` are
    the environment of the parent.
    """
    take_environment(variables)
    with started.get_lock():
        take_card(started.value)
        started.value += 1
    signal.pthread_sigmask(signal.SIG_UNBLOCK, set(ENDING) - {signal.SIGINT})
    silence_libraries()
    end_with_parent()


@dataclass(frozen=True)
class _InWorker(Generic[UnitT, ResultT]):
    """`function`, raising only what can be pickled and told in one line."""

    function: Callable[[UnitT], ResultT]

    def __call__(self, unit: UnitT) -> ResultT:
        try:
            return self.function(unit)
        except EXPECTED_ERRORS:
            raise
        except Exception as error:
            told = as_memory_error(error) or CommandError(f"{type(error).__name__}: {error}")
            raise told from error


def _drain(
    pool: ProcessPoolExecutor,
    function: Callable[[UnitT], ResultT],
    units: Sequence[UnitT],
    follow: Callable[[ResultT], UnitT | None],
    *,
    ahead: int,
) -> Iterator[ResultT]:
    remaining = iter(units)
    pending: set[Future[ResultT]] = set()
    while True:
        for unit in remaining:
            with without_interruptions():
                pending.add(pool.submit(function, unit))
            if len(pending) >= ahead:
                break
        if not pending:
            return
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            result = future.result()
            next_unit = follow(result)
            if next_unit is not None:
                with without_interruptions():
                    pending.add(pool.submit(function, next_unit))
            yield result


def _one_by_one(
    function: Callable[[UnitT], ResultT],
    units: Sequence[UnitT],
    follow: Callable[[ResultT], UnitT | None],
) -> Iterator[ResultT]:
    for unit in units:
        next_unit: UnitT | None = unit
        while next_unit is not None:
            result = function(next_unit)
            next_unit = follow(result)
            yield result


def _nothing_follows(result: object) -> None:
    """Most units have no unit that waits for them."""
