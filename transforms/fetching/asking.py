"""One request: a link, and what the server makes of it.

A body is cut off at a byte cap, and a server that says nothing for a while is left. Every address
is checked twice: after the name is looked up, and when the socket for the connection is made, so
that no second answer of a name server slips in between. A redirect is no more than an answer:
whoever asked sees to it that the link it leads to is checked like the first.
"""

import asyncio
import email.utils
import errno
import resource
import string
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import aiohttp
from yarl import URL

from indexes.errors import PairloomError
from transforms.fetching.bodies import PATIENCE, Body, Pace, read_body
from transforms.fetching.lookups import LookupThreads
from transforms.fetching.options import FetchOptions
from transforms.fetching.policy import (
    AddressPolicy,
    FetchError,
    ForbiddenAddressError,
    check_url,
    find_opt_out,
    guard_connections,
    is_reserved,
    spell_url,
)

USER_AGENT = "Mozilla/5.0 (compatible; pairloom; builds data sets, honours X-Robots-Tag)"

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WITHOUT_ALL = frozenset({204, 205, 206})
_MOST_HEADER_BYTES = 65_536
_RETRIED = frozenset({429, 500, 502, 503, 504})
_LOOKUPS_PER_PLACE = 4
_FILES_PER_PLACE = 2
_OTHER_FILES = 64
_MOST_SILENT = 1000


class ResourceError(PairloomError):
    """What a fetch fails by is the machine it runs on, and not a server."""


class Asker:
    """Sends single requests; made by `open_asker`."""

    def __init__(self, session: aiohttp.ClientSession, options: FetchOptions, folder: Path) -> None:
        self._session = session
        self._options = options
        self._folder = folder

    async def ask(self, url: URL, left_s: float, heard: Callable[[], None]) -> Body | URL:
        """The body, whose file the caller closes, or where the server says it is, checked.

        `heard` is called when the server begins to answer. A body whose length is known may come
        beyond `left_s` seconds, for `PATIENCE` times the deadline in all, as long as it comes.

        Raises:
            FetchError: it could not be had, or not in time.
            ResourceError: there are too many open files.
            OutputError: the folder cannot be written.
        """
        patience = _Patience(left_s, self._options)
        try:
            async with patience.limit:
                return await self._name_errors(self._ask(url, patience, heard))
        except TimeoutError as error:
            raise FetchError("deadline", f"not done within {patience.deadline_s:g} s") from error

    async def _ask(self, url: URL, patience: "_Patience", heard: Callable[[], None]) -> Body | URL:
        async with self._session.get(url, allow_redirects=False) as response:
            heard()
            opt_out = find_opt_out(response.headers.getall("X-Robots-Tag", ()))
            if opt_out is not None:
                raise FetchError("opted_out", f"the server sends X-Robots-Tag: {opt_out}")
            if is_reserved(response.headers.getall("TDM-Reservation", ())):
                raise FetchError("opted_out", "the server sends TDM-Reservation: 1")
            if response.status in _REDIRECTS:
                return check_url(_read_location(url, response.headers.get("Location", "")))
            if not 200 <= response.status < 300 or response.status in _WITHOUT_ALL:
                raise FetchError(
                    f"http_{response.status}",
                    f"the server answers {response.status}",
                    retry=response.status in _RETRIED,
                    retry_after_s=_read_retry_after(response.headers.get("Retry-After", "")),
                )
            if response.content_length:
                patience.prolong()
            return await read_body(response, self._options.max_bytes, self._folder, patience.pace)

    async def _name_errors(self, answer: Awaitable[Body | URL]) -> Body | URL:
        """The answer, with aiohttp's exceptions turned into reasons."""
        try:
            return await answer
        except (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch) as error:
            raise FetchError("bad_certificate", _line(error)) from error
        except OSError as error:
            # The system's own has a number; without one it is the end of our patience.
            if isinstance(error, TimeoutError) and error.errno is None:
                limit_s = self._options.silence_s
                raise FetchError("deadline", f"nothing came for {limit_s:g} s") from error
            raise _name_os_error(error) from error
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError) as error:
            raise FetchError("connection_lost", _line(error), retry=True) from error
        except (aiohttp.InvalidURL, UnicodeError) as error:
            raise FetchError("bad_url", _line(error)) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise FetchError("bad_response", _line(error)) from error


