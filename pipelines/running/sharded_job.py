"""A job over shards that can be interrupted and resumed: only what is not whole yet is done.

`index`, `build` and `edit-images` are such jobs. Each says what its shards are, which of them are
whole already and how a Beam graph makes some of them; what is the same for all is here.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import apache_beam as beam

from indexes.errors import PairloomError
from indexes.fence import RUNNING_FOLDER, Fence, has_turns, take_turn
from indexes.storage.paths import as_path
from pipelines.running.elsewhere import Watch, fill_flags, run_elsewhere
from pipelines.running.execution import Execution, run_on_this_machine
from pipelines.running.pieces import (
    Done,
    InPieces,
    Joining,
    Piece,
    PiecesSoFar,
    run_joining,
    run_piece,
)
from pipelines.running.progress import Meter
from pipelines.running.runners import StageSeconds, run_here
from pipelines.running.sharing import PICTURES_A_SHARE, ShardUnit, put_together, share_out
from pipelines.running.workers import run_units
from pipelines.terminal.console import CommandError, show_progress
from transforms.dataset.files import output_error
from transforms.sources.folder_plan import PlannedSource

ShardT = TypeVar("ShardT")

ShardsGraph = Callable[..., None]
"""Wires the stages that make some shards into a pipeline, `graph(pipeline, shards)`; it is pickled
to worker processes."""


@dataclass(frozen=True, kw_only=True)
class ShardedJob(Generic[ShardT]):
    """What a job is made of.

    `label` is what its progress is shown under. `shards` are all there are, in order; `is_whole`
    says of one whether its output is there and need not be made again, `pictures` how many pictures
    it holds (at least 0). `graph` makes any of them, in any number and order, with the same bytes.
    `least_pictures` says how many pictures a pipeline on this machine should have at least; None
    leaves it to the execution. `folder` is what the shards are written to, where there is one; the
    graph of such a job takes a `fence` as well, this run's leave to write there, and None where no
    other run can be at it. `is_whole` is then asked by workers too, and is pickled to them.
    `in_pieces` says how several processes make one shard together, with the same bytes again; None
    where they cannot.
    """

    label: str
    shards: Sequence[ShardT]
    is_whole: Callable[[ShardT], bool]
    pictures: Callable[[ShardT], int]
    graph: ShardsGraph
    least_pictures: int | None = None
    folder: str | None = None
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


AnyUnit = ShardUnit[ShardT] | Piece[ShardT] | Joining[ShardT]


def run_job(job: ShardedJob[ShardT], execution: Execution) -> JobProgress:
    """Makes the shards of `job` that are not whole; finishing the output is the caller's.

    Raises:
        CommandError: a worker process died, or the job failed on another runner or saw another
            folder there.
        OutputError: it cannot be written down whose turn it is to fill the folder.
        FencedError: another run has begun to fill it meanwhile.
        whatever a stage raises: what is whole by then stays, and the next run goes on from there.
    """
    waiting = [shard for shard in job.shards if not job.is_whole(shard)]
    seconds = StageSeconds({})
    if waiting and execution.beam_flags:
        seconds = _run_elsewhere(job, waiting, execution)
    elif waiting:
        # A job elsewhere whose driver is gone may still be at it.
        other = job.folder is not None and has_turns(as_path(job.folder))
        fence = _take_turn(job) if other else None
        job = replace(job, graph=_fenced(job, fence))
        least = job.least_pictures or execution.pictures_a_unit
        if job.in_pieces is not None and execution.workers > 1:
            in_pieces = _joined_under(job.in_pieces, fence)
            seconds = _run_shared_out(job, in_pieces, waiting, execution, least=least)
        else:
            units = put_together(waiting, pictures=job.pictures, least=least)
            work = partial(run_unit, graph=job.graph)
            seconds = run_on_this_machine(job.label, work, units, workers=execution.workers)
        if fence is not None:
            fence.remove_signs()
    return JobProgress(len(job.shards), len(waiting), seconds)


def _run_elsewhere(
    job: ShardedJob[ShardT], waiting: Sequence[ShardT], execution: Execution
) -> StageSeconds:
    """Makes the shards that are `waiting` on the runner that the execution's flags name."""
    flags = fill_flags(execution.beam_flags)  # before anything in the folder is changed
    fence = _take_turn(job)
    graph = partial(_wire, graph=_fenced(job, fence), shards=tuple(waiting))
    folder = as_path(job.folder) if job.folder is not None else None
    try:
        with show_progress(job.label, sum(map(job.pictures, waiting))) as advance:
            meter = Meter(
                waiting,
                is_whole=job.is_whole,
                pictures=job.pictures,
                fence=fence,
                advance=advance,
            )
            try:
                seconds = run_elsewhere(graph, flags, Watch(meter.look, fence), folder=folder)
                meter.finish()
            finally:
                meter.stop()
        if fence is not None:
            fence.check()  # what the caller does next is the latest run's alone to do
            if not fence.has_begun() and not any(map(job.is_whole, waiting)):
                raise CommandError(
                    f"the job has ended, and no worker of it has seen {folder}: it must lie there "
                    "for all of them, under this path or at an address such as gs://bucket/folder"
                )
    except BaseException:
        if fence is not None:
            with suppress(PairloomError, OSError):  # the error that led here is the one to tell
                fence.give_up()  # what could not be cancelled ends by itself
        raise
    if fence is not None:
        fence.remove_signs()
    return seconds


