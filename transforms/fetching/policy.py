"""What may be fetched: which links, which addresses, and who has said no.

A list of links is written by strangers. None of them may make this machine talk to itself or to
its neighbours, so that only addresses of the public internet are let through; and an owner's
opt-out header is honoured.
"""

import asyncio
import datetime
import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from indexes.errors import PairloomError
from transforms.fetching.networks import why_not_public
from transforms.fetching.robots_tag import read_robots_tag

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

OPT_OUTS = frozenset({"noai", "noimageai", "noindex", "noimageindex", "none", "unavailable_after"})
"""Directives of `X-Robots-Tag` that keep a picture out; `none` means noindex and nofollow.

`unavailable_after` counts from the day after the one it names.
"""

AGENTS = frozenset({"*", "pairloom", "img2dataset"})
"""Names an `X-Robots-Tag` may be addressed to so that it counts here.

img2dataset is among them: who turns that program away does not want the picture in a data set.
"""

_PORTS = (
    "0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 "
    "113 115 117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 "
    "548 554 556 563 587 601 636 989 990 993 995 1719 1720 1723 2049 3659 4045 4190 5060 5061 "
    "6000 6566 6665 6666 6667 6668 6669 6679 6697 10080"
)
BAD_PORTS = frozenset(int(port) for port in _PORTS.split())
"""Ports of other protocols, mail and logins among them, that browsers do not ask either.

They are the bad ports of https://fetch.spec.whatwg.org/#port-blocking.
"""

_SENT = "%/:?#[]@!$&'()*+,;=~"
_MAX_LINK = 8192
_MAX_HOST = 253
_MAX_LABEL = 63
_MAX_DETAIL = 500
_MAX_TAGS = 10_000
_RESERVED = re.compile(r"1\b")


class FetchError(PairloomError):
    """A picture that could not be had: `reason` is a snake_case word, `detail` a line for people.

    `retry` says whether another attempt may help, `retry_after_s` when the server wants it.
    """

    def __init__(
        self, reason: str, detail: str, *, retry: bool = False, retry_after_s: float | None = None
    ) -> None:
        # What servers say ends in tables: one line of text that can be written down.
        detail = " ".join(detail.encode("utf-8", "replace").decode().split())[:_MAX_DETAIL]
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry = retry
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[Callable[[str, str], "FetchError"], tuple[str, str]]:
        """Errors cross process borders; the default would call the class with one argument."""
        again = partial(FetchError, retry=self.retry, retry_after_s=self.retry_after_s)
        return again, (self.reason, self.detail)


class ForbiddenAddressError(OSError):
    """A connection that was about to be made to an address that is not let through."""


@dataclass(frozen=True)
class AddressPolicy:
    """Which addresses may be connected to: public ones, and the networks in `allow` (CIDR).

    Raises:
        ValueError: `allow` holds something that is no network written as text.
    """

    allow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for network in self.allow:
            read_network(network)

    def permits(self, address: str) -> bool:
        """Whether a connection to `address` is let through; False for what is no address."""
        return self._refusal(address) is None

    def check(self, address: str) -> None:
        """Refuses an address.

        Raises:
            ForbiddenAddressError: `address` is not let through.
        """
        refusal = self._refusal(address)
        if refusal is not None:
            raise ForbiddenAddressError(f"{address} is not a public address ({refusal})")

    def _refusal(self, address: str) -> str | None:
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return "not an address"
        name = why_not_public(parsed)
        if name is None or any(parsed in read_network(network) for network in self.allow):
            return None
        return name


def contains(outer: IPNetwork, inner: IPNetwork) -> bool:
    """Whether all of `inner` is in `outer`."""
    return outer.version == inner.version and all(
        address in outer for address in (inner.network_address, inner.broadcast_address)
    )


def read_network(text: object) -> IPNetwork:
    """A network in CIDR notation.

    Raises:
        ValueError: `text` is none; the interpreter would take a number for one.
    """
    if not isinstance(text, str):
        raise ValueError(f"a network must be text like 10.1.0.0/16, got {text!r}")
    return ipaddress.ip_network(text)


