"""Files of one content in a folder: found without reading most of them."""

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from transforms.pictures.decoding import PictureLimits

_SAMPLE_BYTES = 4096
_BLOCK_BYTES = 1 << 20


def find_duplicates(folder: str, names: tuple[bytes, ...], limits: PictureLimits) -> dict[int, int]:
    """Which rows repeat an earlier one, of those that are not too large to be read at all.

    Only files of one size can be equal, and most of those differ within their first and last
    blocks; so whole files are read for few rows.
    """
    paths = {row: Path(folder, os.fsdecode(name)) for row, name in enumerate(names)}
    duplicates: dict[int, int] = {}
    for same_size in _alike(range(len(names)), lambda row: _size(paths[row], limits)):
        for same_ends in _alike(same_size, lambda row: _digest_ends(paths[row])):
            for same in _alike(same_ends, lambda row: _digest(paths[row], limits)):
                duplicates.update(dict.fromkeys(same[1:], same[0]))
    return duplicates


def _alike(rows: Iterable[int], measure: Callable[[int], object]) -> list[list[int]]:
    """Groups of two and more rows whose measure is equal and not None, each in order."""
    groups: dict[object, list[int]] = defaultdict(list)
    for row in rows:
        try:
            groups[measure(row)].append(row)
        except OSError:
            continue  # reading the row will say what is wrong with it
    return [group for value, group in groups.items() if value is not None and len(group) > 1]


def _size(path: Path, limits: PictureLimits) -> int | None:
    """Bytes of a regular file that has any, and not too many, else None."""
    status = path.stat()
    regular = stat.S_ISREG(status.st_mode)
    return status.st_size if regular and 0 < status.st_size <= limits.max_bytes else None


def _digest_ends(path: Path) -> bytes:
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(_SAMPLE_BYTES))
        file.seek(-min(_SAMPLE_BYTES, file.seek(0, os.SEEK_END)), os.SEEK_END)
        digest.update(file.read(_SAMPLE_BYTES))
    return digest.digest()


def _digest(path: Path, limits: PictureLimits) -> bytes:
    """The hash of a file, or of as much as is read of one that has grown meanwhile."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for _ in range(0, limits.max_bytes + 1, _BLOCK_BYTES):
            digest.update(file.read(_BLOCK_BYTES))
    return digest.digest()
