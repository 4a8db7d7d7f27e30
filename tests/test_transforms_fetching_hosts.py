import asyncio
import socket
import threading
import time
from collections import Counter
from dataclasses import replace

import pytest
from fakes.server import PICTURE
from fakes.silence import silent_host

from transforms.fetching.fetcher import fetch_links
from transforms.fetching.hosts import (
    DECIDERS,
    GIVEN_UP_S,
    TIMEOUTS_IN_A_ROW,
    UNPROVEN_PLACES,
    HostQueue,
)
from transforms.fetching.options import FetchOptions
from transforms.fetching.policy import FetchError

OPTIONS = FetchOptions(deadline_s=0.5, backoff_s=0.01, allow_addresses=("127.0.0.0/8", "::1/128"))


def queue_of(jobs, per_host=3):
    queue = HostQueue(per_host)
    for number, host in enumerate(jobs):
        assert queue.put(number, host, number)
    return queue


def take_all(queue):
    return list(iter(queue.take, None))


def take_aside_all(queue):
    return list(iter(queue.take_aside, None))


def test_a_host_without_room_is_passed():
    queue = queue_of(["a"] * 5 + ["b", "c"])
    assert take_all(queue) == [0, 1, 5, 6]
    assert queue.leave("a", timed_out=False) == []
    assert take_all(queue) == [2, 3]  # it has answered, and gets three places
    assert queue.leave("a", timed_out=False) == []
    assert take_all(queue) == [4]


def test_what_comes_back_goes_first():
    queue = queue_of(["a", "b", "b", "b", "b"], per_host=2)
    assert take_all(queue) == [0, 1, 2]
    queue.leave("a", timed_out=False)
    queue.put(0, "b", 0)  # redirected
    assert take_all(queue) == []
    queue.leave("b", timed_out=False)
    assert take_all(queue) == [0]


def test_a_host_that_never_answers_is_set_aside_and_given_up():
    queue = queue_of(["a"] * 11 + ["b"] * 3)
    assert take_all(queue) == [0, 1, 11, 12]
    assert queue.leave("a", timed_out=True) == queue.leave("a", timed_out=True) == []
    assert queue.take() is None
    assert queue.take_aside() is None  # another waits for its turn
    queue.leave("b", timed_out=False)
    assert take_all(queue) == [13]
    # Others run, but none is left to begin: three at a time decide.
    assert take_aside_all(queue) == [2, 3, 4]
    assert queue.leave("a", timed_out=True, decides=0) == []
    assert take_aside_all(queue) == [5]
    assert queue.leave("a", timed_out=None, decides=0) == []  # says nothing of its host
    assert take_aside_all(queue) == [6]
    for _ in range(2):
        assert queue.leave("a", timed_out=True, decides=0) == []
    assert take_aside_all(queue) == [7, 8]
    assert take_aside_all(queue) == []  # enough ask for their host
    for _ in range(2):
        assert queue.leave("a", timed_out=True, decides=0) == []
    assert queue.leave("a", timed_out=True, decides=0) == [9, 10]
    assert not queue.put(14, "a", 14)
    assert queue.put(15, "b", 15)


def test_one_answer_among_many_silences_keeps_a_host():
    queue = queue_of(["a"] * 12, per_host=8)
    assert take_all(queue) == [0, 1]
    queue.hush("a")
    assert take_aside_all(queue) == [2, 3, 4, 5, 6, 7]
    for _ in range(DECIDERS - 1):
        assert queue.leave("a", timed_out=True, decides=0) == []
    assert queue.leave("a", timed_out=False, decides=0) == []
    assert queue.answers("a") == 1
    assert take_all(queue) == [8, 9, 10, 11]


def test_those_that_were_asked_before_a_host_answered_decide_nothing():
    queue = queue_of(["a"] * 20, per_host=8)
    assert take_all(queue) == [0, 1]
    queue.hush("a")
    assert take_aside_all(queue) == [2, 3, 4, 5, 6, 7]
    assert queue.leave("a", timed_out=False) == []
    assert take_all(queue) == [8]
    for _ in range(DECIDERS):
        assert queue.leave("a", timed_out=True, decides=0) == []
    assert take_aside_all(queue) == [9, 10, 11, 12, 13, 14]
    for _ in range(DECIDERS - 1):
        assert queue.leave("a", timed_out=True, decides=1) == []
    assert queue.leave("a", timed_out=True, decides=1) == [15, 16, 17, 18, 19]