class _Patience:
    """How long one request may take: `left_s` seconds of its picture's deadline, or longer."""

    def __init__(self, left_s: float, options: FetchOptions) -> None:
        self._end_s = asyncio.get_running_loop().time() + left_s
        self._options = options
        self.limit = asyncio.timeout_at(self._end_s)
        self.deadline_s = options.deadline_s

    def prolong(self) -> None:
        """Lets a body come for `PATIENCE` times the deadline."""
        self._end_s += (PATIENCE - 1) * self._options.deadline_s
        self.deadline_s = PATIENCE * self._options.deadline_s
        self.limit.reschedule(self._end_s)

    @property
    def pace(self) -> Pace:
        """What is asked of the body."""
        left_s = self._end_s - asyncio.get_running_loop().time()
        return Pace(time.monotonic() + left_s, self._options.silence_s)


@asynccontextmanager
async def open_asker(options: FetchOptions, folder: Path) -> AsyncIterator[Asker]:
    """Connections, closed at the end of the block; long bodies wait in `folder`.

    Raises:
        ResourceError: `options.in_flight` needs more open files than a process may have.
    """
    _check_files(options.in_flight)
    loop = asyncio.get_running_loop()
    places = options.in_flight + count_silent_places(options.in_flight)
    loop.set_default_executor(LookupThreads(_LOOKUPS_PER_PLACE * places))
    silence_s = options.silence_s
    session = aiohttp.ClientSession(
        connector=guard_connections(AddressPolicy(options.allow_addresses), silence_s),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=silence_s, sock_read=silence_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        auto_decompress=False,
        trust_env=False,
        max_line_size=_MOST_HEADER_BYTES,
        max_field_size=_MOST_HEADER_BYTES,
    )
    async with session:
        yield Asker(session, options, folder)


def count_silent_places(in_flight: int) -> int:
    """How many connections may wait in silence without counting among the `in_flight`.

    Three times as many, as far as the process may have open files for them; at most 1000.
    """
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(3 * in_flight, _MOST_SILENT)
    if most == resource.RLIM_INFINITY:
        return wanted
    return max(0, min(wanted, (most - _count_files(in_flight)) // _FILES_PER_PLACE))


def _count_files(in_flight: int) -> int:
    return _FILES_PER_PLACE * in_flight + _OTHER_FILES


def _check_files(in_flight: int) -> None:
    needed = _count_files(in_flight)
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and needed > most:
        raise ResourceError(
            f"in_flight {in_flight} may need {needed} open files, this process may have {most}: "
            "lower it or raise `ulimit -n`"
        )


def _name_os_error(error: OSError) -> PairloomError:
    """The reason for an error of the system, which most of aiohttp's are."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return ResourceError("there are too many open files: lower in_flight or raise `ulimit -n`")
    if not isinstance(error, aiohttp.ClientConnectorError):
        return FetchError("connection_lost", _line(error), retry=True)
    if isinstance(error.os_error, ForbiddenAddressError):
        return FetchError("forbidden_address", str(error.os_error))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return FetchError("unknown_host", f"{error.host}: the name is not known")
    reset = isinstance(error.os_error, ConnectionResetError)
    return FetchError("no_connection", _line(error), retry=reset)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _read_location(url: URL, location: str) -> URL:
    if not location:
        raise FetchError("bad_redirect", "the server redirects without saying where to")
    try:
        # The bytes that are not ASCII go back as they came.
        written = quote(location.encode("utf-8", "surrogateescape"), safe=string.punctuation + " ")
        return spell_url(str(url.join(URL(written, encoded=True))))
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
