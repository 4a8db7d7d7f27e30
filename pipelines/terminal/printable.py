"""Texts made safe to print: names and messages come from files that anybody may have made."""

import unicodedata

_NOT_SHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def one_line(message: str) -> str:
    """`message` with single spaces for line breaks and other blanks, and `printable`."""
    return printable(" ".join(message.split()))


def printable(text: str) -> str:
    r"""`text` without what would move a terminal's cursor, change its colours or its direction.

    Control characters but line breaks become escapes, as does what is no character.

    >>> printable("a\x1b[31m name")
    'a\\x1b[31m name'
    """
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in _NOT_SHOWN:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
