"""Which link is asked for next, so that no host takes the room of the others.

Links wait for their host here and not in one of the places of those that are being fetched. A host
that has not answered yet gets few places. One that lets its first links run out of time, or later
several in a row, is set aside until nothing else is left to do. One link more then decides: if it
is answered, the host was only slow for a while; if not, the rest of its links are given up.
"""

import heapq
from collections import Counter
from typing import Generic, TypeVar

UNPROVEN_PLACES = 2
"""How many links at once a host gets that has not answered any yet."""

TIMEOUTS_IN_A_ROW = 4
"""How many links in a row must run out of time before a host that has answered is set aside."""

JobT = TypeVar("JobT")


class HostQueue(Generic[JobT]):
    """Jobs that wait for their host, at most `per_host` of which run at once.

    Of the jobs whose host has room the one with the lowest number is next; numbers are unique.
    """

    def __init__(self, per_host: int) -> None:
        self._per_host = per_host
        self._waiting: dict[str, list[tuple[int, JobT]]] = {}
        self._heads: list[tuple[int, str]] = []
        self._running: Counter[str] = Counter()
        self._proven: set[str] = set()
        self._timeouts: Counter[str] = Counter()
        self._asked_again: set[str] = set()
        self._given_up: set[str] = set()

    def put(self, number: int, host: str, job: JobT) -> bool:
        """Lets a job wait for its host; False, and it does not wait, if the host is given up."""
        if host in self._given_up:
            return False
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
        """The next job of the hosts that are set aside, one for each, when no other runs."""
        if self._running.keys() - self._asked_again:
            return None
        aside = [
            (jobs[0][0], host)
            for host, jobs in self._waiting.items()
            if self._is_aside(host) and host not in self._asked_again
        ]
        if not aside:
            return None
        _, host = min(aside)
        self._asked_again.add(host)
        return self._start(host)

    def leave(self, host: str, *, timed_out: bool | None) -> list[JobT]:
        """Says that a job ran to its end; the jobs that are given up by it.

        `timed_out` is None for a job that tells nothing of its host.
        """
        self._running[host] -= 1
        if not self._running[host]:
            del self._running[host]
        asked = host in self._asked_again
        self._asked_again.discard(host)
        if timed_out:
            self._timeouts[host] += 1
            if asked:
                self._given_up.add(host)
                return [job for _, job in sorted(self._waiting.pop(host, ()), key=_number)]
        elif timed_out is not None:
            self._proven.add(host)
            self._timeouts.pop(host, None)
        self._offer(host)
        return []

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
        return self._timeouts[host] >= (TIMEOUTS_IN_A_ROW if host in self._proven else 1)


def _number(entry: tuple[int, JobT]) -> int:
    return entry[0]
