"""A job over shards that can be interrupted and resumed: only what is not whole yet is done.

`index`, `build` and `edit-images` are such jobs. Each says what its shards are, which of them are
whole already and how a Beam graph makes some of them; what is the same for all is here.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import apache_beam as beam

from pipelines.running.execution import Execution, group_units, run_on_this_machine
from pipelines.running.runners import StageSeconds, run_elsewhere, run_here

ShardT = TypeVar("ShardT")

ShardsGraph = Callable[[beam.Pipeline, Sequence[ShardT]], None]
"""Wires the stages that make some shards; it is pickled to worker processes."""


@dataclass(frozen=True, kw_only=True)
class ShardedJob(Generic[ShardT]):
    """What a job is made of.

    `label` is what its progress is shown under. `shards` are all there are, in order; `is_whole`
    says of one whether its output is there and need not be made again, `pictures` how many pictures
    it holds (at least 0). `graph` makes any of them, in any number and order, with the same bytes.
    `least_pictures` says how many pictures a pipeline on this machine should have at least; None
    leaves it to the execution.
    """

    label: str
    shards: Sequence[ShardT]
    is_whole: Callable[[ShardT], bool]
    pictures: Callable[[ShardT], int]
    graph: ShardsGraph[ShardT]
    least_pictures: int | None = None


@dataclass(frozen=True)
class JobProgress:
    """What a run of a job did: of `shards` in all it made `made`, in `seconds` a stage."""

    shards: int
    made: int
    seconds: StageSeconds

    @property
    def skipped(self) -> int:
        """How many shards were whole before."""
        return self.shards - self.made


@dataclass(frozen=True)
class ShardUnit(Generic[ShardT]):
    """Some shards that are made in one pipeline, and the pictures they hold together."""

    shards: tuple[ShardT, ...]
    pictures: int


def run_job(job: ShardedJob[ShardT], execution: Execution) -> JobProgress:
    """Makes the shards of `job` that are not whole; finishing the output is the caller's.

    Raises:
        CommandError: a worker process died, or the job failed on another runner.
        whatever a stage raises: what is whole by then stays, and the next run goes on from there.
    """
    waiting = [shard for shard in job.shards if not job.is_whole(shard)]
    seconds = StageSeconds({})
    if waiting and execution.beam_flags:
        graph = partial(_wire, graph=job.graph, shards=tuple(waiting))
        seconds = run_elsewhere(graph, execution.beam_flags)
    elif waiting:
        units = plan_units(job, waiting, least=job.least_pictures or execution.pictures_a_unit)
        work = partial(run_unit, graph=job.graph)
        seconds = run_on_this_machine(job.label, work, units, workers=execution.workers)
    return JobProgress(len(job.shards), len(waiting), seconds)


def plan_units(
    job: ShardedJob[ShardT], shards: Iterable[ShardT], *, least: int
) -> list[ShardUnit[ShardT]]:
    """`shards` in order, put together until a unit has at least `least` pictures."""
    return [
        ShardUnit(tuple(group), sum(job.pictures(shard) for shard in group))
        for group in group_units(shards, size=job.pictures, least=least)
    ]


def run_unit(unit: ShardUnit[ShardT], graph: ShardsGraph[ShardT]) -> tuple[int, StageSeconds]:
    """Makes the shards of `unit` in this process; how many pictures they held, and how long."""
    return unit.pictures, run_here(partial(_wire, graph=graph, shards=unit.shards))


def _wire(pipeline: beam.Pipeline, *, graph: ShardsGraph[ShardT], shards: Sequence[ShardT]) -> None:
    graph(pipeline, shards)
