"""The answers stand here as they are wanted, taken from no property of the interpreter's."""

import ipaddress
import re

import pytest

from transforms.fetching.networks import NETWORKS_VERSION, NOT_PUBLIC, why_not_public

PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "93.184.215.14", "100.63.255.255"),
    *("100.128.0.0", "126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17"),
    *("169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255"),
    *("192.0.1.0", "192.0.3.0", "192.31.196.1", "192.52.193.1", "192.88.98.255", "192.88.100.0"),
    *("192.167.255.255", "192.169.0.0", "192.175.48.1", "198.17.255.255", "198.20.0.0"),
    *("198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255"),
    *("::ffff:8.8.8.8", "2000::", "2001:200::1", "2001:4860:4860::8888", "2001:db7:ffff::1"),
    *("2001:db9::1", "2002:808:808::1", "2003::1", "2606:4700::1111", "2620:4f:8000::1"),
    *("2a00:1450:4001:81b::200e", "3ffd:ffff::1", "3fff:1000::1"),
    "2606:4700::200:5efe:808:808",  # ISATAP, by 8.8.8.8
]
PRIVATE = [
    *("0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.100.100.200"),
    *("100.127.255.255", "127.0.0.0", "127.0.0.1", "127.255.255.255", "168.63.129.16"),
    *("169.254.0.0", "169.254.169.254", "169.254.255.255", "172.16.0.0", "172.31.255.255"),
    *("192.0.0.0", "192.0.0.8", "192.0.0.9", "192.0.0.10", "192.0.0.170", "192.0.0.192"),
    *("192.0.0.255", "192.0.2.0", "192.0.2.255", "192.88.99.0", "192.88.99.255", "192.168.0.0"),
    *("192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.0", "198.51.100.255"),
    *("203.0.113.0", "203.0.113.255", "224.0.0.0", "239.255.255.255", "240.0.0.0"),
    *("255.255.255.254", "255.255.255.255"),
    *("::", "::1", "::2", "::7f00:1", "::8.8.8.8", "::ffff:0.0.0.0", "::ffff:127.0.0.1"),
    *("::ffff:168.63.129.16", "::ffff:192.0.0.9", "::ffff:255.255.255.255", "::ffff:0:7f00:1"),
    *("::ffff:0:808:808", "64:ff9b::", "64:ff9b::808:808", "64:ff9b::ffff:ffff", "64:ff9b:1::"),
    *("64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "64:ff9b:2::1", "100::", "100::ffff:ffff:ffff:ffff"),
    *("100:0:0:1::1", "1fff:ffff::1", "2001::", "2001:0:7f00:1::", "2001:0:808:808::"),
    *("2001:1::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:30::1", "2001:1ff:ffff::1"),
    *("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2002::", "2002:7f00:1::"),
    *("2002:a00:1::1", "2002:c0a8:101::1", "2002:a83f:8110::1", "3ffe::1", "3ffe:831f::1"),
    *("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::1", "5f00::", "5f00::1"),
    *("5f00:ffff:ffff::1", "5f01::1", "8000::1", "fbff:ffff::1", "fc00::", "fd00:ec2::254"),
    *("fd20:ce::254", "fdff:ffff::1", "fe00::1", "fe80::", "fe80::1", "febf:ffff::1", "fec0::1"),
    *("feff:ffff::1", "ff00::", "ff02::1", "ff0e::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    *("2606:4700::5efe:7f00:1", "2606:4700::200:5efe:a00:1", "2a00::5efe:a9fe:a9fe"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address):
    assert why_not_public(ipaddress.ip_address(address)) is None


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address):
    assert why_not_public(ipaddress.ip_address(address))


def ends(text):
    """First and last address of a network, worked out without the interpreter's own methods."""
    base, _, length = text.partition("/")
    first = ipaddress.ip_address(base)
    size = 1 << ((32 if first.version == 4 else 128) - int(length))
    assert int(first) % size == 0
    return type(first), int(first), int(first) + size - 1


@pytest.mark.parametrize(("network", "name"), NOT_PUBLIC)
def test_every_network_is_refused_from_end_to_end(network, name):
    make, first, last = ends(network)
    for number in (first, (first + last) // 2, last):
        assert why_not_public(make(number)) is not None
    assert re.fullmatch(r"[^,]+, RFC \d+|[^,]+, given back, RFC \d+|Azure's own services", name)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.1.2.3", "private use, RFC 1918"),
        ("168.63.129.16", "Azure's own services"),
        ("192.0.0.9", "IETF protocol assignments, RFC 6890"),
        ("::1", "loopback, RFC 4291"),
        ("2001:0:1::", "Teredo, RFC 4380"),
        ("::ffff:10.1.2.3", "private use, RFC 1918"),
        ("2002:a01:203::", "it carries 10.1.2.3: private use, RFC 1918"),
        ("4000::", "reserved, RFC 4291"),
    ],
)
def test_it_says_why(address, why):
    assert why_not_public(ipaddress.ip_address(address)) == why


def test_the_list_has_a_version():
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", NETWORKS_VERSION)
