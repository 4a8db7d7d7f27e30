"""Fetching pictures by their links, many at a time, from servers that may do anything.

One wall-clock deadline covers all that is done for a picture on the network: looking up the name,
redirects, retries, the body. A body is cut off at a byte cap, counted after decompression, and a
picture is decoded only if its header keeps to the pixel cap. Every address is checked three times:
after the name is looked up, after every redirect (by going through the same steps again), and when
the socket for the connection is made, so that no second answer of a name server slips in between.
"""

import asyncio
import email.utils
import time
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp
from yarl import URL

from transforms.fetching.policy import (
    AddressPolicy,
    FetchError,
    ForbiddenAddressError,
    check_url,
    find_opt_out,
    guard_connections,
)
from transforms.pictures.decoding import NormalisedPicture, PictureError, PictureLimits, normalise

USER_AGENT = "Mozilla/5.0 (compatible; pairloom; builds data sets, honours X-Robots-Tag)"

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_RETRIED = frozenset({429, 500, 502, 503, 504})
_CHUNK_BYTES = 65_536
_DECODING_THREADS = 2
LinkT = TypeVar("LinkT")


@dataclass(frozen=True)
class FetchOptions:
    """How pictures are fetched.

    `deadline_s` is the time for one picture, in seconds; `retries` how often a busy server or a
    lost connection is tried again, waiting `backoff_s`, then twice that, and so on, or as long as
    the server asks; `in_flight` how many pictures are fetched at once, `per_host` how many of
    them from one host. `max_bytes` caps one body; memory is at most about `in_flight` times that.
    `allow_addresses` lets networks (CIDR) through that are not public: for servers of one's own.
    """

    deadline_s: float = 30.0
    max_redirects: int = 5
    retries: int = 2
    backoff_s: float = 0.5
    in_flight: int = 64
    per_host: int = 8
    max_bytes: int = 20_000_000
    allow_addresses: tuple[str, ...] = ()
    limits: PictureLimits = field(default_factory=PictureLimits)

    def __post_init__(self) -> None:
        for name in ("in_flight", "per_host", "max_bytes", "retries", "max_redirects"):
            if type(getattr(self, name)) is not int:
                raise ValueError(f"{name} must be a whole number, got {getattr(self, name)!r}")
        for name in ("in_flight", "per_host", "max_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        for name in ("retries", "max_redirects", "backoff_s"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be >= 0, got {getattr(self, name)}")
        if not self.deadline_s > 0:
            raise ValueError(f"deadline_s must be > 0, got {self.deadline_s}")
        AddressPolicy(self.allow_addresses)


class Fetcher:
    """Fetches single pictures; made by `open_fetcher`."""

    def __init__(
        self, session: aiohttp.ClientSession, decoders: ThreadPoolExecutor, options: FetchOptions
    ) -> None:
        self._session = session
        self._decoders = decoders
        self._options = options

    async def fetch(self, link: str) -> NormalisedPicture:
        """The picture behind `link`, checked and decoded once.

        Raises:
            FetchError: it could not be had, or is no usable picture.
        """
        options = self._options
        ends = time.monotonic() + options.deadline_s
        try:
            async with asyncio.timeout(options.deadline_s):
                data = await self._fetch_with_retries(check_url(link), ends)
        except TimeoutError as error:
            raise FetchError("deadline", f"not done within {options.deadline_s:g} s") from error
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._decoders, normalise, data, options.limits)
        except PictureError as error:
            raise FetchError(error.reason, error.detail) from error

    async def _fetch_with_retries(self, url: URL, ends: float) -> bytes:
        wait_s = self._options.backoff_s
        for attempt in range(self._options.retries + 1):
            try:
                return await self._follow(url)
            except FetchError as error:
                pause_s = max(wait_s, error.retry_after_s or 0)
                last = attempt == self._options.retries
                if not error.retry or last or time.monotonic() + pause_s >= ends:
                    raise
            await asyncio.sleep(pause_s)
            wait_s *= 2
        raise AssertionError("the last attempt returns or raises")

    async def _follow(self, url: URL) -> bytes:
        """The body at the end of the redirects, each of which is checked like the first link."""
        for _ in range(self._options.max_redirects + 1):
            answer = await _name_errors(self._ask(url))
            if isinstance(answer, bytes):
                return answer
            url = check_url(answer)
        raise FetchError("too_many_redirects", f"more than {self._options.max_redirects} redirects")

    async def _ask(self, url: URL) -> bytes | URL:
        """The body, or where the server says it is."""
        async with self._session.get(url, allow_redirects=False) as response:
            opt_out = find_opt_out(response.headers.getall("X-Robots-Tag", ()))
            if opt_out is not None:
                raise FetchError("opted_out", f"the server sends X-Robots-Tag: {opt_out}")
            if response.status in _REDIRECTS:
                return _read_location(url, response.headers.get("Location", ""))
            if response.status != 200:
                raise FetchError(
                    f"http_{response.status}",
                    f"the server answers {response.status}",
                    retry=response.status in _RETRIED,
                    retry_after_s=_read_retry_after(response.headers.get("Retry-After", "")),
                )
            return await _read_body(response, self._options.max_bytes)


