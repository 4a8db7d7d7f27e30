"""What a source's files are, so that a job can see that they are others than when it began.

A file is known by its size and a hash of its content: of all of it where it is small, else of
pieces all over it, first and last among them. No times are in it: the same pictures give the same
listing on every machine.
"""

import hashlib
import heapq
import os
import stat
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.parse import quote_from_bytes

from indexes.storage.statuses import content_tag
from indexes.storage.store_path import StorePath
from transforms.sources.sorted_texts import SortedTexts, in_order

PIECES = 64
PIECE_BYTES = 4096
"""Of a larger file than all of them together, so many pieces of so many bytes are read."""

ARCHIVE_PIECES = 1024
ARCHIVE_PIECE_BYTES = 16_384
"""The same for a file that holds many pictures."""

_WORDS = ("more", "fewer", "other")
_NO_FILE = "no file"
_UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Listing:
    """The files of a source: what each is known by, by its name in the source.

    >>> before = Listing({"a.png": "81 aa", "b.png": "90 bb"})
    >>> before.difference(Listing({"a.png": "81 ab", "b.png": "90 bb", "c.png": "70 cc"}))
    'files: 1 more, 1 other, first a.png'
    >>> before.difference(before) is None
    True
    """

    files: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """A hash of names and contents."""
        digest = hashlib.sha256()
        for name, about in in_order(self.files):
            digest.update(f"{name}\n{about}\n".encode())
        return digest.hexdigest()

    def difference(self, now: "Listing") -> str | None:
        """How many files there are more, fewer and others `now`, and the first; None for none."""
        first: str | None = None
        counts: Counter[str] = Counter()
        for name, before, after in _side_by_side(self.files, now.files):
            if before != after:
                first = name if first is None else first
                counts["more" if before is None else "fewer" if after is None else "other"] += 1
        counted = ", ".join(f"{counts[word]} {word}" for word in _WORDS if counts[word])
        return f"files: {counted}, first {first}" if counted else None


def _side_by_side(
    one: Mapping[str, str], other: Mapping[str, str]
) -> Iterator[tuple[str, str | None, str | None]]:
    """Every name of either, in order, and what stands under it in each."""
    sides = [((name, 0, text) for name, text in in_order(one))]
    sides.append((name, 1, text) for name, text in in_order(other))
    for name, found in groupby(heapq.merge(*sides), key=itemgetter(0)):
        texts: list[str | None] = [None, None]
        for _, side, text in found:
            texts[side] = text
        yield name, texts[0], texts[1]


@runtime_checkable
class ListedSource(Protocol):
    """A source whose files may become others while its description stays the same."""

    def listing(self) -> Listing:
        """Its files as they are now, whatever it remembers of them.

        Raises:
            SourceError: they cannot be listed.
        """
        ...


def list_source(source: object) -> Listing | None:
    """The files of a source; None for one that has none, or does not say."""
    return source.listing() if isinstance(source, ListedSource) else None


def list_folder(
    root: str,
    names: Iterable[bytes],
    *,
    captions_of: Callable[[Path], Iterable[Path]],
    also: Mapping[str, str] | None = None,
) -> Listing:
    """The files `names`, relative to `root`, and the texts beside them that are captions.

    `captions_of` gives where the text of a picture may lie; what is not there is no text. `also`
    are other files that count, with what they are known by.
    """
    found = SortedTexts()
    for other, about in (also or {}).items():
        found.put(other, about)
    for name in names:
        path = Path(root, os.fsdecode(name))
        found.put(quote_from_bytes(name), know_file(path))
        folder = name[: name.rfind(b"/") + 1]
        for text in captions_of(path):
            beside = quote_from_bytes(folder + os.fsencode(text.name))
            if beside not in found and text.exists():
                found.put(beside, know_file(text))
    return Listing(found)


def list_archives(paths: Iterable[Path]) -> Listing:
    """Files that hold many pictures each, known by their names; on a store none is read."""
    paths = list(paths)
    stored: dict[StorePath, set[str]] = {}
    for path in paths:
        if isinstance(path, StorePath):
            stored.setdefault(path.parent, set()).add(path.name)
    if stored:
        listed = (list_stored(names, folder) for folder, names in stored.items())
        return Listing({name: tag for each in listed for name, tag in each.files.items()})
    return Listing(
        {
            quote_from_bytes(os.fsencode(path.name)): know_file(
                path, pieces=ARCHIVE_PIECES, piece_bytes=ARCHIVE_PIECE_BYTES
            )
            for path in paths
        }
    )


def list_stored(names: Container[str], folder: StorePath) -> Listing:
    """The files `names` of a folder on a store, each known by its size and what the store says.

    That is what tells its content from another, a hash most often; one listing, nothing is read.
    """
    entries = {str(each["name"]).rpartition("/")[2]: each for each in folder.entries()}
    return Listing(
        {
            quote_from_bytes(os.fsencode(name)): content_tag(info)
            for name, info in entries.items()
            if name in names
        }
    )


def know_file(path: Path, *, pieces: int = PIECES, piece_bytes: int = PIECE_BYTES) -> str:
    """The size of a regular file and the hash of what is read of it, else what it is instead.

    What is not regular is not opened: a pipe would wait for a writer for ever.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return _NO_FILE
        digest = hashlib.sha256()
        with path.open("rb", buffering=0) as file:
            if status.st_size <= pieces * piece_bytes:
                digest.update(os.pread(file.fileno(), pieces * piece_bytes, 0))
            else:
                last = status.st_size - piece_bytes
                for number in range(pieces):
                    start = last * number // (pieces - 1)
                    digest.update(os.pread(file.fileno(), piece_bytes, start))
    except OSError:
        return _UNREADABLE
    return f"{status.st_size} {digest.hexdigest()[:32]}"
