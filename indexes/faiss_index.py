"""A FAISS index file: what it begins with, and searching it."""

import struct
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import numpy as np

from indexes.layout import IndexFolderError
from indexes.search import Rows, Vectors, check_queries

FLAT = b"IxFI"
"""How a file of a flat index by inner product begins."""
INNER_PRODUCT = 0
_HEADER = struct.Struct("<4siqqq?i")
_UNUSED = 1 << 20
"""FAISS writes this where it once had something."""
_TRAINED = True
FLAT_HEADER_BYTES = _HEADER.size + 8
"""Before the vectors of a flat index; the last eight say how many numbers they are."""

WRITE_BYTES = 1 << 20
"""An index is written in pieces of this size."""

SPARE_NEIGHBOURS = 16
"""So many more are asked of FAISS than wanted, for ties to be settled among."""
SPARE_OF_BYTES = 3
SPARE_OF_CODES = 15
"""Of bytes and of codes so many times as many more, where that is more: they are then told apart by
the vectors themselves."""


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


def write_flat_header(file: BinaryIO, count: int, dimension: int) -> None:
    """Writes what stands before the `count` vectors of a flat index by inner product."""
    file.write(_HEADER.pack(FLAT, dimension, count, _UNUSED, _UNUSED, _TRAINED, INNER_PRODUCT))
    file.write(struct.pack("<Q", count * dimension))


class FaissIndex:
    """A FAISS index file, memory-mapped, so that processes on one machine share its pages."""

    def __init__(self, path: Path, *, parameters: str = "") -> None:
        faiss = load_faiss()
        header = read_header(path)
        if header.kind == FLAT and path.stat().st_size < flat_bytes(header.count, header.dimension):
            raise IndexFolderError(f"{path} is not a FAISS index: it is cut short")
        try:
            self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
            self._lists = faiss.downcast_index(self._index)
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

    def spare(self, k: int) -> int:
        """How many more than `k` rows to ask for, so that the `k` best are among them.

        Whole vectors need a few for ties alone; what is told apart by short codes needs many.
        """
        faiss, kind = load_faiss(), type(self._lists)
        if kind is faiss.IndexIVFPQ:
            return max(SPARE_NEIGHBOURS, SPARE_OF_CODES * k)
        if kind is faiss.IndexIVFScalarQuantizer:
            return max(SPARE_NEIGHBOURS, SPARE_OF_BYTES * k)
        return SPARE_NEIGHBOURS

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
