"""Groups of near-copies among the pictures of a data set's pairs, and of a test set beside them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexes.folder import PictureIndex
from indexes.groups import ID_LENGTH, PictureGroups
from pipelines.cleaning.measuring import read_measures
from pipelines.near_copies.index_groups import least_names
from pipelines.near_copies.joining import Join, find_pairs, read_pairs
from pipelines.running.execution import Execution
from transforms.filter_rules import MEASURED
from transforms.near_copies.components import connect
from transforms.near_copies.fingerprint import FINGERPRINT_BYTES
from transforms.near_copies.rule import NearCopyRule
from transforms.near_copies.tables import Rows, Signatures

Values = dict[str, float | None]


@dataclass(frozen=True)
class OpenFiles:
    """Opens signatures that lie in two files of rows, one after the other."""

    fingerprints: str
    embeddings: str
    dimension: int

    def __call__(self) -> Signatures:
        """The signatures, memory-mapped."""
        fingerprints = np.memmap(self.fingerprints, np.uint8, "r")
        embeddings = np.memmap(self.embeddings, np.dtype("<f4"), "r")
        rows = embeddings.reshape(-1, self.dimension)
        return Signatures(fingerprints.reshape(-1, FINGERPRINT_BYTES), rows.__getitem__)


@dataclass(frozen=True)
class Pictures:
    """Distinct pictures by the hash of their content, with what was measured of them.

    `rows` gives the row of a content; `groups` the name of the group of each row; `values` what was
    measured. `tests` are the keys of test pictures by the group they are in.
    """

    rows: dict[str, int] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    values: list[Values] = field(default_factory=list)
    tests: dict[str, str] = field(default_factory=dict)

    def group(self, sha256: str) -> str | None:
        """The group of a picture of the pairs; None where nothing was grouped.

        One that could not be looked at is alone in a group of its own name.
        """
        if not self.groups:
            return None
        row = self.rows.get(sha256)
        return sha256[:ID_LENGTH] if row is None else self.groups[row]

    def measured(self, sha256: str) -> Values:
        """What was measured of a picture; nothing where it was not."""
        row = self.rows.get(sha256)
        return self.values[row] if row is not None else {}


@dataclass(frozen=True)
class KnownGroups:
    """The groups of an index, for pictures that it has."""

    index: PictureIndex
    groups: PictureGroups

    def find(self, key: str, sha256: str) -> str | None:
        """The group of the picture `key` in the index, where it has that content there."""
        row = self.index.find(key)
        if row is None or self.index.content(row) != sha256:
            return None
        return self.groups.of([row])[0]


def gather_pictures(
    files: Sequence[Path],
    against: Sequence[Path],
    *,
    folder: Path,
    rule: NearCopyRule,
    known: dict[str, str],
    execution: Execution,
) -> Pictures:
    """All pictures in `files`, grouped together with those in `against`.

    `known` are groups of an index, by content: what it has joined stays joined. Signatures and
    pairs of near-copies lie in `folder` meanwhile.

    Raises:
        OutputError, CommandError: in one line each.
    """
    rows: dict[str, int] = {}
    values: list[Values] = []
    tested: dict[int, str] = {}
    paths = folder / "fingerprints.bin", folder / "embeddings.bin"
    digest, width = hashlib.sha256(), 1
    with paths[0].open("wb") as fingerprints, paths[1].open("wb") as embeddings:
        for row, is_test in _rows(files, against):
            place = rows.setdefault(row["sha256"], len(rows))
            if place == len(values):
                fingerprints.write(row["fingerprint"])
                embeddings.write(row["embedding"])
                digest.update(row["fingerprint"] + row["embedding"])
                values.append({name: row[name] for name in MEASURED})
                width = len(row["embedding"]) // 4
            if is_test:
                tested.setdefault(place, row["key"])
    if not rows:
        return Pictures()
    join = Join(
        open_signatures=OpenFiles(str(paths[0]), str(paths[1]), width),
        count=len(rows),
        folder=str(folder),
        mark=digest.hexdigest(),
        rule=rule,
    )
    pairs = find_pairs(join, execution)
    names = np.array([(known.get(sha) or sha[:ID_LENGTH]).encode() for sha in rows])
    first = connect(len(rows), partial(_all_pairs, pairs, names))
    groups = [bytes(name).decode() for name in least_names(names, first)]
    tests = {groups[place]: key for place, key in sorted(tested.items(), key=lambda each: each[1])}
    return Pictures(rows, groups, values, tests)


def _rows(files: Sequence[Path], against: Sequence[Path]) -> Iterator[tuple[dict[str, Any], bool]]:
    """All measures, and whether each is of a test picture."""
    for paths, is_test in ((files, False), (against, True)):
        for row in read_measures(paths):
            yield row, is_test


def _all_pairs(paths: Sequence[Path], names: npt.NDArray[np.bytes_]) -> Iterator[Rows]:
    """The near-copies that were found, and pictures that have their name in common."""
    yield from read_pairs(paths)
    order = np.argsort(names, kind="stable").astype(np.int64)
    same = np.flatnonzero(names[order][:-1] == names[order][1:])
    yield np.stack([order[same], order[same + 1]], axis=1)