@asynccontextmanager
async def open_fetcher(options: FetchOptions) -> AsyncIterator[Fetcher]:
    """A fetcher with its connections, closed at the end of the block."""
    # Names are looked up in the loop's threads: with the default few, one dead name server
    # would hold up everything.
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(options.in_flight, "lookup"))
    session = aiohttp.ClientSession(
        connector=guard_connections(AddressPolicy(options.allow_addresses)),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        auto_decompress=False,
        trust_env=False,
    )
    with ThreadPoolExecutor(_DECODING_THREADS, "decode") as decoders:
        async with session:
            yield Fetcher(session, decoders, options)


async def fetch_links(
    links: Iterable[tuple[LinkT, str]],
    done: Callable[[LinkT, NormalisedPicture | FetchError], None],
    *,
    options: FetchOptions,
) -> None:
    """Fetches every (what, link) of `links` and calls `done` with what came of it, as it comes.

    `links` is read as room becomes free, so it may be endless. Errors of `done` end the run.
    """
    hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(
        lambda: asyncio.Semaphore(options.per_host)
    )
    waiting = iter(links)

    async def work(fetcher: Fetcher) -> None:
        for what, link in waiting:
            outcome: NormalisedPicture | FetchError
            try:
                async with hosts[check_url(link).host or ""]:
                    outcome = await fetcher.fetch(link)
            except FetchError as error:
                outcome = error
            done(what, outcome)

    async with open_fetcher(options) as fetcher:
        workers = [asyncio.create_task(work(fetcher)) for _ in range(options.in_flight)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)


async def _name_errors(answer: Awaitable[bytes | URL]) -> bytes | URL:
    """The answer, with aiohttp's exceptions turned into reasons."""
    try:
        return await answer
    except aiohttp.ClientConnectorDNSError as error:
        if isinstance(error.os_error, ForbiddenAddressError):
            raise FetchError("forbidden_address", str(error.os_error)) from error
        raise FetchError("unknown_host", f"{error.host}: the name is not known") from error
    except (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch) as error:
        raise FetchError("bad_certificate", _line(error)) from error
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, ForbiddenAddressError):
            raise FetchError("forbidden_address", str(error.os_error)) from error
        reset = isinstance(error.os_error, ConnectionResetError)
        raise FetchError("no_connection", _line(error), retry=reset) from error
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, OSError) as error:
        raise FetchError("connection_lost", _line(error), retry=True) from error
    except aiohttp.InvalidURL as error:
        raise FetchError("bad_url", _line(error)) from error
    except (aiohttp.ClientError, ValueError) as error:
        raise FetchError("bad_response", _line(error)) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _read_location(url: URL, location: str) -> URL:
    if not location:
        raise FetchError("bad_redirect", "the server redirects without saying where to")
    try:
        return url.join(URL(location))
    except ValueError as error:
        raise FetchError("bad_redirect", f"{location[:200]!r}: {_line(error)}") from error


def _read_retry_after(header: str) -> float | None:
    """Seconds to wait, from a number or a date; None where it says nothing."""
    if header.strip().isdecimal():
        return float(header[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


async def _read_body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The body, decompressed, as far as it keeps to `max_bytes` both ways."""
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise FetchError("unsupported_encoding", f"Content-Encoding {coding[:40]!r} is not read")
    if (response.content_length or 0) > max_bytes:
        raise FetchError(
            "too_large_file", f"{response.content_length} bytes, at most {max_bytes} are fetched"
        )
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > max_bytes:
            raise FetchError("too_large_file", f"more than {max_bytes} bytes")
    return bytes(body) if coding in ("", "identity") else _inflate(bytes(body), max_bytes)


def _inflate(body: bytes, max_bytes: int) -> bytes:
    """`body` out of gzip or zlib, never more than `max_bytes` of it."""
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        data = inflater.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise FetchError("broken_data", f"the compressed body is damaged: {error}") from error
    if len(data) > max_bytes:
        raise FetchError("too_large_file", f"more than {max_bytes} bytes after decompression")
    if body and not inflater.eof:
        raise FetchError("truncated", "the compressed body breaks off")
    return data
