"""Fetching pictures by their links, many at a time, from servers that may do anything.

One deadline covers all that is done for a picture on the network: looking up the name, redirects,
retries and the pauses between, the body. What is done is done in steps, each a request to one host:
a redirect or a retry goes back among the links that wait, so that no link holds a place while it
only waits, and each host has as many as it may at once, whichever way they came. Nor does a link
hold a place for long whose server says nothing. A picture is decoded only if its header keeps to
the pixel cap.
"""

import asyncio
import heapq
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from yarl import URL

from transforms.fetching.asking import Asker, count_silent_places, open_asker
from transforms.fetching.bodies import Body, Room
from transforms.fetching.hosts import HostQueue
from transforms.fetching.options import FetchOptions
from transforms.fetching.pixels import count_pixels
from transforms.fetching.policy import FetchError, check_url
from transforms.pictures.decoding import NormalisedPicture, PictureError, normalise

LOOK_AHEAD = 10_000
"""How many links are read before the first of them is done with, to pass those that must wait."""

DECODED_PIXELS = 50_000_000
"""How many pixels are decoded at a time, in pictures of any number; a larger picture is alone."""

SILENT_S = 1.0
"""How long a link waits for an answer, in seconds, before another may go ahead in its place."""

_DECODING_THREADS = 2
_TICK_S = 0.25
_LONG = 0.25
_FAIR_SHARE = 0.5
LinkT = TypeVar("LinkT")
_Outcome = NormalisedPicture | FetchError


@dataclass
class _Job(Generic[LinkT]):
    """A link on its way: where it leads by now, and what it has taken of redirects, tries, time."""

    number: int
    what: LinkT
    first: URL
    url: URL
    hops: int = 0
    attempts: int = 0
    spent_s: float = 0.0
    asked_s: float = 0.0
    heard: bool = False
    decides: int | None = None

    def ask(self) -> None:
        """Begins a request, of which nothing has been heard."""
        self.asked_s, self.heard = time.monotonic(), False

    def hear(self) -> None:
        """Says that the server begins to answer."""
        self.heard = True

    @property
    def host(self) -> str:
        """The host to ask next, in one spelling."""
        return (self.url.raw_host or "").lower().rstrip(".")


@dataclass(frozen=True)
class _Step:
    """What came of one request; `timed_out` is None where that says nothing of the host."""

    answer: _Outcome | URL
    timed_out: bool | None


