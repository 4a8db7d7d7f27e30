"""A search index filled by many workers: trained once, then piece by piece, each by one of them.

A piece is a FAISS file of the vectors of some parts of an index folder, under the rows that these
have over all parts, so that it can be searched by itself. Merged list by list, pieces are what
`build_index` writes by itself, to the last byte. What was trained and every piece are written whole
or not at all, and kept by whoever goes on.
"""

import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from indexes.faiss_building import (
    PIECE_BYTES,
    VectorParts,
    draw_sample,
    encode_in_runs,
    has_plain_lists,
    new_index,
    rows_of_pieces,
    train_index,
)
from indexes.faiss_index import load_faiss
from indexes.fence import RUNNING_FOLDER, Fence
from indexes.index_choice import IndexChoice
from indexes.layout import write_atomically
from indexes.list_assignment import ListAssigner, count_cores, threads_over_spans
from indexes.list_files import ListFileHead, merge_pieces, read_head, write_piece
from indexes.part_vectors import identify_vectors, part_vectors
from indexes.search import Rows
from indexes.storage.mirrors import sync_folder
from indexes.storage.paths import as_path
from indexes.storage.store_path import StorePath
from indexes.whole_parts import WholeParts

_FOLDERS = "index-"
_TRAINED = "trained.index"
_COUNTS = "pictures.npy"
_PIECES = "piece-"


@dataclass(frozen=True)
class PieceSpan:
    """Piece `number`: parts `first` to `stop`, whose `rows` vectors begin with row `start`."""

    number: int
    first: int
    stop: int
    start: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class Filling:
    """The index of `choice` over the `parts` parts of `folder`, and how it is filled.

    `mark` tells these vectors and settings from others; what is made of them lies in `place`.
    `spans` are all pieces, which cover the rows in order; there is no piece of parts without any.
    """

    folder: str
    mark: str
    parts: int
    dimension: int
    choice: IndexChoice
    seed: int
    memory_gib: float
    spans: tuple[PieceSpan, ...]

    @property
    def place(self) -> Path:
        """The folder of what is trained and filled."""
        return as_path(self.folder) / RUNNING_FOLDER / f"{_FOLDERS}{self.mark[:16]}"

    @property
    def trained_path(self) -> Path:
        """The index, trained and without vectors."""
        return self.place / _TRAINED

    def piece_path(self, span: PieceSpan) -> Path:
        """The index of the vectors of one span."""
        return self.place / f"{_PIECES}{span.number:05d}.index"

    def is_filled(self, span: PieceSpan) -> bool:
        """Whether a piece is whole."""
        return self.piece_path(span).exists()

    def vectors(self, first: int = 0, stop: int | None = None) -> VectorParts:
        """The vectors of parts `first` to `stop`, all by default.

        Raises:
            IndexFolderError: by what is returned, where a part cannot be read.
            OSError: the plan cannot be read.
        """
        with (self.place / _COUNTS).open("rb") as file:
            counts: Rows = np.load(io.BytesIO(file.read()), allow_pickle=False)
        some = counts[first:stop].tolist()
        return part_vectors(
            as_path(self.folder), some, self.dimension, first=first, total=self.parts
        )


def plan_filling(
    folder: Path,
    whole: WholeParts,
    choice: IndexChoice,
    *,
    seed: int,
    memory_gib: float,
    piece_bytes: int = PIECE_BYTES,
) -> Filling | None:
    """How workers fill the index of `choice`; None where there is too little for two of them.

    Also None where it is of a kind that they cannot fill. A plan that lies in `folder` from before
    is gone on with where it is of the same vectors and settings, and removed where it is not.

    Raises:
        IndexFolderError: FAISS is not installed, or the plan cannot be written.
        OSError: the vectors' files cannot be looked at.
    """
    faiss = load_faiss()
    index = new_index(whole.dimension, choice, faiss)
    if not has_plain_lists(index, faiss):
        return None
    count = int(whole.pictures.sum())
    rows = rows_of_pieces(count, index.invlists.code_size, piece_bytes)
    spans = cut_pieces(whole.pictures, rows)
    if len(spans) < 2:
        return None
    settings = {
        "files": identify_vectors(folder, len(whole)),
        "key": choice.key,
        "memory_gib": memory_gib,
        "pieces": [span.stop for span in spans],
        "seed": seed,
    }
    filling = Filling(
        folder=str(folder),
        mark=hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest(),
        parts=len(whole),
        dimension=whole.dimension,
        choice=choice,
        seed=seed,
        memory_gib=memory_gib,
        spans=tuple(spans),
    )
    remove_fillings(folder, but=filling)
    write_atomically(filling.place / _COUNTS, partial(_save, array=whole.pictures))
    return filling


