"""Which link is asked for next, so that no host takes the room of the others.

Links wait for their host here and not in one of the places of those that are being fetched. A host
that has not answered yet gets few places. One that lets its first links run out of time, or later
several in a row, is set aside until nothing else is left to begin. So many links more then decide
as `DECIDERS` says, as many at once as a host may have: if one of them is answered, the host has
links that it answers among those that it does not, and all are asked for; if none is, the rest are
given up, and so are those that come for it within `GIVEN_UP_S`. Where nothing else is left to begin
anyway, they need not wait until the first have run out of time: a part of it is enough (`hush`).

What is known of hosts is bounded: of more than `HOSTS_KNOWN` the oldest are forgotten.
"""

import heapq
import time
from collections import Counter
from collections.abc import Callable, Container
from typing import Generic, TypeVar

UNPROVEN_PLACES = 2
"""How many links at once a host gets that has not answered any yet."""

TIMEOUTS_IN_A_ROW = 4
"""How many links in a row must run out of time before a host that has answered is set aside."""

DECIDERS = 6
"""How many links of a host that is set aside must run out of time before the rest are given up.

Together with its first links they are as many as a host may have at once by default.
"""

GIVEN_UP_S = 600.0
"""How long a host is given up, in seconds: then it is as one that was never asked."""

HOSTS_KNOWN = 200_000

JobT = TypeVar("JobT")
ValueT = TypeVar("ValueT")


class HostQueue(Generic[JobT]):
    """Jobs that wait for their host, at most `per_host` of which run at once.

    Of the jobs whose host has room the one with the lowest number is next; numbers are unique.
    `clock` gives seconds.
    """

    def __init__(self, per_host: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_host = per_host
        self._clock = clock
        self._waiting: dict[str, list[tuple[int, JobT]]] = {}
        self._heads: list[tuple[int, str]] = []
        self._running: Counter[str] = Counter()
        self._proven: dict[str, int] = {}
        self._timeouts: dict[str, int] = {}
        self._hushed: set[str] = set()
        self._deciding: Counter[str] = Counter()
        self._refused: dict[str, int] = {}
        self._given_up: dict[str, float] = {}

    def put(self, number: int, host: str, job: JobT) -> bool:
        """Lets a job wait for its host; False, and it does not wait, if the host is given up."""
        if host in self._given_up:
            if self._clock() - self._given_up[host] < GIVEN_UP_S:
                return False
            del self._given_up[host]
            self._timeouts.pop(host, None)
        heapq.heappush(self._waiting.setdefault(host, []), (number, job))
        self._offer(host)
        return True

    def take(self) -> JobT | None:
        """The next job, which then counts as running; None if no host that has jobs has room."""
        while self._heads:
            number, host = heapq.heappop(self._heads)
            jobs = self._waiting.get(host)
            if jobs and jobs[0][0] == number and self._has_room(host):
                return self._start(host)
        return None

    def take_aside(self) -> JobT | None:
        """The next job that decides what becomes of a host that is set aside, `DECIDERS` for each.

        None while a job waits for a host that is not set aside.
        """
        aside = []
        for host, jobs in self._waiting.items():
            if not self._is_aside(host):
                return None
            decide = self._deciding[host] + self._refused.get(host, 0)
            if decide < DECIDERS and self._running[host] < self._per_host:
                aside.append((jobs[0][0], host))
        if not aside:
            return None
        _, host = min(aside)
        self._deciding[host] += 1
        return self._start(host)

    def answers(self, host: str) -> int:
        """How many jobs of a host have been answered, as far as is remembered."""
        return self._proven.get(host, 0)

    def hush(self, host: str) -> None:
        """Says that a job of a host has waited for long, and nothing has come yet.

        One that has not answered any is then set aside, until one of its jobs ends.
        """
        if host not in self._proven:
            self._hushed.add(host)

    def leave(self, host: str, *, timed_out: bool | None, decides: int | None = None) -> list[JobT]:
        """Says that a job ran to its end; the jobs that are given up by it.

        `timed_out` is None for a job that tells nothing of its host. `decides` is for one that
        `take_aside` gave: `answers` when it began. Has the host answered since, it decides nothing.
        """
        deciding = decides is not None and decides == self.answers(host)
        self._running[host] -= 1
        if not self._running[host]:
            del self._running[host]
            self._hushed.discard(host)
        if deciding:
            self._deciding[host] -= 1
            if not self._deciding[host]:
                del self._deciding[host]
        if timed_out:
            self._timeouts[host] = self._timeouts.get(host, 0) + 1
            _forget(self._timeouts, self._waiting)
            if deciding and self._refuse(host):
                return [job for _, job in sorted(self._waiting.pop(host, ()), key=_number)]
        elif timed_out is not None:
            self._proven[host] = self.answers(host) + 1
            _forget(self._proven, ())
            self._timeouts.pop(host, None)
            self._refused.pop(host, None)
            self._deciding.pop(host, None)
            self._hushed.discard(host)
        self._offer(host)
        return []

    def _refuse(self, host: str) -> bool:
        """Counts a job that has decided against its host; whether that host is given up now."""
        refused = self._refused.pop(host, 0) + 1
        if refused < DECIDERS:
            self._refused[host] = refused
            _forget(self._refused, self._waiting)
            return False
        self._given_up[host] = self._clock()
        _forget(self._given_up, ())
        return True

    def _start(self, host: str) -> JobT:
        _, job = heapq.heappop(self._waiting[host])
        if not self._waiting[host]:
            del self._waiting[host]
        self._running[host] += 1
        self._offer(host)
        return job

    def _offer(self, host: str) -> None:
        if host in self._waiting and self._has_room(host):
            heapq.heappush(self._heads, (self._waiting[host][0][0], host))

    def _has_room(self, host: str) -> bool:
        places = self._per_host if host in self._proven else min(self._per_host, UNPROVEN_PLACES)
        return self._running[host] < places and not self._is_aside(host)

    def _is_aside(self, host: str) -> bool:
        most = TIMEOUTS_IN_A_ROW if host in self._proven else 1
        return host in self._hushed or self._timeouts.get(host, 0) >= most


def _forget(known: dict[str, ValueT], needed: Container[str]) -> None:
    """Lets go of the oldest host where too many are known, unless it is among the `needed`."""
    if len(known) > HOSTS_KNOWN:
        oldest = next(iter(known))
        value = known.pop(oldest)
        if oldest in needed:
            known[oldest] = value


def _number(entry: tuple[int, JobT]) -> int:
    return entry[0]