def store_plans(execution: Execution, folder: Path, *sources: object) -> None:
    """Keeps what `sources` would carry to workers on other machines in `folder` instead.

    On one machine nothing is stored.

    Raises:
        SourceError: one of them cannot be read.
        OutputError: it cannot be written.
    """
    if not execution.beam_flags:
        return
    for source in sources:
        if isinstance(source, PlannedSource):
            try:
                source.store_plan(folder / RUNNING_FOLDER)
            except OSError as error:
                raise output_error(folder, error) from error


def _take_turn(job: ShardedJob[ShardT]) -> Fence | None:
    if job.folder is None:
        return None
    folder = as_path(job.folder)
    try:
        return take_turn(folder)
    except OSError as error:
        raise output_error(folder, error) from error


def _fenced(job: ShardedJob[ShardT], fence: Fence | None) -> ShardsGraph:
    return job.graph if job.folder is None else partial(job.graph, fence=fence)


def _joined_under(in_pieces: InPieces[ShardT], fence: Fence | None) -> InPieces[ShardT]:
    """`in_pieces`, writing only while `fence` holds."""
    if fence is None:
        return in_pieces
    return replace(in_pieces, join=partial(in_pieces.join, fence=fence))


def _run_shared_out(
    job: ShardedJob[ShardT],
    in_pieces: InPieces[ShardT],
    shards: Sequence[ShardT],
    execution: Execution,
    *,
    least: int,
) -> StageSeconds:
    """Makes `shards` by several processes, some in pieces, so that all end at nearly one time."""
    pictures = sum(map(job.pictures, shards))
    units: Sequence[AnyUnit[ShardT]] = share_out(
        shards,
        in_pieces,
        pictures=job.pictures,
        workers=execution.workers,
        least=least,
        smallest=job.least_pictures or min(least, PICTURES_A_SHARE),
    )
    work: Callable[[AnyUnit[ShardT]], Done[ShardT]] = partial(
        _run_any, graph=job.graph, in_pieces=in_pieces
    )
    so_far: PiecesSoFar[ShardT] = PiecesSoFar()
    seconds = StageSeconds({})
    with show_progress(job.label, pictures) as advance:
        for done in run_units(work, units, workers=execution.workers, follow=so_far.add):
            advance(done.pictures)
            seconds += done.seconds
    return seconds


def _run_any(
    unit: AnyUnit[ShardT], graph: ShardsGraph, in_pieces: InPieces[ShardT]
) -> Done[ShardT]:
    """Does a unit of whatever kind in this process."""
    if isinstance(unit, Piece):
        return run_piece(unit, in_pieces)
    if isinstance(unit, Joining):
        return run_joining(unit, in_pieces)
    return Done(*run_unit(unit, graph))


def run_unit(unit: ShardUnit[ShardT], graph: ShardsGraph) -> tuple[int, StageSeconds]:
    """Makes the shards of `unit` in this process; how many pictures they held, and how long."""
    return unit.pictures, run_here(partial(_wire, graph=graph, shards=unit.shards))


def _wire(pipeline: beam.Pipeline, *, graph: ShardsGraph, shards: Sequence[ShardT]) -> None:
    graph(pipeline, shards)
