"""The header `X-Robots-Tag`, read as its writers mean it.

It has no grammar that its writers keep to: directives are parted by commas, semicolons or spaces,
quoted, written with hyphens, in full-width letters. So a header is gone through word by word, and
a word counts that is a directive, whatever stands around it.
"""

import datetime
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

EVERYONE = frozenset({"*", "all", "any", "robots"})
"""What a header is addressed to, if not to one robot; `robots` is HTML's word for all of them."""

_VALUED = frozenset({"maxsnippet", "maximagepreview", "maxvideopreview"})
_NAMES = (
    "all index follow none noai noimageai noindex noimageindex nofollow noarchive nocache "
    "nosnippet notranslate noodp noydir indexifembedded"
)
_DIRECTIVES = frozenset(_NAMES.split())
_APART = re.compile(r"(?<![\w-])no[\s_-]*(image[\s_-]*)?(ai|index)(?![\w-])")
# A colon before a digit belongs to a time of day and not to a robot's name.
_WORD = re.compile(r"(?P<word>[^\W\d_][\w-]*|\*)(?P<mark>(?:/[\w.]+)?\s*(?::(?!\s*\d)|=))?")
_VALUE = re.compile(r"\s*[^\s,;]*")
_UNAVAILABLE = re.compile(r"unavailable[\s_-]*after\s*[:=]?(?P<when>[^;]{0,60})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATES = (
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"),
    re.compile(r"(?P<day>\d{1,2})[\s-]+(?P<month>[a-z]{3})[a-z]*[\s,-]+(?P<year>\d{4}|\d{2})\b"),
    re.compile(r"(?P<month>[a-z]{3})[a-z]*\s+(?P<day>\d{1,2}),?\s+(?P<year>\d{4})"),
)


@dataclass(frozen=True)
class Directive:
    """One directive and the robot it is for, in lower case; `agent` is `*` where it names none."""

    agent: str
    name: str


def read_robots_tag(header: str, today: datetime.date) -> Iterator[Directive]:
    """The directives of one header in their order.

    A robot's name and a colon hold for all that follows them in the header. `unavailable_after`
    with a date before `today` is given as the directive of that name, one yet to come is none.
    """
    text = unicodedata.normalize("NFKC", header).lower()
    text = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")
    text = _APART.sub(lambda found: f"no{'image' if found[1] else ''}{found[2]}", text)
    agent, place = "*", 0
    while found := _WORD.search(text, place):
        place = found.end()
        word = re.sub("[_-]", "", found["word"])
        if word in _VALUED:
            value = _VALUE.match(text, place)
            place = value.end() if value and found["mark"] else place
        elif word == "unavailableafter":
            when = _UNAVAILABLE.match(text, found.start())
            date = _read_date(when["when"]) if when else None
            if date is not None and date < today:
                yield Directive(agent, "unavailable_after")
        elif word in EVERYONE and found["mark"]:
            agent = "*"
        elif word in _DIRECTIVES:
            yield Directive(agent, word)
        elif found["mark"] and found["mark"].endswith(":"):
            agent = found["word"]


def _read_date(text: str) -> datetime.date | None:
    """The first day that `text` names, in any of the ways of HTTP and mail."""
    for pattern in _DATES:
        found = pattern.search(text)
        if found is None:
            continue
        year, month = int(found["year"]), found["month"]
        try:
            number = int(month) if month.isdecimal() else _MONTHS.index(month) + 1
            return datetime.date(year + (2000 if year < 100 else 0), number, int(found["day"]))
        except ValueError:
            continue
    return None