class GuardedResolver(AbstractResolver):
    """Looks names up, each for at most `patience_s`, and keeps what `policy` permits."""

    def __init__(self, policy: AddressPolicy, patience_s: float | None = None) -> None:
        self._policy = policy
        self._patience_s = patience_s
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The permitted addresses of `host`.

        Raises:
            ForbiddenAddressError: there are addresses, and none of them is permitted.
            TimeoutError: the name server does not answer.
        """
        async with asyncio.timeout(self._patience_s):
            found = await self._inner.resolve(host, port, family)
        permitted = [answer for answer in found if self._policy.permits(answer["host"])]
        if found and not permitted:
            where = str(found[0]["host"])
            raise ForbiddenAddressError(f"{host} is {where}, which is not a public address")
        return permitted

    async def close(self) -> None:
        """Nothing to let go of."""
        await self._inner.close()


def guard_connections(
    policy: AddressPolicy, patience_s: float | None = None
) -> aiohttp.TCPConnector:
    """Connections that check each address when its name is looked up and when it is used.

    The second check is of the very address the socket is for: it sees addresses written as numbers,
    which are never looked up, and leaves no gap for a name that changes its address in between.
    A look-up may take `patience_s`, None for as long as the system takes.
    """
    return aiohttp.TCPConnector(
        limit=0,
        # Of a thousand hosts few are asked twice, and a connection that is kept is an open file.
        force_close=True,
        resolver=GuardedResolver(policy, patience_s),
        socket_factory=partial(_make_socket, policy),
    )


def _make_socket(policy: AddressPolicy, address: aiohttp.AddrInfoType) -> socket.socket:
    """The socket of one connection, if its address is let through."""
    family, kind, protocol, _, where = address
    policy.check(str(where[0]))
    made = socket.socket(family, kind, protocol)
    made.settimeout(0)
    return made


def check_url(link: str | URL) -> URL:
    """`link` as a URL that may be asked for, without a user name and what comes after `#`.

    Raises:
        FetchError: `bad_url`, `forbidden_scheme` or `forbidden_port`.
    """
    if isinstance(link, str) and len(link) > _MAX_LINK:
        raise FetchError("bad_url", f"{link[:100]!r}...: longer than {_MAX_LINK} characters")
    try:
        url = spell_url(link.strip()) if isinstance(link, str) else link
        host, scheme, port = url.host and url.raw_host, url.scheme, url.port
        url = url.with_user(None) if url.user is not None else url
    except ValueError as error:
        raise _bad(link, str(error)) from error
    if not scheme:
        raise _bad(link, "it has no scheme")
    if scheme not in ("http", "https"):
        raise FetchError("forbidden_scheme", f"{scheme}: only http and https are fetched")
    if not host:
        raise _bad(link, "it has no host")
    _check_host(link, host)
    if port in BAD_PORTS:
        raise FetchError("forbidden_port", f"port {port} is another protocol's")
    return url.with_fragment(None)


def spell_url(link: str) -> URL:
    """`link` with its path and query as they are written, but for what cannot be sent.

    What is not allowed in a URL, such as a space or an accent, becomes an escape. All else goes to
    the server as it stands, since a link may be signed: `%2C` and a comma are two things to it.

    Raises:
        ValueError: it is no URL.
    """
    url, written = URL(link), URL(link, encoded=True)
    if not url.scheme or not url.raw_authority:
        return url
    return URL.build(
        scheme=url.scheme,
        authority=url.raw_authority,
        path=quote(written.raw_path, safe=_SENT),
        query_string=quote(written.raw_query_string, safe=_SENT),
        encoded=True,
    )


def _check_host(link: str | URL, host: str) -> None:
    """Refuses what name servers and sockets would read each in their own way."""
    if ":" in host:
        if "%" in host:
            raise _bad(link, "an address in a link must have no zone")
        return
    if host.replace(".", "").isdecimal():
        try:
            ipaddress.IPv4Address(host)
        except ValueError as error:
            raise _bad(link, "a host of digits must be four numbers from 0 to 255") from error
    labels = host.removesuffix(".").split(".")
    if len(host) > _MAX_HOST or not all(1 <= len(label) <= _MAX_LABEL for label in labels):
        raise _bad(link, f"a host must have parts of 1 to {_MAX_LABEL} characters")


def _bad(link: str | URL, rule: str) -> FetchError:
    return FetchError("bad_url", f"{str(link)[:200]!r}: {rule}")


def find_opt_out(headers: Iterable[str]) -> str | None:
    """The first directive in the `X-Robots-Tag` headers that keeps the picture out, or None.

    A robot's name before a directive holds for all that follow it in the same header. Headers of
    more than 10 000 characters together say more than is read, and no is understood.
    """
    headers = list(headers)
    if sum(len(header) for header in headers) > _MAX_TAGS:
        return f"more than {_MAX_TAGS} characters"
    today = datetime.datetime.now(datetime.UTC).date()
    for header in headers:
        for directive in read_robots_tag(header, today):
            if directive.agent in AGENTS and directive.name in OPT_OUTS:
                return directive.name
    return None


def is_reserved(headers: Iterable[str]) -> bool:
    """Whether a `TDM-Reservation` header reserves the rights of text and data mining.

    https://www.w3.org/community/reports/tdmrep/CG-FINAL-tdmrep-20240202/: 1 reserves them, 0
    does not.
    """
    return any(_RESERVED.match(header.strip(" \t\"'")) for header in headers)
