"""What a check came across: lines for a person, bounded in number and safe to print."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from transforms.dataset.shards import KINDS

SHOWN_OF_A_KIND = 20
"""So many problems of a kind are lines; the others are counted."""
_MOST_CHARACTERS = 400
_VALUE = re.compile(r"[0-9a-f]{16,}|-?\d+(?:\.\d+)?(?:e-?\d+)?|'[^']*'|\"[^\"]*\"")

Tell = Callable[[str, str], None]
"""Notes a problem: where, and what the rule is and what was found."""


@dataclass
class Findings:
    """The problems of a data set, and how much of it was looked at, by kind of table.

    Problems are of one kind where they are the same but for numbers and quoted values.
    """

    files: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    bytes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    _lines: list[str] = field(default_factory=list)
    _kinds: Counter[str] = field(default_factory=Counter)

    def tell(self, where: str, what: str) -> None:
        """Note that `what` is wrong with `where`."""
        kind = _VALUE.sub("#", what.partition(", got ")[0])
        self._kinds[kind] += 1
        if self._kinds[kind] <= SHOWN_OF_A_KIND:
            self._lines.append(printable(f"{where}: {what}" if where else what))

    @property
    def total(self) -> int:
        """How many problems there are."""
        return self._kinds.total()

    @property
    def problems(self) -> list[str]:
        """One line for each problem, for the first of each kind; how many more there are."""
        more = [
            printable(f"... and {number - SHOWN_OF_A_KIND} more: {kind}")
            for kind, number in self._kinds.items()
            if number > SHOWN_OF_A_KIND
        ]
        return self._lines + more


def printable(text: str) -> str:
    r"""`text` in one line of bounded length that does nothing to a terminal.

    >>> print(printable("a" + chr(27) + "[2J" + chr(10) + "b"))
    a\x1b[2J\nb
    """
    if len(text) > _MOST_CHARACTERS:
        text = f"{text[:_MOST_CHARACTERS]}..."
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