class _Fetch(Generic[LinkT]):
    """One call of `fetch_links`."""

    def __init__(
        self,
        links: Iterable[tuple[LinkT, str] | None],
        done: Callable[[LinkT, _Outcome], None],
        options: FetchOptions,
    ) -> None:
        self._links: Iterator[tuple[int, tuple[LinkT, str] | None]] = enumerate(links)
        self._done = done
        self._options = options
        self._queue: HostQueue[_Job[LinkT]] = HostQueue(options.per_host)
        self._paused: list[tuple[float, int, _Job[LinkT]]] = []
        self._running: dict[asyncio.Task[_Step], _Job[LinkT]] = {}
        self._unfinished = 0
        self._silent = 0
        self._silent_places = count_silent_places(options.in_flight)
        self._looked_s = time.monotonic()
        self._room = Room(DECODED_PIXELS)

    async def run(self, asker: Asker, decoders: ThreadPoolExecutor) -> None:
        """Until all links are done with."""
        try:
            while self._read_ahead() or self._unfinished:
                self._wake_paused()
                self._look_at_silent()
                self._start(asker, decoders)
                await self._wait()
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _read_ahead(self) -> bool:
        """Lets links wait for their hosts; whether there may be more of them."""
        while self._unfinished < LOOK_AHEAD:
            found = next(self._links, None)
            if found is None:
                return False
            number, ask = found
            if ask is None:
                return True
            what, link = ask
            try:
                url = check_url(link)
            except FetchError as error:
                self._done(what, error)
                continue
            self._unfinished += 1
            self._put(_Job(number, what, url, url))
        return True

    def _put(self, job: _Job[LinkT]) -> None:
        if not self._queue.put(job.number, job.host, job):
            self._finish(job, _given_up(job))

    def _wake_paused(self) -> None:
        while self._paused and self._paused[0][0] <= time.monotonic():
            _, _, job = heapq.heappop(self._paused)
            self._put(job)

    def _look_at_silent(self) -> None:
        """Counts the links that wait for an answer, and tells of those whose host says nothing."""
        now_s = time.monotonic()
        if now_s - self._looked_s < _TICK_S:
            return
        self._looked_s = now_s
        long_s = self._options.silence_s * _LONG
        waits = [(job, now_s - job.asked_s) for job in self._running.values() if not job.heard]
        self._silent = min(self._silent_places, sum(wait_s >= SILENT_S for _, wait_s in waits))
        for job, wait_s in waits:
            if wait_s >= long_s:
                self._queue.hush(job.host)

    def _start(self, asker: Asker, decoders: ThreadPoolExecutor) -> None:
        while len(self._running) - self._silent < self._options.in_flight:
            job = self._queue.take()
            if job is None:
                job = self._queue.take_aside()
                if job is None:
                    return
                job.decides = self._queue.answers(job.host)
            job.ask()
            self._running[asyncio.create_task(self._step(job, asker, decoders))] = job

    async def _wait(self) -> None:
        """For the next request to end, or the next pause, or a look at those that are silent."""
        pause_s = _TICK_S
        if self._paused:
            pause_s = min(pause_s, max(0.0, self._paused[0][0] - time.monotonic()))
        if not self._running:
            await asyncio.sleep(pause_s)
            return
        ended, _ = await asyncio.wait(
            self._running, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED
        )
        for task in sorted(ended, key=lambda task: self._running[task].number):
            self._take_in(self._running.pop(task), task.result())

    def _take_in(self, job: _Job[LinkT], step: _Step) -> None:
        """What a step's answer means for its link, and for its host."""
        decides, job.decides = job.decides, None
        for given_up in self._queue.leave(job.host, timed_out=step.timed_out, decides=decides):
            self._finish(given_up, _given_up(given_up))
        if isinstance(step.answer, URL):
            self._redirect(job, step.answer)
        elif not isinstance(step.answer, FetchError) or not self._try_again(job, step.answer):
            self._finish(job, step.answer)

    def _redirect(self, job: _Job[LinkT], url: URL) -> None:
        job.url, job.hops = url, job.hops + 1
        most = self._options.max_redirects
        if job.hops > most:
            self._finish(job, FetchError("too_many_redirects", f"more than {most} redirects"))
        else:
            self._put(job)

    def _try_again(self, job: _Job[LinkT], error: FetchError) -> bool:
        """Whether the link is tried again, from its start and after a pause."""
        pause_s = max(self._options.backoff_s * 2**job.attempts, error.retry_after_s or 0)
        late = job.spent_s + pause_s >= self._options.deadline_s
        if not error.retry or late or job.attempts >= self._options.retries:
            return False
        job.url, job.hops = job.first, 0
        job.attempts, job.spent_s = job.attempts + 1, job.spent_s + pause_s
        heapq.heappush(self._paused, (time.monotonic() + pause_s, job.number, job))
        return True

    def _finish(self, job: _Job[LinkT], outcome: _Outcome) -> None:
        self._unfinished -= 1
        self._done(job.what, outcome)

    async def _step(self, job: _Job[LinkT], asker: Asker, decoders: ThreadPoolExecutor) -> _Step:
        """One request and, if it is answered by a body, its decoding."""
        left_s, began = self._options.deadline_s - job.spent_s, time.monotonic()
        try:
            answer = await asker.ask(job.url, left_s, job.hear)
        except FetchError as error:
            options = self._options
            fair = left_s >= min(options.silence_s, _FAIR_SHARE * options.deadline_s)
            late = error.reason == "deadline"
            return _Step(error, (True if fair else None) if late else False)
        finally:
            job.spent_s += time.monotonic() - began
        if isinstance(answer, URL):
            return _Step(answer, timed_out=False)
        with answer.file:
            return _Step(await self._decode(answer, decoders), timed_out=False)

    async def _decode(self, body: Body, decoders: ThreadPoolExecutor) -> _Outcome:
        loop, options = asyncio.get_running_loop(), self._options
        pixels = count_pixels(body.read_head())
        async with self._room.take(DECODED_PIXELS if pixels is None else pixels):
            try:
                data = await loop.run_in_executor(decoders, body.load, options.max_bytes)
                return await loop.run_in_executor(decoders, normalise, data, options.limits)
            except PictureError as error:
                return FetchError(error.reason, error.detail)
            except FetchError as error:
                return error


def _given_up(job: _Job[LinkT]) -> FetchError:
    return FetchError("silent_host", f"{job.host} let picture after picture run out of time")


async def fetch_links(
    links: Iterable[tuple[LinkT, str] | None],
    done: Callable[[LinkT, NormalisedPicture | FetchError], None],
    *,
    options: FetchOptions,
    folder: Path | None = None,
) -> None:
    """Fetches every (what, link) of `links` and calls `done` with what came of it, as it comes.

    `links` is read as room becomes free, so it may be endless; None in it says that there may be
    more, but not now, and it is read on later. Bodies that are long wait in
    `folder`, or where the system keeps temporary files. Errors of `done` end the run.

    Raises:
        ResourceError: `options.in_flight` needs more open files than a process may have.
        OutputError: `folder` cannot be written.
    """
    spill = folder or Path(tempfile.gettempdir())
    with ThreadPoolExecutor(_DECODING_THREADS, "decode") as decoders:
        async with open_asker(options, spill) as asker:
            await _Fetch(links, done, options).run(asker, decoders)
