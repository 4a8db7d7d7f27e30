import datetime

import pytest

from transforms.fetching.policy import find_opt_out, is_reserved
from transforms.fetching.robots_tag import Directive, read_robots_tag

TODAY = datetime.date(2026, 11, 25)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("noai;", "noai"),
        ("noindex noai", "noindex"),
        ("NOAI , noimageai", "noai"),
        ("all;noimageai", "noimageai"),
        ("all|noai", "noai"),
        ('"noai"', "noai"),
        ("'noimageai', all", "noimageai"),
        ("(noai)", "noai"),
        ("noindex.", "noindex"),
        ("noai/noimageai", "noai"),
        ("\tnoai\t", "noai"),
        ("ｎｏａｉ", "noai"),
        ("no\u200bai", "noai"),
        ("\ufeffnoai", "noai"),
        ("\udcffnoai", "noai"),
        ("\udcff noai", "noai"),
        ("no-ai", "noai"),
        ("no_index", "noindex"),
        ("no image ai", "noimageai"),
        ("noai=1", "noai"),
        ("noai:", "noai"),
        ("robots: noai", "noai"),
        ("all: noindex", "noindex"),
        ("pairloom:noai", "noai"),
        ("Pairloom/1.0: noai", "noai"),
        ("pairloom : noai", "noai"),
        ("otherbot: nofollow; img2dataset: noindex", "noindex"),
        ("otherbot: noai; *: noimageai", "noimageai"),
        ("otherbot: noindex; noai", None),
        ("otherbot: noindex noai", None),
        ("otherbot : noai", None),
        ("otherbot/2.1: noai", None),
        ("otherbot: max-image-preview: large, noai", None),
        ("max-image-preview: none", None),
        ("max-image-preview=none", None),
        ("max-image-preview:none,noai", "noai"),
        ("max-snippet:-1 noindex", "noindex"),
        ("unavailable_after: 25 Jun 2099 15:00:00 PST", None),
        ("unavailable_after: Wed, 25 Jun 2099 15:00:00 GMT, noai", "noai"),
        ("unavailable_after: 2099-06-25T15:00:00+02:00; noai", "noai"),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST", "unavailable_after"),
        ("Unavailable_After: Friday, 25-Jun-10 15:00:00 GMT", "unavailable_after"),
        ("otherbot: unavailable_after: 25 Jun 2010 15:00:00 PST", None),
        ("unavailable_after: soon", None),
        ("noaim", None),
        ("casino-ai, noairplanes", None),
        ("", None),
    ],
)
def test_opt_outs_in_every_spelling(header, expected):
    assert find_opt_out([header]) == expected


def test_a_day_that_is_not_over_is_no_opt_out():
    for day, expected in ((24, [Directive("*", "unavailable_after")]), (25, []), (26, [])):
        header = f"unavailable_after: {day} Nov 2026 10:00:00 GMT"
        assert list(read_robots_tag(header, TODAY)) == expected


def test_a_header_of_any_length_is_read_in_time():
    for text in ("no " * 2700, "a:" * 4000, "unavailable_after:" * 450, "- " * 4000, "no-" * 2700):
        list(read_robots_tag(text, TODAY))


def test_more_than_is_read_counts_as_no():
    assert find_opt_out(["all, " * 2000]) is None
    assert find_opt_out(["all, " * 1000, "all, " * 1001]) == "more than 10000 characters"


@pytest.mark.parametrize(
    ("headers", "reserved"),
    [
        ([], False),
        (["1"], True),
        ([" 1 "], True),
        (['"1"'], True),
        (["1; policy"], True),
        (["0", "1"], True),
        (["0"], False),
        (["10"], False),
        ([""], False),
        (["true"], False),
    ],
)
def test_reservations_of_text_and_data_mining(headers, reserved):
    assert is_reserved(headers) == reserved
