"""Filling a folder in a process of its own: to the end, or killed on the way."""

import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol, TypeVar

import psutil

import support.silent_libraries  # noqa: F401
from indexes.layout import fingerprint
from indexes.life_cycle import begin_index
from pipelines.build.job import build_job
from pipelines.build.plan import BuildOptions, BuildPlan
from pipelines.index.job import index_job
from pipelines.index.plan import IndexPlan
from pipelines.main import main
from pipelines.running.sharded_job import ShardedJob, run_unit
from pipelines.running.sharing import ShardUnit
from pipelines.still_life.source import StillLifeSource
from support.still_life_job import BATCH_SIZE, Job, source_file
from transforms.dataset.folder import prepare_output
from transforms.rewrite import RewriteOptions

ShardT = TypeVar("ShardT")

SHARD_SIZE = 50
SECONDS_TO_FOLLOW = 10.0
MOST_SECONDS = 600.0
"""A process that takes longer has come to a stop."""

PRELOADED = ["support.command_modules"]
"""What the server of processes imports before it makes any."""


class Plan(Protocol):
    """One way to fill a `folder`; `kind` is the command's name."""

    @property
    def kind(self) -> str:
        """The command."""
        ...

    @property
    def folder(self) -> Path:
        """What it fills."""
        ...

    @property
    def workers(self) -> int:
        """By how many processes."""
        ...

    def write(self) -> None:
        """Fills it, or what is missing of it, in this process, which then ends."""
        ...


def run_command(words: tuple[str, ...]) -> None:
    """The command line in this process, which ends as the command does; it says nothing."""
    with Path(os.devnull).open("w", encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 1)
    sys.argv = ["pairloom", *words]
    sys.exit(main())


@dataclass(frozen=True, kw_only=True)
class CommandPlan:
    """A command whose `words` fill the folder, which is named after them as `--out`."""

    kind: str
    words: tuple[str, ...]
    folder: Path
    workers: int = 1

    def write(self) -> None:
        """Runs the command."""
        run_command((self.kind, *self.words, "--out", str(self.folder)))


@dataclass(frozen=True, kw_only=True)
class FolderPlan:
    """One way to write the folder of an index or of pairs.

    With so many `workers`, or, where `order_seed` is given, by one and its shards in drawn order.
    """

    job: Job
    kind: str
    sources: int
    folder: Path
    workers: int = 1
    order_seed: int | None = None

    def write(self) -> None:
        """Writes the folder by the command, after its shards in drawn order if so asked."""
        if self.order_seed is not None:
            _write_in_drawn_order(self, random.Random(self.order_seed))
        run_command(self.words())

    def words(self) -> tuple[str, ...]:
        """The command line; the source it reads is written as a file beside the folder."""
        source = self.job.pool if self.kind == "index" else self.source()
        file = source_file(self.job.work / f"{self.folder.name}-source.yaml", source)
        shared = ("--captions", self.job.captions, "--seed", str(self.job.pool.seed))
        more = ("--index", str(self.job.index_folder)) if self.kind == "build" else ()
        flags = ("--preset", self.job.preset.name, "--workers", str(self.workers))
        return (self.kind, str(file), "--out", str(self.folder), *shared, *more, *flags)

    def source(self) -> StillLifeSource:
        """The pictures that pairs are made for."""
        pool = self.job.pool
        return StillLifeSource(
            count=self.sources, seed=pool.seed, shard_size=SHARD_SIZE, told=pool.told
        )

    def index_plan(self) -> IndexPlan:
        """The index, written to this folder."""
        return replace(self.job.index_plan(), folder=str(self.folder))

    def build_plan(self) -> BuildPlan:
        """The pairs, written to this folder."""
        pool = self.job.pool
        options = BuildOptions(
            seed=pool.seed,
            captions=self.job.captions,
            senses=self.job.preset.defaults.get("senses", "picture"),
            batch_size=BATCH_SIZE,
            rewrite=RewriteOptions(seed=pool.seed, edits=4),
        )
        return self.job.plan(self.source(), options, self.folder)


def _write_in_drawn_order(plan: FolderPlan, rng: random.Random) -> None:
    """All shards, in pipelines of one to five."""
    if plan.kind == "index":
        index = plan.index_plan()
        description = index.description()
        begin_index(Path(index.folder), description)
        _run_in_drawn_order(index_job(index, fingerprint(description)), rng)
    else:
        build = plan.build_plan()
        prepare_output(Path(build.folder), build.configuration_hash)
        _run_in_drawn_order(build_job(build), rng)


def _run_in_drawn_order(job: ShardedJob[ShardT], rng: random.Random) -> None:
    for shards in _draw_units(list(job.shards), rng):
        pictures = sum(job.pictures(shard) for shard in shards)
        run_unit(ShardUnit(tuple(shards), pictures), job.graph)


def _draw_units(shards: list[ShardT], rng: random.Random) -> Iterator[list[ShardT]]:
    """All `shards`, in a drawn order, one to five at a time."""
    rng.shuffle(shards)
    while shards:
        size = rng.randint(1, 5)
        unit, shards = shards[:size], shards[size:]
        yield unit


def start(plan: Plan) -> BaseProcess:
    """Starts a process of its own that fills the folder.

    It comes from a server that has imported the commands already, which takes seconds each time.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=plan.write)
    process.start()
    return process


def write_apart(plan: Plan) -> float:
    """Fills the folder in a process of its own; the seconds from when the folder was there.

    Raises:
        RuntimeError: the process failed, or came to a stop.
    """
    process = start(plan)
    _wait_for(plan.folder, process)
    began = time.perf_counter()
    process.join(MOST_SECONDS)
    if process.exitcode != 0:
        process.kill()
        raise RuntimeError(f"{plan.kind} to {plan.folder} ended with {process.exitcode}")
    return time.perf_counter() - began


def _wait_for(folder: Path, process: BaseProcess) -> None:
    while process.is_alive() and not folder.exists():
        time.sleep(0.02)


@dataclass(frozen=True, kw_only=True)
class Kill:
    """How a process is ended `after` so many seconds from when its folder is there.

    By `number`, a signal; with `whole_family` all processes that it has started as well.
    """

    after: float
    number: signal.Signals
    whole_family: bool

    def exit_code(self) -> int:
        """What a command that it ends leaves: of SIGTERM it makes an end of its own."""
        return 128 + self.number if self.number == signal.SIGTERM else -self.number


@dataclass(frozen=True, kw_only=True)
class Killed:
    """What became of it: `in_time` where it was still running, and how it ended.

    `left` are the processes that outlived it by ten seconds.
    """

    in_time: bool
    exit_code: int | None
    left: int


def kill_at(plan: Plan, kill: Kill) -> Killed:
    """Starts filling the folder and kills that on the way."""
    process = start(plan)
    _wait_for(plan.folder, process)
    process.join(timeout=kill.after)
    if process.exitcode is not None:
        return Killed(in_time=False, exit_code=process.exitcode, left=0)
    assert process.pid is not None
    family = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, kill.number)
    if kill.whole_family:
        for member in family:
            _send(member, kill.number)
    process.join(MOST_SECONDS)
    _, left = psutil.wait_procs(family, timeout=SECONDS_TO_FOLLOW)
    for member in left:
        _send(member, signal.SIGKILL)
    psutil.wait_procs(left, timeout=SECONDS_TO_FOLLOW)
    return Killed(in_time=True, exit_code=process.exitcode, left=len(left))


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
