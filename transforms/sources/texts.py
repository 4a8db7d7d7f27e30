"""Texts and keys from outside: which characters they are, and which of them are kept.

A text file is UTF-8, or what its byte order mark says, or UTF-16 where its zero bytes show that, or
Windows-1252 where hardly anything in it is not ASCII. Anything else is in no known encoding, and a
guess would make words of it that nobody wrote.
"""

import codecs
import re
import unicodedata
from urllib.parse import quote

from transforms.pictures.decoding import PictureError

MAX_TEXT_BYTES = 65_536
MAX_KEY_BYTES = 1024

# The mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MARK_BYTES = 4
_MOST_FOREIGN = 0.25
"""Share of a Windows-1252 text's characters that may be beyond ASCII: more is another alphabet."""
# Controls, and marks that turn the direction of whatever is printed after them.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_UNSAFE_IN_KEY = re.compile(
    "[\x00-\x1f\x7f-\x9f\\\\\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def decode_text(data: bytes, name: str) -> str:
    """The characters of a text file; `data` may have been cut at `MAX_TEXT_BYTES`.

    Raises:
        PictureError: `broken_text`, it is in no known encoding; `name` says which file.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = _decode(data[len(mark) :], encoding)
            break
    else:
        text = _decode(data, "utf-8") if b"\0" not in data else _decode_wide(data)
        if text is None:
            text = _decode_western(data)
    if text is None:
        raise PictureError(
            "broken_text",
            f"{name} is in no known encoding: it must be UTF-8, or UTF-16 or UTF-32 with a mark",
        )
    return text


def _decode(data: bytes, encoding: str) -> str | None:
    """The text, without a last character that was cut through; None where it is not so encoded."""
    whole = len(data) < MAX_TEXT_BYTES - _MARK_BYTES
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data, whole)
    except UnicodeDecodeError:
        return None


def _decode_wide(data: bytes) -> str | None:
    """UTF-16 without a mark, told by where the zero bytes of ASCII characters stand."""
    half = len(data) // 2
    for encoding, zeros in (("utf-16-le", data[1::2]), ("utf-16-be", data[::2])):
        if zeros.count(0) * 2 > half:
            text = _decode(data, encoding)
            return None if text is None or "\0" in text else text
    # Zero bytes in what is UTF-8 otherwise are damage of a character or two.
    return _decode(data, "utf-8") if data.count(0) * 10 < len(data) else None


def _decode_western(data: bytes) -> str | None:
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return None
    letters = [character for character in text if not character.isspace()]
    foreign = sum(character > "\x7f" for character in letters)
    if foreign > _MOST_FOREIGN * len(letters) or _UNPRINTABLE.search("".join(letters)):
        return None
    return text


def printable(text: str) -> str:
    """`text` without control characters, line ends among them; all others stay as they are."""
    return _UNPRINTABLE.sub(_replace, text)


def clean_text(text: str) -> str | None:
    """`text` on one line, without control characters; None where nothing of it can be seen."""
    line = " ".join(printable(text).split())
    visible = any(unicodedata.category(character) not in _INVISIBLE for character in line)
    return line if visible else None


def _replace(match: re.Match[str]) -> str:
    """A space where words might have been parted; a half of a surrogate pair is no character."""
    character = match[0]
    if "\ud800" <= character <= "\udfff":
        return "\ufffd"
    return " " if character < "\xa0" else ""


def safe_key(key: str) -> str:
    """`key` with what cannot be printed or put into a file name percent-escaped.

    Control characters, line ends, marks of direction, backslashes and path components of `..` and
    `.` are; a key without those stays as it is, slashes within it too.
    """
    key = _UNSAFE_IN_KEY.sub(lambda match: quote(match[0].encode("utf-8", "surrogatepass")), key)
    if "/" in key or key in (".", ".."):
        parts = key.split("/")
        key = "/".join(part.replace(".", "%2E") if part in (".", "..") else part for part in parts)
        if key.startswith("/"):
            key = "%2F" + key[1:]
    return key


def is_long_key(key: str) -> bool:
    """Whether a key has more than `MAX_KEY_BYTES` bytes."""
    return len(key) > MAX_KEY_BYTES or len(key.encode("utf-8", "replace")) > MAX_KEY_BYTES
