"""A finished index folder, open for search and look-up."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexes.captions import all_captions
from indexes.described import Stamp, read_finished, read_stamp, rewritten
from indexes.faiss_index import FaissIndex
from indexes.groups import current_groups
from indexes.layout import (
    INDEX_FILE,
    INDEX_PARAMETERS_FILE,
    STRUCTURE_BYTES,
    IndexFolderError,
    all_parts,
    read_json,
    show,
)
from indexes.lookup import RowLookup
from indexes.metadata import IndexMetadata, MetadataTable
from indexes.parts import PictureMetadata, Structures, gather_rows, load_array
from indexes.search import Rows, Vectors, check_queries, rescore
from indexes.storage.paths import as_path
from indexes.storage.store_path import StorePath
from indexes.stored import mirror_index, naming


@dataclass(frozen=True, kw_only=True)
class PictureRow(PictureMetadata):
    """One picture of the index, and its row there."""

    row: int


class PictureIndex:
    """A finished index folder. Get one from `open_index`.

    Nothing but the manifest and the sizes of the files is read until it is asked for. Vectors and
    metadata are memory-mapped, so that processes share them (of an index of an earlier version each
    holds the metadata). Pickled, it is its path and what tells it from another index there
    (`identity`; None where it was made before there were any): a worker process opens it again,
    once. A row is a picture's number, from 0; embeddings are unit vectors, float32, of length
    `dimension`.

    Raises:
        IndexFolderError: the folder is no index, or not finished; by its methods, where a file of
            the folder is broken, or the index was made anew since it was opened.
        IndexError: by its methods, where a row is not in [0, `len(index)`).

    >>> from pairloom import PictureIndex, open_index
    >>> index = open_index("small/index")
    >>> isinstance(index, PictureIndex), len(index), index.dimension
    (True, 200, 128)
    >>> index.row(4).caption
    'a small red chair on the left of a patterned background'
    >>> index.rows_with_caption("A small red chair on the left of a patterned background!")
    [4]
    >>> index.find("still-life-0-50-00000004"), index.find("no such key")
    (4, None)
    >>> index.embeddings([4, 0]).shape, index.structure(4).shape
    ((2, 128), (256,))
    """

    def __init__(self, folder: Path, place: Path | None = None) -> None:
        self._place = place or folder
        self._described = described = read_finished(folder)
        self.folder = folder
        self.dimension = described.dimension
        self.identity = described.identity
        self.description = described.content
        self._parts = all_parts(described.parts)
        self._files = IndexMetadata(folder, self._parts, mapped=described.mapped)

    def __len__(self) -> int:
        return self._described.pictures

    def __reduce__(self) -> tuple[object, tuple[str, str | None]]:
        return _open_again, (str(self._place), self.identity)

    def search(self, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        """The `k` best rows for each query; see `indexes.search.Index`.

        FAISS proposes; scores are computed anew from the stored embeddings, so that they depend on
        query and picture alone.

        Args:
            queries: unit vectors, float32 (n, `dimension`).
            k: how many rows for each, at least 1.

        Returns:
            Cosines, float32 (n, k), falling, and rows, int64 (n, k); where the index has fewer
            than `k` pictures, -inf and -1.

        Raises:
            ValueError: `queries` has another shape, or `k` is below 1.
        """
        queries = check_queries(queries, k, dimension=self.dimension)
        _, found = self._faiss.search(queries, min(k + self._faiss.spare(k), len(self)))
        return rescore(queries, found, self.embeddings, k=k)

    def row(self, row: int) -> PictureRow:
        """The metadata of one row."""
        return self.rows([row])[0]

    def rows(self, rows: Sequence[int] | Rows) -> list[PictureRow]:
        """The metadata of several rows, in their order; cheaper than one by one."""
        taken = self._metadata.rows(rows)
        found = []
        for row, values in zip(rows, taken, strict=True):
            values["reference"] = values.pop("image_path")
            found.append(PictureRow(row=int(row), **values))
        return found

    def embedding(self, row: int) -> Vectors:
        """The embedding of one row, float32 (d,)."""
        embedding: Vectors = self.embeddings([row])[0]
        return embedding

    def embeddings(self, rows: Sequence[int] | Rows) -> Vectors:
        """The embeddings of `rows`, float32 (n, d)."""
        return gather_rows(self._embeddings, self._starts, rows)

    def structure(self, row: int) -> Structures:
        """The structure map of one row, uint8 (256,)."""
        structure: Structures = self.structures([row])[0]
        return structure

    def structures(self, rows: Sequence[int] | Rows) -> Structures:
        """The structure maps of `rows`, uint8 (n, 256)."""
        return gather_rows(self._structures, self._starts, rows)

    def find(self, key: str) -> int | None:
        """The row of the picture `key`; None where the index does not have it."""
        rows = self._by_key.rows(key)
        return rows[0] if rows else None

    def rows_with_caption(self, text: str) -> list[int]:
        """All rows whose caption has exactly the words of `text`, in their order, rising."""
        return self._by_caption.rows(text)

    def key(self, row: int) -> str:
        """The key of one row."""
        return self._metadata.text("key", row)

    def content(self, row: int) -> str:
        """The hash of the encoded picture of one row."""
        return self._metadata.text("content_sha256", row)

    def captions(self, start: int = 0, stop: int | None = None) -> list[str]:
        """The captions of rows `start` to `stop`."""
        return self._texts("caption", start, stop)

    def all_captions(self, start: int = 0, stop: int | None = None) -> list[tuple[str, ...]]:
        """All that is said of rows `start` to `stop`, the caption first; see `all_captions`."""
        told = self._texts("alt_text", start, stop)
        return list(map(all_captions, self.captions(start, stop), told))

    def keys(self, start: int = 0, stop: int | None = None) -> list[str]:
        """The keys of rows `start` to `stop`."""
        return self._texts("key", start, stop)

    def groups(self, rows: Sequence[int] | Rows) -> list[str] | None:
        """The groups of near-copies that `rows` are in; None where `index` was not asked for any.

        Raises:
            IndexFolderError: they cannot be read.
        """
        found = current_groups(self.folder)
        return None if found is None else found.of(rows)

    def _texts(self, name: str, start: int, stop: int | None) -> list[str]:
        first, last, _ = slice(start, stop).indices(len(self))
        return [text for batch in self._metadata.texts(name, first, last) for text in batch]

    @cached_property
    def _metadata(self) -> MetadataTable:
        with self._described.reading():
            table = self._files.table
            self._check_rows(len(table), "metadata")
        return table

    @cached_property
    def _embeddings(self) -> list[Vectors]:
        paths = [part.embedding_path(self.folder) for part in self._parts]
        return self._load(paths, self.dimension, "float32")

    @cached_property
    def _structures(self) -> list[Structures]:
        paths = [part.structure_path(self.folder) for part in self._parts]
        return self._load(paths, STRUCTURE_BYTES, "uint8")

    @cached_property
    def _starts(self) -> Rows:
        return np.cumsum([0, *map(len, self._embeddings)])

    @cached_property
    def _faiss(self) -> FaissIndex:
        with self._described.reading():
            about = read_json(self.folder / INDEX_PARAMETERS_FILE)
            parameters = about.get("index_param", "")
            if not isinstance(parameters, str):
                path = self.folder / INDEX_PARAMETERS_FILE
                raise IndexFolderError(f"{path}: index_param must be text, got {show(parameters)}")
            index = FaissIndex(self.folder / INDEX_FILE, parameters=parameters)
            self._check_rows(len(index), "indexed vectors")
            if index.dimension != self.dimension:
                raise IndexFolderError(
                    f"{self.folder} must be of dimension {self.dimension}, got {index.dimension}"
                )
        return index

    @cached_property
    def _by_key(self) -> RowLookup:
        with self._described.reading():
            return self._files.by_key

    @cached_property
    def _by_caption(self) -> RowLookup:
        with self._described.reading():
            return self._files.by_caption

    def _load(self, paths: list[Path], width: int, kind: str) -> list[npt.NDArray[Any]]:
        """The arrays of all parts that have pictures."""
        with self._described.reading():
            arrays = {path: array for path in paths if len(array := load_array(path))}
            for path, array in arrays.items():
                if array.shape[1] != width or array.dtype.name != kind:
                    found = f"{array.shape[1]} {array.dtype}"
                    raise IndexFolderError(f"{path} must hold rows of {width} {kind}, got {found}")
            self._check_rows(sum(map(len, arrays.values())), f"rows in {paths[0].parent.name}")
        return list(arrays.values())

    def _check_rows(self, found: int, what: str) -> None:
        if found != len(self):
            raise IndexFolderError(f"{self.folder} must hold {len(self)} {what}, got {found}")


def open_index(
    path: str | Path,
    *,
    encoder: str | None = None,
    dimension: int | None = None,
    identity: str | None = None,
) -> PictureIndex:
    """The finished index in `path`, here or on a store; one and the same object while unchanged.

    With `encoder` or `dimension` given, the index must have been made with these; with `identity`,
    it must be the one that had this as its `PictureIndex.identity`.

    Raises:
        IndexFolderError: the folder is no index, not finished, damaged, or made with another
            encoder, or it is another index.

    >>> from pairloom import load_encoder, open_index
    >>> index = open_index("small/index")
    >>> query = load_encoder("stilllife").encode_texts(["a small red chair on the left"])
    >>> scores, rows = index.search(query, k=3)  # cosines, falling, and whose they are
    >>> scores.shape, rows.shape
    ((1, 3), (1, 3))
    >>> [row.caption for row in index.rows(rows[0])][0]
    'a small red chair on the left of a patterned background'
    """
    folder = as_path(path).resolve()
    local = mirror_index(folder) if isinstance(folder, StorePath) else folder
    with _OPENING, naming(folder, local):
        index = _opened(local, read_stamp(local), folder)
    if identity is not None and index.identity != identity:
        raise rewritten(folder)
    made_with = index.description.get("encoder")
    if encoder is not None and made_with != encoder:
        raise IndexFolderError(f"{folder} was made with the encoder {made_with}, not {encoder}")
    if dimension is not None and index.dimension != dimension:
        raise IndexFolderError(
            f"{folder} has embeddings of dimension {index.dimension}, not {dimension}"
        )
    return index


_OPENING = threading.Lock()


def _open_again(path: str, identity: str | None) -> PictureIndex:
    return open_index(path, identity=identity)


@lru_cache(maxsize=8)
def _opened(folder: Path, stamp: Stamp, place: Path) -> PictureIndex:
    """`stamp` tells a folder from one made anew in the same place."""
    del stamp
    return PictureIndex(folder, place)
