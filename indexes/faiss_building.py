"""Building a FAISS index of more vectors than memory holds: trained once, filled piece by piece."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np

from indexes.faiss_index import WRITE_BYTES, load_faiss, write_flat_header
from indexes.index_choice import DEFAULT_MEMORY_GIB, IndexChoice, training_size
from indexes.layout import PARTIAL_SUFFIX
from indexes.list_assignment import (
    ListAssigner,
    Lists,
    RunAll,
    count_cores,
    threads_over_spans,
)
from indexes.list_codes import Codes, encode
from indexes.list_files import merge_pieces, read_head, write_piece
from indexes.list_training import train_lists
from indexes.product_codes import train_product_codes
from indexes.scalar_codes import train_scalar_codes
from indexes.search import Rows, Vectors

PIECE_BYTES = 128 << 20
"""The codes of a piece, which are held in memory until it is written."""
MOST_PIECES = 256
"""All pieces are open while they are merged; of larger indexes the pieces are larger."""
ROWS_TOGETHER = 16_384
"""So many vectors all threads assign and encode together, ..."""
ROWS_AT_ONCE = 1024
"""... and so many of them a thread encodes at a time."""


@dataclass(frozen=True)
class VectorParts:
    """Vectors in several arrays: how many rows each has, and what opens it, (n, d) float32.

    An array is opened when it is needed and let go after that, so that of memory-mapped files the
    pages of one at a time are held.
    """

    counts: Sequence[int]
    dimension: int
    load: Callable[[int], Vectors]

    @classmethod
    def of(cls, arrays: Sequence[Vectors]) -> "VectorParts":
        """Of arrays in memory, one at least."""
        return cls([len(array) for array in arrays], arrays[0].shape[1], arrays.__getitem__)

    def __len__(self) -> int:
        return sum(self.counts)

    def arrays(self) -> Iterator[Vectors]:
        """Every array that has rows, one at a time, in order."""
        for number, count in enumerate(self.counts):
            if count:
                yield self.load(number)

    def blocks(self, rows: int) -> Iterator[Vectors]:
        """All vectors in order, `rows` at a time whatever the arrays; a block is overwritten."""
        block = np.empty((rows, self.dimension), dtype=np.float32)
        used = 0
        for array in self.arrays():
            start = 0
            while start < len(array):
                taken = min(rows - used, len(array) - start)
                block[used : used + taken] = array[start : start + taken]
                used, start = used + taken, start + taken
                if used == rows:
                    yield block
                    used = 0
        if used:
            yield block[:used]

    def rows(self, wanted: Rows) -> Vectors:
        """The vectors of the rows `wanted`, which rise, over all arrays."""
        gathered = np.empty((len(wanted), self.dimension), dtype=np.float32)
        starts = np.cumsum([0, *self.counts])
        places = np.searchsorted(wanted, starts)
        for number, (first, last) in enumerate(pairwise(places)):
            if last > first:
                gathered[first:last] = self.load(number)[wanted[first:last] - starts[number]]
        return gathered


def build_index(
    vectors: VectorParts,
    choice: IndexChoice,
    *,
    path: Path,
    seed: int = 0,
    memory_gib: float = DEFAULT_MEMORY_GIB,
    threads: int | None = None,
    piece_bytes: int = PIECE_BYTES,
) -> None:
    """Writes the index of `choice` over `vectors` to `path`; a vector's id is its row.

    Lists are trained on a sample that `seed` draws. `threads` (all cores where None) and
    `piece_bytes` change how long it takes and how much is held, and nothing else: the same vectors
    give the same bytes. Pieces lie beside `path` meanwhile. An index of another kind than
    `choose_index` chooses is built by FAISS alone, in memory and on one thread.

    Raises:
        IndexFolderError: FAISS is not installed, or a part cannot be read.
        OSError: a file cannot be written.
    """
    faiss = load_faiss()
    if choice.key == "Flat":
        with path.open("wb") as file:
            _write_flat(file, vectors)
        return
    index = new_index(vectors.dimension, choice, faiss)
    sample = draw_sample(vectors, choice, seed=seed, memory_gib=memory_gib)
    if not has_plain_lists(index, faiss):
        _build_by_faiss(index, vectors, sample, path, faiss)
        return
    with threads_over_spans(threads or count_cores()) as run:
        assigner = train_index(index, sample, seed=seed, run=run, faiss=faiss)
        del sample
        _fill(index, vectors, assigner, path, piece_bytes=piece_bytes, run=run, faiss=faiss)


def new_index(dimension: int, choice: IndexChoice, faiss: ModuleType) -> Any:
    """The index of `choice` for vectors of `dimension` numbers, by inner product and untrained."""
    return faiss.index_factory(dimension, choice.key, faiss.METRIC_INNER_PRODUCT)


def has_plain_lists(index: Any, faiss: ModuleType) -> bool:
    """Whether `index` has inverted lists, found by their centres, of codes that are known here."""
    kinds = (faiss.IndexIVFFlat, faiss.IndexIVFScalarQuantizer, faiss.IndexIVFPQ)
    known = type(index) in kinds and isinstance(
        faiss.downcast_index(index.quantizer), faiss.IndexFlat
    )
    if known and isinstance(index, faiss.IndexIVFScalarQuantizer):
        return _has_bytes(index, faiss) or index.sq.qtype == faiss.ScalarQuantizer.QT_fp16
    return known


def _has_bytes(index: Any, faiss: ModuleType) -> bool:
    """Whether `index` keeps a byte for every number, between values that are learned."""
    scalar = isinstance(index, faiss.IndexIVFScalarQuantizer)
    return bool(scalar and index.sq.qtype == faiss.ScalarQuantizer.QT_8bit)


def train_index(
    index: Any, sample: Vectors, *, seed: int, run: RunAll, faiss: ModuleType
) -> ListAssigner:
    """Trains `index`, one of `has_plain_lists`, on `sample`; gives what assigns to its lists."""
    centres = train_lists(sample, index.nlist, seed=seed, run=run, faiss=faiss)
    assigner = ListAssigner(centres, faiss=faiss)
    index.quantizer.add(centres)
    index.quantizer.is_trained = True
    if isinstance(index, faiss.IndexIVFPQ):
        lists = assigner.assign(sample, run)
        train_product_codes(index, sample, centres, lists, seed=seed, run=run, faiss=faiss)
    elif _has_bytes(index, faiss):
        lists = assigner.assign(sample, run)
        train_scalar_codes(index, sample, centres, lists, seed=seed, faiss=faiss)
    index.is_trained = True
    return assigner


def draw_sample(
    vectors: VectorParts, choice: IndexChoice, *, seed: int, memory_gib: float
) -> Vectors:
    """What the lists of `choice` are trained on: drawn without replacement, in row order."""
    size = training_size(len(vectors), choice, dimension=vectors.dimension, memory_gib=memory_gib)
    drawn = np.random.default_rng(seed).choice(len(vectors), size=size, replace=False)
    drawn.sort()
    return vectors.rows(drawn)


def rows_of_pieces(count: int, code_bytes: int, piece_bytes: int) -> int:
    """How many vectors a piece of an index of `count` has: as many as fit, and more of very many.

    >>> rows_of_pieces(1_000_000, 2048, PIECE_BYTES), rows_of_pieces(10**9, 128, PIECE_BYTES)
    (65536, 3906250)
    """
    return max(1, piece_bytes // code_bytes, -(-count // MOST_PIECES))


def encode_in_runs(
    index: Any,
    vectors: VectorParts,
    assigner: ListAssigner,
    *,
    rows: int,
    run: RunAll,
    faiss: ModuleType,
) -> Iterator[tuple[Lists, Codes]]:
    """Of all `vectors`, `rows` or a few more at a time, the list and the code of each.

    Both arrays are overwritten with the next.
    """
    together = min(rows, ROWS_TOGETHER)
    rows = -(-rows // together) * together
    lists = np.empty(rows, dtype=np.int64)
    codes = np.empty((rows, index.invlists.code_size), dtype=np.uint8)
    used = 0
    for block in vectors.blocks(together):
        stop = used + len(block)
        lists[used:stop] = assigner.assign(block, run)
        _encode(index, block, lists[used:stop], codes[used:stop], run=run, faiss=faiss)
        used = stop
        if used == rows:
            yield lists, codes
            used = 0
    if used:
        yield lists[:used], codes[:used]


def _encode(
    index: Any, vectors: Vectors, lists: Lists, codes: Codes, *, run: RunAll, faiss: ModuleType
) -> None:
    def work(start: int, stop: int) -> None:
        encode(index, vectors[start:stop], lists[start:stop], codes[start:stop], faiss=faiss)

    run(work, len(vectors), ROWS_AT_ONCE)


def _write_flat(file: BinaryIO, vectors: VectorParts) -> None:
    write_flat_header(file, len(vectors), vectors.dimension)
    for array in vectors.arrays():
        for start in range(0, len(array), ROWS_AT_ONCE):
            file.write(np.ascontiguousarray(array[start : start + ROWS_AT_ONCE], "<f4").data)


def _build_by_faiss(
    index: Any, vectors: VectorParts, sample: Vectors, path: Path, faiss: ModuleType
) -> None:
    if not index.is_trained:
        index.train(sample)
    for array in vectors.arrays():
        index.add(np.ascontiguousarray(array, dtype=np.float32))
    # Given a name, FAISS is silent about what fails as the file is closed, as on a full disk.
    with path.open("wb") as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write, WRITE_BYTES))


def _fill(
    index: Any,
    vectors: VectorParts,
    assigner: ListAssigner,
    path: Path,
    *,
    piece_bytes: int,
    run: RunAll,
    faiss: ModuleType,
) -> None:
    """Writes `vectors` as pieces beside `path`, and merges these."""
    head = read_head(index, faiss)
    rows = rows_of_pieces(len(vectors), head.code_bytes, piece_bytes)
    runs = encode_in_runs(index, vectors, assigner, rows=rows, run=run, faiss=faiss)
    pieces: list[Path] = []
    first = 0
    try:
        for lists, codes in runs:
            pieces.append(path.with_name(f".{path.name.lstrip('.')}.{len(pieces)}{PARTIAL_SUFFIX}"))
            write_piece(pieces[-1], head, lists, codes, first=first)
            first += len(lists)
        merge_pieces(pieces, head, path)
    finally:
        for piece in pieces:
            with suppress(OSError):
                piece.unlink(missing_ok=True)
