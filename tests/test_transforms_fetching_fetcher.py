import asyncio
import logging
import socket
import time
import tracemalloc
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace

import pytest
from fakes.server import PICTURE
from fakes.silence import silent_host

from transforms.fetching.fetcher import FetchOptions, fetch_links
from transforms.fetching.policy import FetchError, GuardedResolver
from transforms.pictures.decoding import PictureLimits

OPTIONS = FetchOptions(
    deadline_s=3, backoff_s=0.01, allow_addresses=("127.0.0.1/32",), max_bytes=1_000_000
)


def fetch_all(links, options=OPTIONS):
    """What came of each link: the picture's bytes, or the reason."""
    found = {}

    def done(link, outcome):
        assert link not in found
        found[link] = outcome.reason if isinstance(outcome, FetchError) else outcome.bytes
        if isinstance(outcome, FetchError):
            assert "\n" not in outcome.detail

    asyncio.run(fetch_links([(link, link) for link in links], done, options=options))
    assert set(found) == set(links)
    return found


def fetch_one(server, path, options=OPTIONS):
    (outcome,) = fetch_all([server.url(path)], options).values()
    return outcome


@pytest.mark.parametrize(
    "path",
    [
        "/good",
        "/good_without_length",
        "/gzipped",
        "/early_hints",
        "/cookies",
        "/redirect",
        "/no_for_others",
        "/500_then_ok",
        "/429_then_ok",
        "/reset_then_ok",
        "/long_header",
        "/as_told_by_another",
        "/a%2Cb,%7E?c=%2F/%3D&d=e|f",
        "/redirect_signed",
        "/redirect_latin",
    ],
)
def test_pictures_that_can_be_had(server, path):
    assert fetch_one(server, path) == PICTURE


@pytest.mark.parametrize(
    ("path", "reason", "attempts"),
    [
        ("/not_found", "http_404", 1),
        ("/forbidden", "http_403", 1),
        ("/always_500", "http_500", 3),
        ("/busy_for_an_hour", "http_429", 1),
        ("/html", "not_an_image", 1),
        ("/half", "truncated", 1),
        ("/length_too_short", "bad_response", 1),
        ("/length_too_long", "connection_lost", 3),
        ("/length_huge", "too_large_file", 1),
        ("/length_nonsense", "bad_response", 1),
        ("/length_negative", "bad_response", 1),
        ("/endless_body", "too_large_file", 1),
        ("/gzip_bomb", "too_large_file", 1),
        ("/gzip_garbage", "broken_data", 1),
        ("/gzip_half", "truncated", 1),
        ("/brotli", "unsupported_encoding", 1),
        ("/huge_header", "too_many_pixels", 1),
        ("/empty", "empty_file", 1),
        ("/noai", "opted_out", 1),
        ("/noimageai", "opted_out", 1),
        ("/noindex_second", "opted_out", 1),
        ("/no_for_us", "opted_out", 1),
        ("/redirect_noai", "opted_out", 1),
        ("/redirect_loop", "too_many_redirects", 11),
        ("/redirect_nowhere", "bad_redirect", 1),
        ("/redirect_bad", "bad_redirect", 1),
        ("/redirect_file", "forbidden_scheme", 1),
        ("/redirect_ftp", "forbidden_scheme", 1),
        ("/redirect_private", "forbidden_address", 1),
        ("/redirect_metadata", "forbidden_address", 1),
        ("/garbage", "bad_response", 1),
        ("/endless_headers", "bad_response", 1),
        ("/tdm_reserved", "opted_out", 1),
        ("/not_found_noai", "opted_out", 1),
        ("/not_modified_noai", "opted_out", 1),
        ("/redirect_to_mail", "forbidden_port", 1),
        ("/redirect_script", "forbidden_scheme", 1),
        ("/redirect_long", "bad_response", 1),
        ("/switching", "http_101", 1),
        ("/nothing", "http_204", 1),
        ("/a_part", "http_206", 1),
        ("/no_http", "bad_response", 1),
        ("/two_lengths", "bad_response", 1),
        ("/length_and_chunks", "bad_response", 1),
        ("/chunk_garbage", "bad_response", 1),
        ("/one_long_header", "bad_response", 1),
        ("/waits_for_ever", "http_503", 1),
        ("/reset", "connection_lost", 3),
        ("/closes_at_once", "connection_lost", 3),
        ("/stops_in_headers", "connection_lost", 3),
    ],
)
def test_every_way_to_fail_has_its_reason(server, path, reason, attempts):
    assert fetch_one(server, path) == reason
    # aiohttp itself asks once more where the server hung up without an answer.
    by_aiohttp = 2 if path in ("/closes_at_once", "/stops_in_headers") else 1
    assert server.asked[path] in (attempts, attempts * by_aiohttp)


