"""A graph on a runner that a person names: handed over, watched, and taken back when asked to.

What goes wrong there is one line; all that Beam and the engine say of it is in the job's log.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apache_beam.runners.runner import PipelineResult, PipelineState

from indexes.fence import Fence
from pipelines.running.beam_flags import names_flag, read_options
from pipelines.running.engines import (
    cancel_on_flink,
    cancel_on_server,
    count_slots,
    describe_workers,
    require_engine,
)
from pipelines.running.job_log import keep_log, log_error
from pipelines.running.runners import Graph, StageSeconds, open_pipeline, read_stage_seconds
from pipelines.terminal.console import CommandError, print_note
from pipelines.terminal.failures import last_words, raised_by_stage

SECONDS_TO_BEGIN = 60.0
"""When no worker has begun by then, it is told where they come from."""
SECONDS_TO_GIVE_UP = 300.0
"""When none has begun by then the job is cancelled. Before, it may wait for slots that others have,
for an image on its way, or for a machine that is slow."""
SECONDS_OF_SILENCE = 600.0
"""When a job gets no further for that long it is told, once. It may be slow, so it goes on; but an
engine waits without end for a worker that died before it could report."""
SECONDS_TO_CANCEL = 20.0
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_TO_END_A_LOOK = 5.0
SHARE_OF_LOOKING = 0.05
"""With many shards, or an engine that is slow to answer, it looks more seldom."""
_STARTED_ON_DEMAND = ("DataflowRunner",)
"""Runners that start machines first, which takes as long as it takes: nothing is given up."""


@dataclass(frozen=True)
class Watch:
    """What is looked at while a job runs: `fence` for its first sign, and the rest by `look`.

    `look` is called now and then, from another thread, with the job's result, or with None before
    it has been handed over. It gives how far the job is, in whatever it counts.
    """

    look: Callable[[PipelineResult | None], int] = lambda result: 0
    fence: Fence | None = None


def fill_flags(flags: Sequence[str]) -> tuple[str, ...]:
    """`flags` with what they leave open: all of an engine's slots, and a name for the job.

    Raises:
        CommandError: the engine they name is not there, or cannot work.
    """
    options = read_options(flags)
    runner = str(options["runner"])
    require_engine(runner, options)
    filled = list(flags)
    slots = None if names_flag(flags, "parallelism") else count_slots(runner, options)
    if slots is not None:
        filled.append(f"--parallelism={slots}")
    return tuple(filled)


def name_job(flags: Sequence[str], fence: Fence | None) -> tuple[str, ...]:
    """`flags` with a name that tells the job from all others, where they give it none."""
    if fence is None or names_flag(flags, "job_name"):
        return tuple(flags)
    return (*flags, f"--job_name=pairloom-{fence.number}-{fence.token}")


def run_elsewhere(
    graph: Graph, flags: Sequence[str], watch: Watch | None = None, *, folder: Path | None = None
) -> StageSeconds:
    """Runs `graph` by the runner that Beam's own `flags` name, and waits for its end.

    Where the wait is broken off, by Ctrl-C for instance, the job is cancelled. The log is kept in
    `folder`.

    Raises:
        CommandError: the flags cannot be used, see `open_pipeline`; the engine is not there; no
            worker began within five minutes; or the job failed.
        whatever `graph` raises.
    """
    watch = watch or Watch()
    flags = name_job(flags, watch.fence)
    pipeline = open_pipeline(flags)
    runner = type(pipeline.runner).__name__
    graph(pipeline)
    options = read_options(flags)
    with keep_log(folder) as log:
        try:
            result = _wait(pipeline.run, options, watch)
        except CommandError as error:
            log_error(error)
            raise
        except Exception as error:
            log_error(error)
            original = raised_by_stage(error)
            if not isinstance(original, Exception):
                raise original from None  # an interruption
            where = f" (all of it is in {log})" if log is not None else ""
            said = f"the job on {runner} failed: {last_words(original)}{where}"
            if watch.fence is not None and not watch.fence.has_begun():
                said += f"; no worker had begun: {describe_workers(options)}"
            raise CommandError(said) from error
    return read_stage_seconds(result)


def _wait(
    run: Callable[[], PipelineResult], options: dict[str, Any], watch: Watch
) -> PipelineResult:
    """Runs the job to its end, or cancels it.

    Raises:
        CommandError: no worker began, or it ended in a state that is none of success.
        whatever Beam raises.
    """
    looker = _Looker(watch, options)
    state = None
    try:
        with looker.looking():
            result = run()
            looker.result = result
            state = result.wait_until_finish()
    except BaseException:
        if looker.complaint is None:
            _cancel(looker.result, options)
            raise
    if looker.complaint is not None:
        raise CommandError(looker.complaint)
    if state != PipelineState.DONE:
        raise CommandError(f"the job on {options['runner']} ended in state {state}")
    return result


def _cancel(result: PipelineResult | None, options: dict[str, Any]) -> None:
    """Asks job server and engine to cancel the job, and waits for neither longer than it should."""

    def ask() -> None:
        try:
            if result is not None:
                result.cancel()
        except Exception as error:  # noqa: BLE001 - the error that led here is the one to tell
            log_error(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    if options.get("job_name"):
        name = str(options["job_name"])
        if result is None:  # it was broken off while the job was being handed over
            cancel_on_server(options, name)
        if options["runner"] in ("FlinkRunner", "PortableRunner"):
            cancel_on_flink(options, name)
    asking.join(SECONDS_TO_CANCEL)


class _Looker:
    """Looks at a job from a thread of its own: shows how far it is, and that it does not begin."""

    def __init__(self, watch: Watch, options: dict[str, Any]) -> None:
        self.result: PipelineResult | None = None
        self.complaint: str | None = None
        self._watch = watch
        self._options = options
        self._over = threading.Event()
        self._how_far = 0
        self._moved_at = time.monotonic()
        self._silence_told = False

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Looks while the block runs."""
        thread = threading.Thread(target=self._look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(SECONDS_TO_END_A_LOOK)  # one that waits for an engine in vain is left alone

    def _look(self) -> None:
        fence = self._watch.fence
        waited = rest = 0.0
        begun = told = fence is None
        while not self._over.wait(SECONDS_BETWEEN_LOOKS):
            if time.monotonic() >= rest:
                rest = self._look_once()
            if begun or fence is None:
                self._tell_of_silence()
                continue
            waited += SECONDS_BETWEEN_LOOKS if self.result is not None else 0.0
            begun = fence.has_begun()
            self._moved_at = time.monotonic()
            if not begun and waited >= SECONDS_TO_BEGIN and not told:
                told = True
                print_note(self._describe_waiting(waited))
            if not begun and waited >= SECONDS_TO_GIVE_UP:
                begun = True
                self._give_up(waited)

    def _look_once(self) -> float:
        """Looks, and says when to look again at the earliest."""
        began = time.monotonic()
        how_far = self._watch.look(self.result)
        ended = time.monotonic()
        if how_far != self._how_far:
            self._how_far, self._moved_at, self._silence_told = how_far, ended, False
        return ended + (ended - began) / SHARE_OF_LOOKING

    def _tell_of_silence(self) -> None:
        """Says that the job has got no further for long, once until it does."""
        silent = time.monotonic() - self._moved_at
        if self._watch.fence is None or self._silence_told or silent < SECONDS_OF_SILENCE:
            return
        self._silence_told = True
        runner, minutes = self._options["runner"], silent / 60
        print_note(
            f"the job on {runner} has got no further for {minutes:.0f} minutes: a worker that "
            "died before it could report is waited for without end there. If none is busy, break "
            "off and run the same command again: what is whole stays"
        )

    def _describe_waiting(self, seconds: float) -> str:
        runner = self._options["runner"]
        line = f"no worker of the job on {runner} has begun within {seconds:.0f} s"
        if runner in _STARTED_ON_DEMAND:
            return f"{line}: its machines may still be starting"
        return f"{line}: {describe_workers(self._options)}"

    def _give_up(self, seconds: float) -> None:
        if self._options["runner"] not in _STARTED_ON_DEMAND:
            self.complaint = self._describe_waiting(seconds)
            _cancel(self.result, self._options)