def test_a_host_is_given_up_for_a_while():
    now = 0.0
    queue = HostQueue(3, clock=lambda: now)
    most = UNPROVEN_PLACES + DECIDERS
    for number in range(most + 1):
        queue.put(number, "a", number)
    take_all(queue)
    queue.leave("a", timed_out=True)
    queue.leave("a", timed_out=True)
    for number in range(UNPROVEN_PLACES, most):
        assert queue.take_aside() == number
        given_up = queue.leave("a", timed_out=True, decides=0)
    assert given_up == [most]
    now = GIVEN_UP_S - 1
    assert not queue.put(20, "a", 20)
    now = GIVEN_UP_S
    assert queue.put(20, "a", 20)
    assert queue.take() == 20


def test_one_that_is_silent_for_long_is_decided_while_the_first_still_wait():
    queue = queue_of(["a"] * 10, per_host=8)
    assert take_all(queue) == [0, 1]
    assert queue.take_aside() is None
    queue.hush("a")
    assert take_aside_all(queue) == [2, 3, 4, 5, 6, 7]
    assert queue.leave("a", timed_out=True) == queue.leave("a", timed_out=True) == []
    assert queue.take() is None
    for _ in range(DECIDERS - 1):
        assert queue.leave("a", timed_out=True, decides=0) == []
    assert queue.leave("a", timed_out=True, decides=0) == [8, 9]


def test_a_silent_host_that_answers_after_all_is_as_any_other():
    queue = queue_of(["a"] * 6)
    assert take_all(queue) == [0, 1]
    queue.hush("a")
    assert queue.take_aside() == 2
    queue.leave("a", timed_out=False)
    assert take_all(queue) == [3]
    queue.hush("a")  # it has answered: the silence is that of a link
    assert queue.leave("a", timed_out=False, decides=0) == []
    assert take_all(queue) == [4]


def test_deciding_takes_no_more_than_a_host_has():
    queue = queue_of(["a"] * 4, per_host=2)
    assert take_all(queue) == [0, 1]
    queue.hush("a")
    assert queue.take_aside() is None


def test_what_is_known_of_hosts_is_bounded(monkeypatch):
    monkeypatch.setattr("transforms.fetching.hosts.HOSTS_KNOWN", 2)
    queue = HostQueue(8)
    for number, host in enumerate("abc"):
        queue.put(number, host, number)
        queue.take()
        queue.leave(host, timed_out=False)
    for number in range(3, 9):
        queue.put(number, "a" if number % 2 else "c", number)
    # The first is as one that was never asked, the last is known to answer.
    assert take_all(queue) == [3, 4, 5, 6, 8]


def test_a_host_that_answers_again_is_as_before():
    queue = queue_of(["a"] * 8)
    assert len(take_all(queue)) == UNPROVEN_PLACES
    queue.leave("a", timed_out=True)
    queue.leave("a", timed_out=True)
    assert queue.take_aside() == 2
    assert queue.leave("a", timed_out=False) == []
    assert take_all(queue) == [3, 4, 5]


def test_one_that_has_answered_may_let_several_run_out_of_time():
    queue = queue_of(["a"] * 20, per_host=1)
    assert queue.take() == 0
    queue.leave("a", timed_out=False)
    for number in range(1, 1 + TIMEOUTS_IN_A_ROW):
        assert queue.take() == number
        queue.leave("a", timed_out=None)
        assert queue.put(number, "a", number)
        assert queue.take() == number
        queue.leave("a", timed_out=True)
    assert queue.take() is None
    assert queue.take_aside() == 1 + TIMEOUTS_IN_A_ROW


