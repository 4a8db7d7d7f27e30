"""Texts by name, in the order of the names, in bounded memory."""

import sqlite3
from collections.abc import Iterator, Mapping

HELD = 200_000
"""So many are held in memory; more lie in a temporary file."""
_CACHE_KIB = 32 << 10


class SortedTexts(Mapping[str, str]):
    """A mapping that is filled by `put` and gives its names in order, as `sorted` would.

    More than `held` texts lie in a database of their own, whose file has no name and is gone with
    the mapping.

    >>> texts = SortedTexts()
    >>> texts.put("b", "second")
    >>> texts.put("a", "first")
    >>> list(texts), texts["a"]
    (['a', 'b'], 'first')
    """

    def __init__(self, *, held: int = HELD) -> None:
        self._held = held
        self._few: dict[str, str] = {}
        self._many: sqlite3.Connection | None = None

    def put(self, name: str, text: str) -> None:
        """Keeps `text` under `name`, in place of what was there."""
        if self._many is not None:
            self._many.execute("INSERT OR REPLACE INTO texts VALUES (?, ?)", _pack(name, text))
            return
        self._few[name] = text
        if len(self._few) > self._held:
            self._many = _open()
            rows = (_pack(name, text) for name, text in self._few.items())
            self._many.executemany("INSERT INTO texts VALUES (?, ?)", rows)
            self._few = {}

    def __getitem__(self, name: str) -> str:
        if self._many is None:
            return self._few[name]
        query = "SELECT text FROM texts WHERE name = ?"
        found = self._many.execute(query, (_encode(name),)).fetchone()
        if found is None:
            raise KeyError(name)
        return _decode(found[0])

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.in_order())

    def __len__(self) -> int:
        if self._many is None:
            return len(self._few)
        return int(self._many.execute("SELECT count(*) FROM texts").fetchone()[0])

    def in_order(self) -> Iterator[tuple[str, str]]:
        """Names and texts, one after another."""
        if self._many is None:
            yield from sorted(self._few.items())
            return
        for name, text in self._many.execute("SELECT name, text FROM texts ORDER BY name"):
            yield _decode(name), _decode(text)


def in_order(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Names and texts of any mapping in the order of the names."""
    return texts.in_order() if isinstance(texts, SortedTexts) else iter(sorted(texts.items()))


def _open() -> sqlite3.Connection:
    database = sqlite3.connect("")
    database.executescript(
        f"PRAGMA journal_mode = OFF; PRAGMA cache_size = -{_CACHE_KIB};"
        "CREATE TABLE texts (name BLOB PRIMARY KEY, text BLOB NOT NULL) WITHOUT ROWID"
    )
    return database


def _encode(text: str) -> bytes:
    # As bytes names are in the order of their characters; half a surrogate pair has none but this.
    return text.encode("utf-8", "surrogatepass")


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _pack(name: str, text: str) -> tuple[bytes, bytes]:
    return _encode(name), _encode(text)
