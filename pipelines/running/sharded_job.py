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
from pipelines.running.pieces import (
    UNITS_A_WORKER,
    Done,
    InPieces,
    Joining,
    Piece,
    PiecesSoFar,
    cut_shards,
    piece_size,
    run_joining,
    run_piece,
)
from pipelines.running.runners import StageSeconds, run_elsewhere, run_here
from pipelines.running.workers import run_units
from pipelines.terminal.console import show_progress

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
    leaves it to the execution. `in_pieces` says how several processes make one shard together, with
    the same bytes again; None where they cannot.
    """

    label: str
    shards: Sequence[ShardT]
    is_whole: Callable[[ShardT], bool]
    pictures: Callable[[ShardT], int]
    graph: ShardsGraph[ShardT]
    least_pictures: int | None = None
    in_pieces: InPieces[ShardT] | None = None


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


AnyUnit = ShardUnit[ShardT] | Piece[ShardT] | Joining[ShardT]


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
        least = job.least_pictures or execution.pictures_a_unit
        units = plan_units(job, waiting, least=least)
        if job.in_pieces is not None and _too_few(units, execution):
            seconds = _run_in_pieces(job, job.in_pieces, waiting, execution, least=least)
        else:
            work = partial(run_unit, graph=job.graph)
            seconds = run_on_this_machine(job.label, work, units, workers=execution.workers)
    return JobProgress(len(job.shards), len(waiting), seconds)


def _too_few(units: Sequence[object], execution: Execution) -> bool:
    """Whether some workers would have nothing to do while others still work."""
    return execution.workers > 1 and len(units) < UNITS_A_WORKER * execution.workers


def _run_in_pieces(
    job: ShardedJob[ShardT],
    in_pieces: InPieces[ShardT],
    shards: Sequence[ShardT],
    execution: Execution,
    *,
    least: int,
) -> StageSeconds:
    """Makes `shards`, the large ones in pieces: first these, for they are written last."""
    pictures = sum(map(job.pictures, shards))
    size = piece_size(pictures, workers=execution.workers, least=least)
    whole, pieces = cut_shards(shards, in_pieces, size=size)
    units = [*pieces, *plan_units(job, whole, least=least)]
    work = partial(_run_any, graph=job.graph, in_pieces=in_pieces)
    so_far: PiecesSoFar[ShardT] = PiecesSoFar()
    seconds = StageSeconds({})
    with show_progress(job.label, pictures) as advance:
        for done in run_units(work, units, workers=execution.workers, follow=so_far.add):
            advance(done.pictures)
            seconds += done.seconds
    return seconds


def _run_any(
    unit: AnyUnit[ShardT], graph: ShardsGraph[ShardT], in_pieces: InPieces[ShardT]
) -> Done[ShardT]:
    """Does a unit of whatever kind in this process."""
    if isinstance(unit, Piece):
        return run_piece(unit, in_pieces)
    if isinstance(unit, Joining):
        return run_joining(unit, in_pieces)
    return Done(*run_unit(unit, graph))


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