def cut_pieces(pictures: Rows, rows: int) -> list[PieceSpan]:
    """Parts of so many `pictures`, in order, put together until a piece has at least `rows`.

    >>> cut_pieces(np.array([5, 0, 5, 7, 0, 2]), 6)
    [PieceSpan(number=0, first=0, stop=3, start=0, rows=10), PieceSpan(number=1, first=3, stop=4, \
start=10, rows=7), PieceSpan(number=2, first=4, stop=6, start=17, rows=2)]
    """
    stops = np.cumsum(pictures)
    spans: list[PieceSpan] = []
    first = start = 0
    while start < (stops[-1] if len(stops) else 0):
        stop = min(int(np.searchsorted(stops, start + rows)) + 1, len(stops))
        spans.append(PieceSpan(len(spans), first, stop, start, int(stops[stop - 1]) - start))
        first, start = stop, int(stops[stop - 1])
    return spans


def train_once(filling: Filling, *, fence: Fence | None = None) -> None:
    """Trains the index, on all cores, unless it lies there trained; the same on any machine.

    Raises:
        IndexFolderError, OSError: a part cannot be read, or the index not be written.
        FencedError: a later run has begun than that of `fence`.
    """
    if filling.trained_path.exists():
        return
    faiss = load_faiss()
    index = new_index(filling.dimension, filling.choice, faiss)
    sample = draw_sample(
        filling.vectors(), filling.choice, seed=filling.seed, memory_gib=filling.memory_gib
    )
    with threads_over_spans(count_cores()) as run:
        train_index(index, sample, seed=filling.seed, run=run, faiss=faiss)
    head = read_head(index, faiss)
    if fence is not None:
        fence.check()
    write_atomically(filling.trained_path, partial(_save_trained, head=head))


def fill_piece(filling: Filling, span: PieceSpan, *, fence: Fence | None = None) -> None:
    """Writes the piece of one span, unless it is whole; by one thread: there are many workers.

    Its codes are held in memory, and of the vectors a few thousand.

    Raises:
        IndexFolderError, OSError: a file cannot be read or written.
        FencedError: a later run has begun than that of `fence`.
    """
    if filling.is_filled(span):
        return
    faiss = load_faiss()
    index = _read_trained(filling)
    centres = faiss.downcast_index(index.quantizer).reconstruct_n(0, index.nlist)
    assigner = ListAssigner(centres, faiss=faiss)
    vectors = filling.vectors(span.first, span.stop)
    head = read_head(index, faiss)
    with threads_over_spans(1) as run:
        [(lists, codes)] = encode_in_runs(
            index, vectors, assigner, rows=span.rows, run=run, faiss=faiss
        )
    if fence is not None:
        fence.check()
    write_atomically(
        filling.piece_path(span),
        lambda path: write_piece(path, head, lists, codes, first=span.start),
    )


def merge_filling(filling: Filling, path: Path) -> None:
    """Writes the index of all pieces to `path`, which is here; of pieces a list is held at a time.

    Raises:
        IndexFolderError, OSError: a piece is missing or cut short, or a file cannot be written.
    """
    head = read_head(_read_trained(filling), load_faiss())
    with _pieces_here(filling) as place:
        pieces = [place / filling.piece_path(span).name for span in filling.spans]
        merge_pieces(pieces, head, path)


def remove_fillings(folder: Path, *, but: Filling | None = None) -> None:
    """Removes what workers trained and filled of the index in `folder`, all or all but one's."""
    running = folder / RUNNING_FOLDER
    for place in list(running.glob(f"{_FOLDERS}*")) if running.is_dir() else ():
        if but is not None and place == but.place:
            continue
        if not isinstance(place, StorePath):
            shutil.rmtree(place, ignore_errors=True)
            continue
        for name in place.files():
            (place / name).unlink(missing_ok=True)


@contextmanager
def _pieces_here(filling: Filling) -> Iterator[Path]:
    """The folder of the pieces, or a copy on this machine of one on a store."""
    place = filling.place
    if not isinstance(place, StorePath):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="pairloom-index-") as scratch:
        sync_folder(place, Path(scratch), wanted=lambda name: name.startswith(_PIECES))
        yield Path(scratch)


def _read_trained(filling: Filling) -> Any:
    faiss = load_faiss()
    data = np.frombuffer(filling.trained_path.read_bytes(), dtype=np.uint8)
    return faiss.deserialize_index(data)


def _save_trained(path: Path, *, head: ListFileHead) -> None:
    with path.open("wb") as file:
        head.write(file, np.zeros(head.lists, dtype=np.int64))


def _save(path: Path, *, array: Rows) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