@pytest.mark.parametrize("path", ["/slow_drip", "/hangs_before_headers", "/redirect_loop"])
def test_one_deadline_for_everything(server, path):
    began = time.monotonic()
    options = replace(OPTIONS, deadline_s=0.3, max_redirects=10**9)
    assert fetch_one(server, path, options) == "deadline"
    assert time.monotonic() - began < 2


def test_silence_ends_a_picture_before_the_deadline(server):
    options = replace(OPTIONS, deadline_s=20, silence_s=0.4)
    began = time.monotonic()
    assert fetch_one(server, "/hangs_before_headers", options) == "deadline"
    assert time.monotonic() - began < 3
    # Its bytes come one after the other: that is no silence.
    assert fetch_one(server, "/takes_a_while", replace(options, silence_s=0.2)) == PICTURE


def test_a_body_that_goes_on_coming_may_come_beyond_the_deadline(server):
    options = replace(OPTIONS, deadline_s=0.3)
    assert fetch_one(server, "/creeps", options) == PICTURE
    # Nobody can say of this one whether it will end.
    assert fetch_one(server, "/creeps_without_length", options) == "deadline"
    assert fetch_one(server, "/creeps_without_length", replace(options, deadline_s=9)) == PICTURE


def test_a_body_that_cannot_be_there_in_time_is_given_up_early(server):
    began = time.monotonic()
    options = replace(OPTIONS, deadline_s=10, silence_s=0.5)
    assert fetch_one(server, "/slow_drip", options) == "deadline"
    assert time.monotonic() - began < 5


def test_silent_servers_let_others_go_ahead(server):
    """Twelve hosts and four places: after a second three more have each place."""
    options = replace(
        OPTIONS, in_flight=4, deadline_s=30, silence_s=3, allow_addresses=("127.0.0.0/8",)
    )
    with ExitStack() as hosts:
        silent = [hosts.enter_context(silent_host(f"127.0.0.{n + 2}")) for n in range(12)]
        began = time.monotonic()
        found = fetch_all([*(f"http://{host}/" for host in silent), server.url("/good")], options)
        assert time.monotonic() - began < 7
    assert Counter(found.values()) == {"deadline": 12, PICTURE: 1}


def test_links_may_come_later(server):
    found, waits = [], iter([True, True, False])

    def links():
        yield 1, server.url("/good?1")
        while next(waits):
            yield None
        yield 2, server.url("/good?2")

    def done(number, outcome):
        found.append(number)

    asyncio.run(fetch_links(links(), done, options=OPTIONS))
    assert sorted(found) == [1, 2]


def test_waiting_for_a_retry_keeps_to_the_deadline(server):
    began = time.monotonic()
    assert fetch_one(server, "/429_then_ok", replace(OPTIONS, deadline_s=0.5)) == "http_429"
    assert time.monotonic() - began < 0.5


def test_a_slow_server_does_not_hold_up_the_others(server):
    links = [server.url("/hangs_before_headers") for _ in range(1)]
    links += [server.url(f"/good?{i}") for i in range(100)]
    found = fetch_all(links, replace(OPTIONS, deadline_s=1))
    assert sum(outcome == "http_404" for outcome in found.values()) == 100
    assert found[links[0]] == "deadline"


def test_no_more_than_so_many_from_one_host(server):
    links = [server.url(f"/takes_a_while?{i}") for i in range(12)]
    found = fetch_all(links, replace(OPTIONS, per_host=3))
    assert set(found.values()) == {PICTURE}
    assert 1 < server.most_at_once <= 3
    fetch_all(links, replace(OPTIONS, per_host=100, in_flight=6))
    assert 3 < server.most_at_once <= 6


def test_a_gzip_bomb_is_not_unpacked(server):
    tracemalloc.start()
    try:
        assert fetch_one(server, "/gzip_bomb") == "too_large_file"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


