"""The size and the hash of every file of an index, as its description holds them."""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexes.layout import (
    INDEX_FILE,
    INDEX_PARAMETERS_FILE,
    INPUTS_FILE,
    LOOKUP_FILES,
    REJECTS_FOLDER,
    IndexFolderError,
    Part,
    fingerprint,
    show,
)

FILES = "files"
"""Under this name a description holds them: `{name in the folder: {"bytes": n, "sha256": hex}}`."""

_SHA256 = re.compile(r"[0-9a-f]{64}")

Sums = Mapping[str, "FileSum"]


@dataclass(frozen=True)
class FileSum:
    """The size of a file in bytes and its SHA-256, in hexadecimal."""

    bytes: int
    sha256: str


def part_files(part: Part) -> list[str]:
    """The names in the folder of the files that every part has."""
    return [path.as_posix() for path in part.paths(Path())]


def kept_files(folder: Path, part: Part) -> Iterator[str]:
    """The names of the files of a part: those that every part has, and its rejects if there."""
    yield from part_files(part)
    if part.rejects_path(folder).is_file():
        yield part.rejects_path(Path()).as_posix()


def sum_files(folder: Path, parts: list[Part]) -> dict[str, dict[str, object]]:
    """What a description says of the files of an index that is there, but for its own file.

    Raises:
        OSError: one of them cannot be read.
    """
    names = [name for part in parts for name in kept_files(folder, part)]
    names += [*LOOKUP_FILES, INDEX_FILE, INDEX_PARAMETERS_FILE]
    if (folder / INPUTS_FILE).is_file():
        names.append(INPUTS_FILE)
    return {name: vars(sum_file(folder / name)) for name in sorted(names)}


def sum_file(path: Path, advance: Callable[[int], None] = lambda count: None) -> FileSum:
    """The size and the hash of one file; `advance` is told of every piece that is read.

    Raises:
        OSError: it cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
            size += len(piece)
            advance(len(piece))
    return FileSum(size, digest.hexdigest())


def read_sums(manifest: Mapping[str, Any], path: Path) -> Sums | None:
    """The sums that a description at `path` holds; None for one made before there were any.

    Raises:
        IndexFolderError: it holds something else, or names a file that no index has.
    """
    found = manifest.get(FILES)
    if found is None:
        return None
    if not isinstance(found, dict):
        raise IndexFolderError(f"{path}: {FILES} must be an object, got {type(found).__name__}")
    return {name: _read_sum(name, about, path) for name, about in found.items()}


def _read_sum(name: str, about: object, path: Path) -> FileSum:
    if not is_index_file(name):
        raise IndexFolderError(f"{path}: {FILES} must name files of an index, got {show(name)}")
    size, digest = (about.get("bytes"), about.get("sha256")) if isinstance(about, dict) else (0, 0)
    if type(size) is not int or size < 0 or not isinstance(digest, str):
        raise IndexFolderError(f"{path}: {name} must have bytes and sha256, got {show(about)}")
    if not _SHA256.fullmatch(digest):
        raise IndexFolderError(
            f"{path}: the sha256 of {name} must be 64 digits, got {show(digest)}"
        )
    return FileSum(size, digest)


_OWN_FILE = re.compile(
    r"img_emb/img_emb_\d{5,12}\.npy|structure/structure_\d{5,12}\.npy"
    r"|(metadata/metadata|rejects/rejects)_\d{5,12}\.parquet",
    re.ASCII,
)


def is_index_file(name: str) -> bool:
    """Whether a file of an index can have this name in its folder."""
    single = (INDEX_FILE, INDEX_PARAMETERS_FILE, INPUTS_FILE, *LOOKUP_FILES)
    return name in single or _OWN_FILE.fullmatch(name) is not None


def identify_index(manifest: Mapping[str, Any]) -> str | None:
    """What tells an index from another one: a hash of what is read of it; None where unknown.

    Indexes that were made before there were sums have none.
    """
    found = manifest.get(FILES)
    if not isinstance(found, dict):
        return None
    return fingerprint({name: about for name, about in found.items() if is_searched(name)})


def is_searched(name: str) -> bool:
    """Whether a file of an index is needed to use it, and not only to know how it came about."""
    return name != INPUTS_FILE and not name.startswith(f"{REJECTS_FOLDER}/")


def refuse_other_sizes(folder: Path, sums: Sums) -> None:
    """Makes sure that every file that is needed is there and as large as it was.

    Raises:
        IndexFolderError: naming the first that is not.
    """
    for name, wanted in sums.items():
        if not is_searched(name):
            continue
        path = folder / name
        try:
            size = path.stat().st_size
        except OSError as error:
            raise IndexFolderError(f"{path} cannot be read: {error.strerror}") from error
        if size != wanted.bytes:
            raise IndexFolderError(
                f"{path} must have {wanted.bytes} bytes, got {size}: the index is damaged"
            )
