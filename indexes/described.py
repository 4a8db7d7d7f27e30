"""What the description of a finished index says, checked before anything else is read of it."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexes.checksums import Sums, identify_index, part_files, read_sums, refuse_other_sizes
from indexes.layout import (
    COMPLETED_FILE,
    LOOKUP_FILES,
    MAPPED_FROM,
    IndexFolderError,
    Part,
    fingerprint,
    manifest_path,
    show,
)
from indexes.life_cycle import read_manifest

MOST = {"dimension": 1 << 20, "pictures": 1 << 48, "parts": 1 << 32}
"""The greatest number each may be: more is no index that anybody has made."""

Stamp = tuple[int, ...]


def read_stamp(folder: Path) -> Stamp:
    """What tells a finished index from one that was finished later in the same place.

    Raises:
        IndexFolderError: it is not finished.
    """
    stamp = _stamp(folder)
    if stamp is None:
        read_manifest(folder)  # where it is no index at all, that is what is said
        raise IndexFolderError(f"{folder} is not finished: run the index command again")
    return stamp


def _stamp(folder: Path) -> Stamp | None:
    try:
        found = [(folder / COMPLETED_FILE).stat(), manifest_path(folder).stat()]
    except OSError:
        return None
    return tuple(n for each in found for n in (each.st_ino, each.st_mtime_ns, each.st_size))


@dataclass(frozen=True)
class DescribedIndex:
    """The numbers of a finished index, what made it, and what tells it from another.

    `mapped` says whether it has files of metadata that are memory-mapped. `mark` is the fingerprint
    of what made it, which its parts carry; `content` is what the folder says of itself. `stamp` is
    `read_stamp`'s, `identity` is `identify_index`'s, and `sums` are those of its files: the last
    two are None for an index made before there were any.
    """

    folder: Path
    dimension: int
    pictures: int
    parts: int
    mapped: bool
    mark: str
    content: dict[str, object]
    identity: str | None
    sums: Sums | None
    stamp: Stamp

    def refuse_rewritten(self) -> None:
        """Makes sure that the folder holds the index that was opened.

        It is asked after a file is read: whoever rewrites an index takes `COMPLETED` away first.

        Raises:
            IndexFolderError: it is being made anew, or was.
        """
        if _stamp(self.folder) != self.stamp:
            raise rewritten(self.folder)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A block that reads files of the index: they are of the index that was opened.

        Raises:
            IndexFolderError: as `refuse_rewritten`, rather than that a file is not there.
        """
        try:
            yield
        except IndexFolderError:
            self.refuse_rewritten()
            raise
        self.refuse_rewritten()


def rewritten(folder: Path) -> IndexFolderError:
    """The error of an index that is not the one that was opened."""
    return IndexFolderError(f"{folder} was rewritten or removed while it was being read")


def read_finished(folder: Path) -> DescribedIndex:
    """The description of the finished index in `folder`; all its files are there, whole by size.

    Raises:
        IndexFolderError: it is no index, not finished, or a file is absent or of another size.
    """
    stamp = read_stamp(folder)
    manifest = read_manifest(folder)
    described = describe_index(folder, manifest, stamp=stamp)
    if described.sums is not None:
        refuse_other_sizes(folder, described.sums)
    else:
        for number in range(described.parts):
            for path in Part(number, described.parts).paths(folder):
                if not path.is_file():
                    raise IndexFolderError(f"{path} cannot be read: it is missing")
    described.refuse_rewritten()
    return described


def describe_index(folder: Path, manifest: Mapping[str, Any], *, stamp: Stamp) -> DescribedIndex:
    """`manifest`, a description that `read_manifest` gave, with its numbers and sums checked.

    Raises:
        IndexFolderError: naming what is wrong in it.
    """
    path = manifest_path(folder)
    numbers = {name: _whole_number(manifest, name, path) for name in MOST}
    sums = read_sums(manifest, path)
    if sums is not None:
        _refuse_missing(sums, numbers["parts"], path, mapped=manifest["version"] >= MAPPED_FROM)
    own = {name: value for name, value in manifest.items() if name != "description"}
    return DescribedIndex(
        folder=folder,
        mapped=manifest["version"] >= MAPPED_FROM,
        mark=fingerprint(manifest["description"]),
        content=manifest["description"] | own,
        identity=identify_index(manifest),
        sums=sums,
        stamp=stamp,
        **numbers,
    )


def _whole_number(manifest: Mapping[str, Any], name: str, path: Path) -> int:
    found = manifest.get(name)
    if type(found) is not int:
        raise IndexFolderError(f"{path}: {name} must be a number, got {show(found)}")
    if not 1 <= found <= MOST[name]:
        raise IndexFolderError(f"{path}: {name} must be in [1, {MOST[name]}], got {found}")
    return found


def _refuse_missing(sums: Sums, parts: int, path: Path, *, mapped: bool) -> None:
    own = (name for number in range(parts) for name in part_files(Part(number, parts)))
    for name in itertools.chain(own, LOOKUP_FILES if mapped else ()):
        if name not in sums:
            raise IndexFolderError(f"{path}: files must have a sum of {name}")
