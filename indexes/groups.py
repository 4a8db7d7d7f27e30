"""The groups of near-copies of an index: a part of its metadata that is made after it is finished.

    groups/fingerprints_{i}.npy      uint8 (n, 608), the perceptual hashes of one part
    groups/groups.npy                S16 (pictures,), the group of every row
    groups/groups.parquet            key and group of every row, to be joined with the metadata
    groups/groups.json               of which index, by which rule, and the hashes of the two above

`groups.json` is written last; without it, or where it is of another index, there are no groups.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from indexes.checksums import sum_file
from indexes.described import Stamp, read_finished, read_stamp
from indexes.layout import (
    GROUPS_FOLDER,
    IndexFolderError,
    Part,
    all_parts,
    read_json,
    show,
    write_atomically,
    write_json,
)
from indexes.part_checks import size_problem
from indexes.parts import read_keys

GROUPS_FILE = f"{GROUPS_FOLDER}/groups.npy"
GROUPS_TABLE = f"{GROUPS_FOLDER}/groups.parquet"
GROUPS_MANIFEST = f"{GROUPS_FOLDER}/groups.json"
ID_LENGTH = 16
"""A group is named by the first hexadecimal digits of the least SHA-256 of its pictures."""

_KIND = f"|S{ID_LENGTH}"
_TABLE = "table"
"""Under this name `groups.json` holds the sums of `groups.parquet`."""
_TABLE_SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
    ]
)
_ROWS_AT_ONCE = 1 << 16

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
        wanted = np.asarray(rows, np.int64)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"rows must be in [0, {len(self)}), got {wanted.tolist()}")
        return [bytes(each).decode("ascii") for each in self.ids[wanted]]

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
    folder: Path,
    ids: GroupIds,
    *,
    keys: Iterable[Sequence[str]],
    mark: str,
    rule: Mapping[str, Any],
) -> dict[str, Any]:
    """Writes the group of every row, S16, and what says so; returns that.

    `keys` are those of all rows in their order, some at a time.

    Raises:
        IndexFolderError: they cannot be written.
    """
    (folder / GROUPS_MANIFEST).unlink(missing_ok=True)
    ids = ids.astype(_KIND)
    write_atomically(folder / GROUPS_FILE, lambda path: _save(path, ids))
    write_atomically(folder / GROUPS_TABLE, lambda path: _save_table(path, ids, keys))
    about = {
        "index": mark,
        "rule": dict(rule),
        "pictures": len(ids),
        "groups": len(np.unique(ids)),
        **vars(sum_file(folder / GROUPS_FILE)),
        _TABLE: vars(sum_file(folder / GROUPS_TABLE)),
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


def has_table(folder: Path, about: Mapping[str, Any]) -> bool:
    """Whether there is a table of keys and groups; `about` is what is said of the groups.

    Those that were made by earlier versions have none.
    """
    return _TABLE in about and (folder / GROUPS_TABLE).is_file()


def current_groups(folder: Path) -> PictureGroups | None:
    """The groups of the index in `folder` as `open_groups`, opened once while they stay the same.

    Raises:
        IndexFolderError: as `open_groups`.
    """
    try:
        status = (folder / GROUPS_MANIFEST).stat()
    except OSError:
        return None
    groups = (status.st_ino, status.st_mtime_ns, status.st_size)
    return _opened(folder, (*read_stamp(folder), *groups))


@lru_cache(maxsize=8)
def _opened(folder: Path, stamp: Stamp) -> PictureGroups | None:
    """`stamp` tells groups from others that are made in the same place."""
    del stamp
    return open_groups(folder)


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
        if groups is None:
            return
        if len(np.unique(groups.ids)) != about.get("groups"):
            tell(f"{GROUPS_MANIFEST}: groups must be those of {GROUPS_FILE}")
        if _TABLE in about:
            for problem in _table_problems(folder, groups, about[_TABLE]):
                tell(problem)
    except (IndexFolderError, OSError) as error:
        tell(str(error))


def _table_problems(folder: Path, groups: PictureGroups, wanted: object) -> Iterator[str]:
    """What is wrong with the table, whose sums must be those `wanted`."""
    if vars(sum_file(folder / GROUPS_TABLE)) != wanted:
        yield f"{GROUPS_TABLE} must have the sums in {GROUPS_MANIFEST}"
        return
    parts = all_parts(read_finished(folder).parts)
    keys = chain.from_iterable(read_keys(folder, part) for part in parts)
    try:
        with pq.ParquetFile(folder / GROUPS_TABLE) as file:
            if (
                file.metadata.num_rows != len(groups)
                or not file.schema_arrow.equals(_TABLE_SCHEMA)
                or size_problem(file, (folder / GROUPS_TABLE).stat().st_size)
            ):
                yield f"{GROUPS_TABLE} must have {len(groups)} rows of key and group"
                return
            row = 0
            for batch in file.iter_batches(_ROWS_AT_ONCE, use_threads=False):
                count = batch.num_rows
                own = zip(islice(keys, count), groups.of(range(row, row + count)), strict=True)
                found = zip(*(column.to_pylist() for column in batch.columns), strict=True)
                for place, (said, right) in enumerate(zip(found, own, strict=True)):
                    if said != right:
                        yield f"{GROUPS_TABLE}: row {row + place} must be {right}, got {said}"
                        return
                row += count
    except (pa.ArrowException, ValueError, KeyError, TypeError, MemoryError) as error:
        yield f"{GROUPS_TABLE} cannot be read: {' '.join(str(error).split())[:200]}"


def _save_table(path: Path, ids: GroupIds, keys: Iterable[Sequence[str]]) -> None:
    """Writes key and group of every row, a row group for each of the sequences of `keys`."""
    row = 0
    with (
        path.open("wb") as file,
        pq.ParquetWriter(file, _TABLE_SCHEMA, compression="zstd", version="2.6") as writer,
    ):
        for some in keys:
            groups = [bytes(each).decode("ascii") for each in ids[row : row + len(some)]]
            writer.write_table(pa.table([list(some), groups], schema=_TABLE_SCHEMA))
            row += len(some)


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), version=(1, 0))