def fetch(links, options=OPTIONS):
    """What came of each link and when, in seconds, and when all was over."""
    found, began = {}, time.monotonic()

    def done(number, outcome):
        said = outcome.reason if isinstance(outcome, FetchError) else outcome.bytes
        found[number] = (said, time.monotonic() - began)

    asyncio.run(fetch_links(enumerate(links), done, options=options))
    assert set(found) == set(range(len(links)))
    return [found[number] for number in range(len(links))], time.monotonic() - began


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_silent_host_does_not_hold_up_the_others(server, scheme):
    with silent_host("127.0.0.2") as silent:
        links = [f"{scheme}://{silent}/{number}" for number in range(128)]
        links += [server.url(f"/takes_a_while?{number}") for number in range(24)]
        found, _ = fetch(links, replace(OPTIONS, in_flight=16, deadline_s=1.2))
    good = found[128:]
    assert {said for said, _ in good} == {PICTURE}
    # Not until the first of the silent ones has run out of time.
    assert max(when for _, when in good) < min(when for _, when in found[:128])
    assert Counter(said for said, _ in found[:128]) == {
        "deadline": UNPROVEN_PLACES + DECIDERS,
        "silent_host": 128 - UNPROVEN_PLACES - DECIDERS,
    }
    # Which of them is told what does not depend on chance.
    assert {said for said, _ in found[: UNPROVEN_PLACES + DECIDERS]} == {"deadline"}


def test_a_host_that_is_silent_at_most_links_gives_the_others(server):
    links = [server.url(f"/hangs_before_headers?{number}") for number in range(12)]
    links[7] = server.url("/takes_a_while?7")
    links += [server.url(f"/takes_a_while?{number}") for number in range(12, 16)]
    found, _ = fetch(links, replace(OPTIONS, deadline_s=1.0, silence_s=0.5))
    assert found[7][0] == PICTURE
    assert {said for said, _ in found[12:]} == {PICTURE}
    assert Counter(said for said, _ in found) == {"deadline": 11, PICTURE: 5}


def test_a_host_that_drips_and_one_that_is_busy_hold_up_nobody(server):
    links = [f"http://localhost:{server.port}/slow_drip?" for _ in range(20)]
    links[::2] = [f"http://127.0.0.3:{server.port}/asks_to_wait" for _ in range(10)]
    links += [server.url(f"/takes_a_while?{number}") for number in range(20)]
    found, _ = fetch(links, replace(OPTIONS, in_flight=12, deadline_s=1.2, silence_s=0.3))
    assert {said for said, _ in found[20:]} == {PICTURE}


def test_redirects_count_for_the_host_they_lead_to(server):
    target = f"http://localhost:{server.port}/takes_a_while"
    starts = [f"http://127.0.0.{1 + n % 6}:{server.port}/to?{target}?{n}" for n in range(18)]
    found, _ = fetch(starts, replace(OPTIONS, per_host=2, deadline_s=20))
    assert {said for said, _ in found} == {PICTURE}
    assert server.most_at_once == 2


def test_redirects_to_a_silent_host_do_not_hold_up_the_others(server):
    with silent_host("127.0.0.9") as silent:
        links = [
            f"http://127.0.0.{1 + n % 8}:{server.port}/to?http://{silent}/{n}" for n in range(40)
        ]
        links += [server.url(f"/takes_a_while?{number}") for number in range(20)]
        found, _ = fetch(links, replace(OPTIONS, in_flight=6, deadline_s=0.7))
    assert {said for said, _ in found[40:]} == {PICTURE}
    assert {said for said, _ in found[:40]} == {"deadline", "silent_host"}


@pytest.mark.parametrize("names", [["hang.example"] * 60, [f"hang{n}.example" for n in range(12)]])
def test_names_that_are_never_found_hold_up_neither_the_others_nor_the_end(
    server, names, monkeypatch
):
    look_up, stuck = socket.getaddrinfo, threading.Event()

    def hang(host, *args, **kwargs):
        if "hang" not in str(host):
            return look_up(host, *args, **kwargs)
        stuck.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    links = [f"http://{name}/" for name in names]
    links += [f"http://localhost:{server.port}/good?{n}" for n in range(10)]
    began = time.monotonic()
    found, _ = fetch(links, replace(OPTIONS, in_flight=16))
    assert time.monotonic() - began < 10
    stuck.set()
    assert {said for said, _ in found[: len(names)]} <= {"deadline", "silent_host"}
    assert {said for said, _ in found[len(names) :]} == {"http_404"}
