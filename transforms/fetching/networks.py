"""Which addresses are public: an explicit list, so that every Python gives the same answer.

The interpreter's own `ipaddress` judges by the registries of the day it was released, and has
changed its mind in bug-fix releases. Here stand the networks that nothing is fetched from, after
IANA's special-purpose address registries of IPv4 and IPv6 (RFC 6890 and what was entered since, up
to RFC 9780), and what they do not say: addresses by which clouds talk to their own machines,
networks that were given back, and IPv6 addresses that carry one of IPv4.

Stricter than the registries in two places: 192.0.0.0/24 and 2001::/23 are refused as a whole,
with the few anycast addresses in them. Refused too is all of IPv6 outside 2000::/3, since no
address of the public internet has been given out from there.
"""

import ipaddress

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

NETWORKS_VERSION = "2026-11-25"
"""The day this list was last gone through; it changes with every change of an answer."""

NOT_PUBLIC = (
    ("0.0.0.0/8", "this network, RFC 791"),
    ("10.0.0.0/8", "private use, RFC 1918"),
    ("100.64.0.0/10", "shared address space, RFC 6598"),
    ("127.0.0.0/8", "loopback, RFC 1122"),
    ("168.63.129.16/32", "Azure's own services"),
    ("169.254.0.0/16", "link local, RFC 3927"),
    ("172.16.0.0/12", "private use, RFC 1918"),
    ("192.0.0.0/24", "IETF protocol assignments, RFC 6890"),
    ("192.0.2.0/24", "documentation, RFC 5737"),
    ("192.88.99.0/24", "6to4 relays, RFC 7526"),
    ("192.168.0.0/16", "private use, RFC 1918"),
    ("198.18.0.0/15", "benchmarking, RFC 2544"),
    ("198.51.100.0/24", "documentation, RFC 5737"),
    ("203.0.113.0/24", "documentation, RFC 5737"),
    ("224.0.0.0/4", "multicast, RFC 5771"),
    ("240.0.0.0/4", "reserved, RFC 1112"),
    ("::/128", "unspecified, RFC 4291"),
    ("::1/128", "loopback, RFC 4291"),
    ("::/96", "IPv4-compatible, RFC 4291"),
    ("::ffff:0:0:0/96", "IPv4-translated, RFC 2765"),
    ("64:ff9b::/96", "IPv4/IPv6 translation, RFC 6052"),
    ("64:ff9b:1::/48", "IPv4/IPv6 translation, RFC 8215"),
    ("100::/64", "discard only, RFC 6666"),
    ("100:0:0:1::/64", "dummy prefix, RFC 9780"),
    ("2001::/32", "Teredo, RFC 4380"),
    ("2001::/23", "IETF protocol assignments, RFC 2928"),
    ("2001:db8::/32", "documentation, RFC 3849"),
    ("3ffe::/16", "6bone, given back, RFC 3701"),
    ("3fff::/20", "documentation, RFC 9637"),
    ("5f00::/16", "segment routing, RFC 9602"),
    ("fc00::/7", "unique local, RFC 4193"),
    ("fe80::/10", "link local, RFC 4291"),
    ("fec0::/10", "site local, RFC 3879"),
    ("ff00::/8", "multicast, RFC 4291"),
)
"""(network, what it is) of everything that is not public; of two that fit, the first names it."""

_UNICAST = ipaddress.IPv6Network("2000::/3")
_NETWORKS = tuple((ipaddress.ip_network(network), name) for network, name in NOT_PUBLIC)
# Interface identifiers that hold an IPv4 address in their lower half (RFC 5214, section 6.1).
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)
_LOW_32 = 0xFFFF_FFFF


def why_not_public(address: IPAddress) -> str | None:
    """What kind of network keeps `address` from being public; None where it is public.

    An IPv6 address that is IPv4-mapped is judged as the IPv4 address it means; one of 6to4 or
    ISATAP is public only if the IPv4 address inside it is.
    """
    if isinstance(address, ipaddress.IPv6Address):
        hidden = _mapped(address)
        if hidden is not None:
            return why_not_public(hidden)
    for network, name in _NETWORKS:
        if address in network:
            return name
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address not in _UNICAST:
        return "reserved, RFC 4291"
    hidden = _carried(address)
    inner = why_not_public(hidden) if hidden is not None else None
    return inner and f"it carries {hidden}: {inner}"


def _mapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """What an address of ::ffff:0:0/96 means: connections to it are made over IPv4."""
    number = int(address)
    return ipaddress.IPv4Address(number & _LOW_32) if number >> 32 == 0xFFFF else None


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a 6to4 or ISATAP address leads to."""
    number = int(address)
    if number >> 112 == 0x2002:
        return ipaddress.IPv4Address(number >> 80 & _LOW_32)
    if number >> 32 & _LOW_32 in _ISATAP:
        return ipaddress.IPv4Address(number & _LOW_32)
    return None
