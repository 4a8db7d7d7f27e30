"""How an index of inverted lists keeps a vector: whole, in halves or bytes, or as product codes."""

from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from indexes.list_assignment import Lists
from indexes.search import Vectors

Codes = npt.NDArray[np.uint8]


def encode(index: Any, vectors: Vectors, lists: Lists, codes: Codes, *, faiss: ModuleType) -> None:
    """Puts into `codes` (n, bytes) how `index` keeps `vectors`, float32 (n, d), in `lists` (n,).

    On the thread that calls; `index` is one of FAISS's with inverted lists, trained.
    """
    block = np.ascontiguousarray(vectors, dtype=np.float32)
    if isinstance(index, faiss.IndexIVFFlat):
        codes[:] = block.view(np.uint8)
        return
    faiss.omp_set_num_threads(1)
    own = np.ascontiguousarray(lists, dtype=np.int64)
    written = codes if codes.flags.c_contiguous else np.empty_like(codes)
    index.encode_vectors(
        len(block), faiss.swig_ptr(block), faiss.swig_ptr(own), faiss.swig_ptr(written)
    )
    if written is not codes:
        codes[:] = written
