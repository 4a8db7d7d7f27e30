import asyncio
import pickle
import socket

import aiohttp
import pytest

from transforms.fetching.policy import (
    AddressPolicy,
    FetchError,
    ForbiddenAddressError,
    GuardedResolver,
    check_url,
    contains,
    find_opt_out,
    read_network,
)


def test_of_a_name_with_several_addresses_the_public_ones_are_used(monkeypatch):
    async def several(self, host, port=0, family=socket.AF_INET):
        return [{"host": address} for address in ("10.0.0.1", "93.184.215.14", "::1")]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", several)

    async def resolve(policy):
        return [found["host"] for found in await GuardedResolver(policy).resolve("example.org")]

    assert asyncio.run(resolve(AddressPolicy())) == ["93.184.215.14"]
    assert asyncio.run(resolve(AddressPolicy(("10.0.0.0/8",)))) == ["10.0.0.1", "93.184.215.14"]


@pytest.mark.parametrize(
    ("address", "permitted"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("2002:808:808::1", True),
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("10.1.1.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.100.100.200", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("224.0.0.1", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),
        ("fec0::1", False),
        ("ff0e::1", False),
        ("::ffff:127.0.0.1", False),
        ("::127.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::7f00:1", False),
        ("2001:0:7f00:1::", False),
        ("example.org", False),
    ],
)
def test_which_addresses_are_public(address, permitted):
    assert AddressPolicy().permits(address) == permitted
    assert AddressPolicy(("0.0.0.0/0", "::/0")).permits(address) == (address != "example.org")
    if not permitted:
        with pytest.raises(ForbiddenAddressError, match="is not a public address"):
            AddressPolicy().check(address)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        (["all"], None),
        (["noai"], "noai"),
        (["nofollow, NOINDEX"], "noindex"),
        (["none"], "none"),
        (["nofollow", "noimageindex"], "noimageindex"),
        (["googlebot: noindex, noai"], None),
        (["googlebot: nofollow, pairloom: noai"], "noai"),
        (["Pairloom: all, noimageai"], "noimageai"),
        (["img2dataset: noai"], "noai"),
        (["*: noai"], "noai"),
        (["unavailable_after: 25 Jun 2030 15:00:00 PST, noindex"], "noindex"),
        (["max-image-preview: none"], None),
        (["googlebot: noai", "noimageai"], "noimageai"),
    ],
)
def test_opt_outs(headers, expected):
    assert find_opt_out(headers) == expected


def test_user_names_in_links_are_not_sent():
    assert str(check_url(" http://user:secret@example.org/a b.png\n")) == (
        "http://example.org/a%20b.png"
    )


@pytest.mark.parametrize(
    ("link", "sent"),
    [
        ("http://h/a%2Cb,c%7E?x=%2F/%3d&s=a%20b+c#d", "http://h/a%2Cb,c%7E?x=%2F/%3d&s=a%20b+c"),
        ("https://H.example:444/a/../b/./c", "https://h.example:444/a/../b/./c"),
        ("http://h?q={1|2}", "http://h/?q=%7B1%7C2%7D"),
        ("http://b\xfccher.example/\xe9 ?\xfc", "http://xn--bcher-kva.example/%C3%A9%20?%C3%BC"),
        ("http://h/100%", "http://h/100%"),
    ],
)
def test_links_are_sent_as_they_are_written(link, sent):
    assert str(check_url(link)) == sent


def test_what_a_server_says_is_one_line_that_can_be_written_down():
    error = FetchError("bad_response", "a\nb\r\n\tc \udcff" + "x" * 1000)
    assert error.detail == "a b c ?" + "x" * 493
    again = pickle.loads(pickle.dumps(FetchError("http_503", "busy", retry=True, retry_after_s=2)))
    assert (again.reason, again.detail, again.retry, again.retry_after_s) == (
        "http_503",
        "busy",
        True,
        2,
    )


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("10.0.0.0/8", "10.1.0.0/16", True),
        ("10.0.0.0/8", "10.0.0.0/8", True),
        ("10.1.0.0/16", "10.0.0.0/8", False),
        ("10.0.0.0/8", "11.0.0.0/8", False),
        ("0.0.0.0/0", "::/0", False),
        ("::/0", "::ffff:10.0.0.0/104", True),
    ],
)
def test_networks_in_networks(outer, inner, expected):
    assert contains(read_network(outer), read_network(inner)) == expected


@pytest.mark.parametrize("text", [None, 10, 167772160, b"10.0.0.0/8", "10", "intranet", "10.1/8"])
def test_what_is_no_network(text):
    with pytest.raises(ValueError, match="network"):
        read_network(text)
    with pytest.raises(ValueError, match="network"):
        AddressPolicy((text,))
