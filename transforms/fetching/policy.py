"""What may be fetched: which links, which addresses, and who has said no.

A list of links is written by strangers. None of them may make this machine talk to itself or to
its neighbours, so that only addresses of the public internet are let through; and an owner's
opt-out header is honoured.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from indexes.errors import PairloomError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

OPT_OUTS = frozenset({"noai", "noimageai", "noindex", "noimageindex", "none"})
"""Directives of `X-Robots-Tag` that keep a picture out; `none` means noindex and nofollow."""

AGENTS = frozenset({"*", "pairloom", "img2dataset"})
"""Names an `X-Robots-Tag` may be addressed to so that it counts here.

img2dataset is among them: who turns that program away does not want the picture in a data set.
"""

# These carry a value after a colon; everything else before a colon is a robot's name.
_VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
_NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_IPV4_COMPATIBLE = ipaddress.ip_network("::/96")


class FetchError(PairloomError):
    """A picture that could not be had: `reason` is a snake_case word, `detail` a line for people.

    `retry` says whether another attempt may help, `retry_after_s` when the server wants it.
    """

    def __init__(
        self, reason: str, detail: str, *, retry: bool = False, retry_after_s: float | None = None
    ) -> None:
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
    """Which addresses may be connected to: public ones, and the networks in `allow` (CIDR)."""

    allow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for network in self.allow:
            ipaddress.ip_network(network)

    def permits(self, address: str) -> bool:
        """Whether a connection to `address` is let through; False for what is no address."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        networks = (ipaddress.ip_network(network) for network in self.allow)
        return is_public(parsed) or any(parsed in network for network in networks)

    def check(self, address: str) -> None:
        """Refuses an address.

        Raises:
            ForbiddenAddressError: `address` is not let through.
        """
        if not self.permits(address):
            raise ForbiddenAddressError(f"{address} is not a public address")


def is_public(address: IPAddress) -> bool:
    """Whether `address` is one of the public internet, and so is any address hidden in it."""
    if not address.is_global or address.is_multicast or address.is_unspecified:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not address.is_reserved
    if address.is_site_local or address in _IPV4_COMPATIBLE:
        return False
    if any(address in network for network in _NAT64):
        return False
    hidden = address.ipv4_mapped or address.sixtofour
    return is_public(hidden) if hidden else True


class GuardedResolver(AbstractResolver):
    """Looks names up and keeps the addresses that `policy` permits."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The permitted addresses of `host`.

        Raises:
            ForbiddenAddressError: there are addresses, and none of them is permitted.
        """
        found = await self._inner.resolve(host, port, family)
        permitted = [answer for answer in found if self._policy.permits(answer["host"])]
        if found and not permitted:
            raise ForbiddenAddressError(f"{host} is {found[0]['host']}, not a public address")
        return permitted

    async def close(self) -> None:
        """Nothing to let go of."""
        await self._inner.close()


def guard_connections(policy: AddressPolicy) -> aiohttp.TCPConnector:
    """Connections that check each address when its name is looked up and when it is used.

    The second check is of the very address the socket is for: it sees addresses written as numbers,
    which are never looked up, and leaves no gap for a name that changes its address in between.
    """
    return aiohttp.TCPConnector(
        limit=0,
        keepalive_timeout=5,
        resolver=GuardedResolver(policy),
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
    """`link` as a URL that may be asked for, without a user name.

    Raises:
        FetchError: `bad_url` or `forbidden_scheme`.
    """
    try:
        url = URL(link.strip()) if isinstance(link, str) else link
        host, scheme = url.host, url.scheme
        url = url.with_user(None) if url.user is not None else url
    except ValueError as error:
        raise FetchError("bad_url", " ".join(f"{str(link)[:200]!r}: {error}".split())) from error
    if not scheme:
        raise FetchError("bad_url", f"{str(link)[:200]!r}: it has no scheme")
    if scheme not in ("http", "https"):
        raise FetchError("forbidden_scheme", f"{scheme}: only http and https are fetched")
    if not host:
        raise FetchError("bad_url", f"{str(link)[:200]!r}: it has no host")
    return url


def find_opt_out(headers: Iterable[str]) -> str | None:
    """The first directive in the `X-Robots-Tag` headers that keeps the picture out, or None.

    A robot's name before a directive holds for all that follow it in the same header.
    """
    for header in headers:
        for_us = True
        for part in header.lower().split(","):
            name, colon, rest = part.strip().partition(":")
            if colon and name.strip() in _VALUED:
                continue
            if colon:
                for_us = name.strip() in AGENTS
            directive = (rest if colon else name).strip()
            if for_us and directive in OPT_OUTS:
                return directive
    return None
