"""The groups of near-copies of an index: a part of its metadata that is made after it is finished.

    groups/fingerprints_{i}.npy      uint8 (n, 608), the perceptual hashes of one part
    groups/groups.npy                S16 (pictures,), the group of every row
    groups/groups.json               of which index, by which rule, and the hash of groups.npy

`groups.json` is written last; without it, or where it is of another index, there are no groups.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexes.checksums import sum_file
from indexes.described import read_finished
from indexes.layout import (
    GROUPS_FOLDER,
    IndexFolderError,
    Part,
    read_json,
    show,
    write_atomically,
    write_json,
)

GROUPS_FILE = f"{GROUPS_FOLDER}/groups.npy"
GROUPS_MANIFEST = f"{GROUPS_FOLDER}/groups.json"
ID_LENGTH = 16
"""A group is named by the first hexadecimal digits of the least SHA-256 of its pictures."""

_KIND = f"|S{ID_LENGTH}"

GroupIds = npt.NDArray[np.bytes_]


@dataclass(frozen=True)
class PictureGroups:
    """The group of every row of an index: `ids`, S16, memory-mapped; `rule` made them."""

    ids: GroupIds
    rule: Mapping[str, Any]

    def of(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> list[str]:
        """The groups of `rows`, in their order.

        Raises:
            IndexError: a row is not there.
        """
        return [bytes(each).decode("ascii") for each in self.ids[np.asarray(rows, np.int64)]]

    def __len__(self) -> int:
        return len(self.ids)


def fingerprint_path(folder: Path, part: Part) -> Path:
    """Where the fingerprints of one part lie."""
    return folder / GROUPS_FOLDER / f"fingerprints_{part.label}.npy"


def write_fingerprints(folder: Path, part: Part, rows: npt.NDArray[np.uint8], mark: str) -> None:
    """Writes the fingerprints of one part, uint8 (n, bytes); `mark` is the index's identity.

    Raises:
        IndexFolderError: they cannot be written.
    """
    place = fingerprint_path(folder, part)
    write_atomically(place, lambda path: _save(path, rows))
    write_json(place.with_suffix(".json"), {"index": mark, **vars(sum_file(place))})


def has_fingerprints(folder: Path, part: Part, mark: str) -> bool:
    """Whether the fingerprints of a part are there, of the index of identity `mark`."""
    place = fingerprint_path(folder, part)
    try:
        about = read_json(place.with_suffix(".json"))
        return bool(about["index"] == mark and about["bytes"] == place.stat().st_size)
    except (IndexFolderError, OSError, KeyError):
        return False


def write_groups(
    folder: Path, ids: GroupIds, *, mark: str, rule: Mapping[str, Any]
) -> dict[str, Any]:
    """Writes the group of every row, S16, and what says so; returns that.

    Raises:
        IndexFolderError: they cannot be written.
    """
    (folder / GROUPS_MANIFEST).unlink(missing_ok=True)
    write_atomically(folder / GROUPS_FILE, lambda path: _save(path, ids.astype(_KIND)))
    about = {
        "index": mark,
        "rule": dict(rule),
        "pictures": len(ids),
        "groups": len(np.unique(ids)),
        **vars(sum_file(folder / GROUPS_FILE)),
    }
    write_json(folder / GROUPS_MANIFEST, about)
    return about


def read_groups_manifest(folder: Path) -> dict[str, Any] | None:
    """What is said of the groups in the index `folder`; None where it has none of its own.

    Raises:
        IndexFolderError: the folder is no finished index, or what it says cannot be read.
    """
    if not (folder / GROUPS_MANIFEST).is_file():
        return None
    about = read_json(folder / GROUPS_MANIFEST)
    mark = read_finished(folder).identity
    return about if mark is not None and about.get("index") == mark else None


def open_groups(folder: Path) -> PictureGroups | None:
    """The groups of the index in `folder`; None where there are none, or those of another index.

    Raises:
        IndexFolderError: they cannot be read, or are not one for every picture.
    """
    about = read_groups_manifest(folder)
    if about is None:
        return None
    path = folder / GROUPS_FILE
    try:
        ids = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise IndexFolderError(f"{path} cannot be read as an array: {error}") from error
    pictures = read_finished(folder).pictures
    if ids.shape != (pictures,) or ids.dtype.str != _KIND:
        raise IndexFolderError(
            f"{path} must hold {pictures} {_KIND}, got {ids.shape} {ids.dtype.str}"
        )
    return PictureGroups(ids, about.get("rule", {}))


def group_problems(folder: Path, tell: Callable[[str], None]) -> None:
    """Tells what is wrong with the groups of an index that has some."""
    try:
        about = read_groups_manifest(folder)
        if about is None:
            return
        found = sum_file(folder / GROUPS_FILE)
        if {"bytes": found.bytes, "sha256": found.sha256} != {
            name: about.get(name) for name in ("bytes", "sha256")
        }:
            tell(f"{GROUPS_FILE} must have the sha256 {show(about.get('sha256'))}")
            return
        groups = open_groups(folder)
        if groups is not None and len(np.unique(groups.ids)) != about.get("groups"):
            tell(f"{GROUPS_MANIFEST}: groups must be those of {GROUPS_FILE}")
    except (IndexFolderError, OSError) as error:
        tell(str(error))


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), version=(1, 0))
