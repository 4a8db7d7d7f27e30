"""Several processes for one machine: each loads the models once and works through shard after shard.

Beam's own multi_processing mode starts its processes anew for every pipeline; a build is many small
pipelines, so that it can be interrupted and resumed, and would load the models for each of them.
Every shard is a pipeline of its own either way, so its bytes cannot depend on who made it.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from pipelines.console import CommandError

UnitT = TypeVar("UnitT")
ResultT = TypeVar("ResultT")


def run_units(
    function: Callable[[UnitT], ResultT], units: Sequence[UnitT], *, workers: int
) -> Iterator[ResultT]:
    """`function(unit)` for all units, results as they come; in this process for one worker.

    `function` and `units` are pickled to the processes, which start afresh (no fork). A unit that
    raises ends the run after the units already begun; an interruption does so at once.

    Raises:
        CommandError: a worker process died (out of memory, most often, or killed).
        whatever `function` raised.
    """
    if workers < 1:
        raise CommandError(f"--workers must be at least 1, got {workers}", exit_code=2)
    if workers == 1 or len(units) < 2:
        yield from map(function, units)
        return
    pool = ProcessPoolExecutor(
        min(workers, len(units)), mp_context=multiprocessing.get_context("spawn")
    )
    try:
        yield from _drain(pool, function, units, ahead=2 * workers)
    except BrokenProcessPool as error:
        raise CommandError(
            "a worker process died (killed, or out of memory): run the command again to go on, "
            "with fewer --workers if memory is short"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _drain(
    pool: ProcessPoolExecutor,
    function: Callable[[UnitT], ResultT],
    units: Sequence[UnitT],
    *,
    ahead: int,
) -> Iterator[ResultT]:
    remaining = iter(units)
    pending: set[Future[ResultT]] = set()
    while True:
        for unit in remaining:
            pending.add(pool.submit(function, unit))
            if len(pending) >= ahead:
                break
        if not pending:
            return
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()
