"""Files of inverted lists as FAISS reads them, written and merged without being held in memory.

FAISS's file of an index is what all its lists share (centres, codebooks), then the lists one after
another: of each the codes of its vectors, then their ids. `ListFileHead` is the first; a file of
some of the vectors, under the ids that they have among all, is a piece, and pieces are merged list
by list.
"""

import contextlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np

from indexes.index_choice import ID_BYTES
from indexes.layout import IndexFolderError
from indexes.list_assignment import Lists
from indexes.list_codes import Codes

_COUNT_AT = 8
"""Where in a file the number of its vectors stands: after a name and the dimension."""
_LISTS = struct.Struct("<4sQQ4sQ")
"""How inverted lists begin: a name, lists, bytes of a code, how sizes are told, how many."""
_ARRAYS, _ALL_SIZES, _FILLED_SIZES = b"ilar", b"full", b"sprs"
_COPIED_AT_ONCE = 4 << 20


@dataclass(frozen=True)
class ListFileHead:
    """What stands in a file before its lists: `shared` of a trained index without vectors."""

    shared: bytes
    lists: int
    code_bytes: int

    def write(self, file: BinaryIO, sizes: Lists) -> None:
        """Writes it for lists of `sizes`, as FAISS does."""
        count = struct.pack("<q", int(sizes.sum()))
        file.write(self.shared[:_COUNT_AT] + count + self.shared[_COUNT_AT + len(count) :])
        filled = np.flatnonzero(sizes)
        if len(filled) > self.lists // 2:
            kind, told = _ALL_SIZES, sizes
        else:
            kind, told = _FILLED_SIZES, np.stack([filled, sizes[filled]], axis=1).ravel()
        file.write(_LISTS.pack(_ARRAYS, self.lists, self.code_bytes, kind, len(told)))
        file.write(np.ascontiguousarray(told, dtype="<u8").tobytes())


def read_head(index: Any, faiss: ModuleType) -> ListFileHead:
    """The head of files of `index`, which FAISS holds trained and without vectors.

    Raises:
        IndexFolderError: FAISS writes its lists in another form than is known here.
    """
    writer = faiss.VectorIOWriter()
    faiss.write_index(index, writer)
    written: bytes = faiss.vector_to_array(writer.data).tobytes()
    lists, code_bytes = int(index.nlist), int(index.invlists.code_size)
    ending = _LISTS.pack(_ARRAYS, lists, code_bytes, _FILLED_SIZES, 0)
    if not written.endswith(ending) or index.ntotal:
        raise IndexFolderError(
            f"FAISS {faiss.__version__} must write inverted lists as 1.10 to 1.15 do"
        )
    return ListFileHead(written[: -len(ending)], lists, code_bytes)


def write_piece(
    path: Path, head: ListFileHead, lists: Lists, codes: Codes, *, first: int = 0
) -> None:
    """Writes a file of vectors with the ids `first`, `first` + 1, ...: of each list and code."""
    order = np.argsort(lists, kind="stable")
    sizes = np.bincount(lists, minlength=head.lists)
    with path.open("wb") as file:
        head.write(file, sizes)
        for stop, size in zip(np.cumsum(sizes), sizes, strict=True):
            if size:
                ids = order[stop - size : stop]
                file.write(codes[ids].tobytes())
                file.write((ids + first).astype("<i8").tobytes())


def merge_pieces(pieces: Sequence[Path], head: ListFileHead, path: Path) -> None:
    """Writes one file of all `pieces`, whose ids rise from piece to piece.

    Every piece is read once from beginning to end, a few megabytes of a list at a time.

    Raises:
        OSError: a file cannot be read or written.
        IndexFolderError: a piece is cut short.
    """
    with contextlib.ExitStack() as opened:
        files = [opened.enter_context(piece.open("rb")) for piece in pieces]
        sizes = np.stack([_read_sizes(file, head) for file in files])
        with path.open("wb") as merged:
            head.write(merged, sizes.sum(axis=0))
            for number in np.flatnonzero(sizes.sum(axis=0)):
                ids = []
                for file, size in zip(files, sizes[:, number].tolist(), strict=True):
                    for chunk in _read_chunks(file, size * head.code_bytes):
                        merged.write(chunk)
                    ids.append(_read(file, size * ID_BYTES))
                merged.write(b"".join(ids))


def _read_sizes(file: BinaryIO, head: ListFileHead) -> Lists:
    """The sizes of the lists of a piece; leaves `file` where the lists begin."""
    file.seek(len(head.shared))
    _, lists, _, kind, told = _LISTS.unpack(_read(file, _LISTS.size))
    numbers = np.frombuffer(_read(file, told * 8), "<u8").astype(np.int64)
    if kind == _ALL_SIZES:
        return numbers
    sizes = np.zeros(lists, dtype=np.int64)
    sizes[numbers[::2]] = numbers[1::2]
    return sizes


def _read_chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    for start in range(0, size, _COPIED_AT_ONCE):
        yield _read(file, min(_COPIED_AT_ONCE, size - start))


def _read(file: BinaryIO, size: int) -> bytes:
    found = file.read(size)
    if len(found) != size:
        raise IndexFolderError(f"{getattr(file, 'name', 'a piece')} is cut short")
    return found
