"""The vectors of the parts of an index folder, here or on a store, one part at a time."""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from indexes.faiss_building import VectorParts
from indexes.layout import EMBEDDING_FOLDER, IndexFolderError, Part, all_parts
from indexes.parts import load_array
from indexes.search import Vectors
from indexes.storage.statuses import content_tag
from indexes.storage.store_path import StorePath


def part_vectors(
    folder: Path, counts: Sequence[int], dimension: int, *, first: int, total: int
) -> VectorParts:
    """The vectors of the parts from `first` on, of `total`, which have so many rows.

    A part is memory-mapped; on a store it is read, when it is asked for.
    """
    return VectorParts(
        counts=counts,
        dimension=dimension,
        load=lambda number: _load(Part(first + number, total).embedding_path(folder)),
    )


def identify_vectors(folder: Path, parts: int) -> str:
    """A hash of what tells the files of all vectors from what they may become; none is read.

    Raises:
        OSError: they cannot be looked at.
    """
    digest = hashlib.sha256()
    paths = [part.embedding_path(folder) for part in all_parts(parts)]
    if isinstance(folder, StorePath):
        wanted = {path.name for path in paths}
        for entry in (folder / EMBEDDING_FOLDER).entries():
            name = str(entry["name"]).rpartition("/")[2]
            if name in wanted:
                digest.update(f"{name} {content_tag(entry)}\n".encode())
        return digest.hexdigest()
    for path in paths:
        status = path.stat()
        about = f"{path.name} {status.st_size} {status.st_mtime_ns} {status.st_ino}\n"
        digest.update(about.encode())
    return digest.hexdigest()


def _load(path: Path) -> Vectors:
    if not isinstance(path, StorePath):
        return load_array(path)
    try:
        array: Vectors = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    except ValueError as error:
        raise IndexFolderError(f"{path} cannot be read as an array: {error}") from error
    return array