def test_limits_of_the_picture_are_applied(server):
    strict = replace(OPTIONS, limits=PictureLimits(max_pixels=1000))
    assert fetch_one(server, "/good", strict) == "too_many_pixels"


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("http://127.0.0.1:{port}/good", "forbidden_address"),
        ("http://localhost:{port}/good", "forbidden_address"),
        ("http://2130706433:{port}/good", "bad_url"),
        ("http://0x7f.1:{port}/good", "forbidden_address"),
        ("http://0.0.0.0:{port}/good", "forbidden_address"),
        ("http://[::1]:{port}/good", "forbidden_address"),
        ("http://[::ffff:127.0.0.1]:{port}/good", "forbidden_address"),
        ("http://[fe80::1]/good", "forbidden_address"),
        ("http://10.0.0.1/", "forbidden_address"),
        ("http://169.254.169.254/latest", "forbidden_address"),
        ("file:///etc/passwd", "forbidden_scheme"),
        ("ftp://example.org/a.png", "forbidden_scheme"),
        ("data:image/png;base64,AAAA", "forbidden_scheme"),
        ("javascript:alert(1)", "forbidden_scheme"),
        ("gopher://example.org/", "forbidden_scheme"),
        ("HTTP://LOCALHOST:{port}/good", "forbidden_address"),
        ("http://user:pass@127.0.0.1:{port}/good", "forbidden_address"),
        ("http://１２７.0.0.1:{port}/good", "forbidden_address"),
        ("http://①②⑦.0.0.1:{port}/good", "forbidden_address"),
        ("http://127。0。0。1:{port}/good", "forbidden_address"),
        ("http://0177.0.0.1:{port}/good", "bad_url"),
        ("http://127.1:{port}/good", "bad_url"),
        ("http://127.0.0.1.:{port}/good", "bad_url"),
        ("http://0x7f000001:{port}/good", "forbidden_address"),
        ("http://[::1%25lo]:{port}/good", "bad_url"),
        ("http://[::127.0.0.1]:{port}/good", "forbidden_address"),
        ("http://[64:ff9b::7f00:1]:{port}/good", "forbidden_address"),
        ("http://168.63.129.16/", "forbidden_address"),
        ("http://192.0.0.9/", "forbidden_address"),
        ("http://example.org\\@127.0.0.1:{port}/good", "bad_url"),
        ("http://example.org:22/", "forbidden_port"),
        ("https://example.org:25/", "forbidden_port"),
        ("http://example.org:6667/", "forbidden_port"),
        ("http://example.org:0/", "forbidden_port"),
        ("http://a..b/", "bad_url"),
        ("http://" + "a" * 64 + ".org/", "bad_url"),
        ("http://" + "a." * 130 + "org/", "bad_url"),
        ("http://xn--/", "bad_url"),
        ("http://example.org/" + "x" * 9000, "bad_url"),
        ("//example.org/a.png", "bad_url"),
        ("http://", "bad_url"),
        ("http://[::1/x", "bad_url"),
        ("http://a\u0000b/", "unknown_host"),
        ("http://example.org:99999/", "bad_url"),
        ("", "bad_url"),
        ("a picture", "bad_url"),
        ("http://name.invalid/a.png", "unknown_host"),
    ],
)
def test_links_that_lead_where_they_must_not(server, link, reason):
    link = link.format(port=server.port)
    assert fetch_all([link], replace(OPTIONS, allow_addresses=())) == {link: reason}
    assert not server.asked


def test_an_address_that_changes_after_the_check_is_still_refused(server, monkeypatch):
    """A name server may answer differently the second time: the socket has the last word."""

    async def rebound(self, host, port=0, family=socket.AF_INET):
        answer = {"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET}
        return [answer | {"proto": 0, "flags": 0}]

    monkeypatch.setattr(GuardedResolver, "resolve", rebound)
    link = f"http://example.org:{server.port}/good"
    assert fetch_all([link], replace(OPTIONS, allow_addresses=())) == {link: "forbidden_address"}
    assert not server.asked
    assert fetch_all([link]) == {link: PICTURE}


@pytest.mark.parametrize(
    ("name", "value"),
    [("deadline_s", 0), ("in_flight", 0), ("retries", -1), ("per_host", 0), ("max_bytes", 0)],
)
def test_options_are_checked(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        replace(OPTIONS, **{name: value})


def test_an_error_in_the_callers_hands_ends_the_run(server):
    def done(link, outcome):
        raise OSError("disk full")

    links = [(i, server.url("/good")) for i in range(50)]
    with pytest.raises(OSError, match="disk full"):
        asyncio.run(fetch_links(links, done, options=OPTIONS))


def test_nothing_is_logged_as_unhandled(server, caplog):
    with caplog.at_level(logging.WARNING):
        links = [server.url(path) for path in ("/garbage", "/reset", "/good", "/slow_drip")]
        fetch_all(links, replace(OPTIONS, deadline_s=0.5))
    assert not caplog.records
