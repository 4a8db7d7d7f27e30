"""FAISS: which index for how many vectors, training it, filling it, reading it."""

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from indexes.layout import IndexFolderError
from indexes.search import Rows, Vectors, check_queries

FLAT_UP_TO = 100_000
"""Up to this many vectors a flat index costs far less than captioning does, and is exact."""

LISTS_PER_SQUARE_ROOT = 4
VECTORS_PER_LIST = 39
"""Fewer training vectors a list than this, and FAISS's k-means warns that it is underfed."""

TRAINING_VECTORS_PER_LIST = 64
LARGE_INDEXES = ((1_000_000, 65_536), (10_000_000, 262_144), (100_000_000, 1_048_576))
"""From this many vectors on, this many lists, found through an HNSW graph of their centres."""

PROBED_SHARE = 16
"""One list in so many is looked into."""

FLAT = b"IxFI"
"""How a file of a flat index by inner product begins."""
INNER_PRODUCT = 0
_HEADER = struct.Struct("<4siqqq?i")
FLAT_HEADER_BYTES = _HEADER.size + 8
"""Before the vectors of a flat index; the last eight say how many numbers they are."""

WRITE_BYTES = 1 << 20
"""An index is written in pieces of this size."""


@dataclass(frozen=True)
class IndexChoice:
    """A FAISS factory string and the parameters to search with, as autofaiss names both."""

    key: str
    parameters: str


def choose_index(count: int) -> IndexChoice:
    """The index for `count` vectors: flat, then inverted lists with unchanged (flat) codes.

    Below a million vectors 4 sqrt(n) lists, above it the sizes FAISS's authors recommend.
    """
    if count <= FLAT_UP_TO:
        return IndexChoice("Flat", "")
    lists = min(round(LISTS_PER_SQUARE_ROOT * math.sqrt(count)), count // VECTORS_PER_LIST)
    key = f"IVF{lists},Flat"
    for size, large_lists in LARGE_INDEXES:
        if count >= size:
            lists = large_lists
            key = f"IVF{lists}_HNSW32,Flat"
    return IndexChoice(key, f"nprobe={max(1, lists // PROBED_SHARE)}")


@dataclass(frozen=True)
class FaissHeader:
    """What every FAISS index file begins with."""

    kind: bytes
    dimension: int
    count: int
    metric: int


def read_header(path: Path) -> FaissHeader:
    """The header of a FAISS index file.

    Raises:
        IndexFolderError: it is too short to have one, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            kind, dimension, count, _, _, _, metric = _HEADER.unpack(file.read(_HEADER.size))
            if kind == FLAT and struct.unpack("<Q", file.read(8)) != (count * dimension,):
                raise IndexFolderError(f"{path} must hold {count} times {dimension} numbers")
    except (OSError, struct.error) as error:
        raise IndexFolderError(f"{path} is not a FAISS index: {error}") from error
    return FaissHeader(kind, dimension, count, metric)


def flat_bytes(count: int, dimension: int) -> int:
    """The size of the file of a flat index of `count` vectors."""
    return FLAT_HEADER_BYTES + 4 * count * dimension


def build_index(
    parts: Iterable[Vectors], training: Vectors, choice: IndexChoice, *, path: Path
) -> None:
    """Trains on `training` (m, d), adds `parts` in order and writes the index to `path`.

    A vector's id is its position over all parts. One thread and a fixed k-means seed: the same
    vectors give the same bytes.
    """
    faiss = load_faiss()
    index = faiss.index_factory(training.shape[1], choice.key, faiss.METRIC_INNER_PRODUCT)
    if not index.is_trained:
        index.train(np.ascontiguousarray(training, dtype=np.float32))
    for part in parts:
        index.add(np.ascontiguousarray(part, dtype=np.float32))
    # Given a name, FAISS is silent about what fails as the file is closed, as on a full disk.
    with path.open("wb") as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write, WRITE_BYTES))


def training_size(count: int, choice: IndexChoice) -> int:
    """How many of `count` vectors the index of `choice` is trained on; 0 for a flat one."""
    if not choice.key.startswith("IVF"):
        return 0
    lists = int(choice.key.removeprefix("IVF").split(",")[0].split("_")[0])
    return min(count, lists * TRAINING_VECTORS_PER_LIST)


class FaissIndex:
    """A FAISS index file, memory-mapped, so that processes on one machine share its pages."""

    def __init__(self, path: Path, *, parameters: str = "") -> None:
        faiss = load_faiss()
        header = read_header(path)
        if header.kind == FLAT and path.stat().st_size < flat_bytes(header.count, header.dimension):
            raise IndexFolderError(f"{path} is not a FAISS index: it is cut short")
        try:
            self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
            if parameters:
                faiss.ParameterSpace().set_index_parameters(self._index, parameters)
        except (RuntimeError, MemoryError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise IndexFolderError(f"{path} is not a FAISS index: {reason}") from error

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._index.d)

    def search(self, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        """The `k` best rows for each query; see `indexes.search.Index`.

        Ties are in FAISS's own order, which is the same on every run.
        """
        queries = check_queries(queries, k, dimension=self.dimension)
        if not len(queries):
            return np.empty((0, k), dtype=np.float32), np.empty((0, k), dtype=np.int64)
        scores, rows = self._index.search(queries, k)
        return np.where(rows < 0, -np.inf, scores).astype(np.float32), rows


def load_faiss() -> ModuleType:
    """The FAISS module, held to one thread: more would change no result and fight over cores.

    Raises:
        IndexFolderError: FAISS is not installed.
    """
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise IndexFolderError(
            "searching an index needs FAISS: install pairloom[cpu] or pairloom[gpu]"
        ) from error
    faiss.omp_set_num_threads(1)
    return faiss
