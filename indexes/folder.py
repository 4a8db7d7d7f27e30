"""A finished index folder, open for search and look-up."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from indexes.captions import caption_words, same_caption_key
from indexes.faiss_index import FaissIndex
from indexes.layout import (
    COMPLETED_FILE,
    INDEX_FILE,
    INDEX_PARAMETERS_FILE,
    IndexFolderError,
    all_parts,
    manifest_path,
    read_json,
)
from indexes.life_cycle import read_manifest
from indexes.lookup import RowLookup
from indexes.parts import METADATA_SCHEMA, PictureMetadata, Structures, load_array
from indexes.search import Rows, Vectors, check_queries, rescore

ScalarT = TypeVar("ScalarT", bound=np.generic)

SPARE_NEIGHBOURS = 16
"""So many more are asked of FAISS than wanted, for ties to be settled among."""


@dataclass(frozen=True, kw_only=True)
class PictureRow(PictureMetadata):
    """One picture of the index, and its row there."""

    row: int


class PictureIndex:
    """A finished index folder. Get one from `open_index`.

    Nothing but the manifest is read until it is asked for; vectors are memory-mapped, metadata are
    held as Arrow columns. Pickled, it is its path: a worker process opens it again, once. A row is
    a picture's number, from 0; embeddings are unit vectors, float32, of length `dimension`.

    Raises:
        IndexFolderError: the folder is no index, or not finished; by its methods, where a file of
            the folder is broken.
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

    def __init__(self, folder: Path) -> None:
        manifest = read_manifest(folder)
        if not (folder / COMPLETED_FILE).exists():
            raise IndexFolderError(f"{folder} is not finished: run the index command again")
        for name in ("dimension", "pictures", "parts"):
            if type(manifest.get(name)) is not int:
                path = manifest_path(folder)
                raise IndexFolderError(f"{path}: {name} must be a number, got {manifest.get(name)}")
        self.folder = folder
        self.dimension: int = manifest["dimension"]
        self._pictures: int = manifest["pictures"]
        self._parts = all_parts(manifest["parts"])
        own = {name: value for name, value in manifest.items() if name != "description"}
        self.description: dict[str, object] = manifest["description"] | own

    def __len__(self) -> int:
        return self._pictures

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return open_index, (str(self.folder),)

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
        _, found = self._faiss.search(queries, min(k + SPARE_NEIGHBOURS, len(self)))
        return rescore(queries, found, self.embeddings, k=k)

    def row(self, row: int) -> PictureRow:
        """The metadata of one row."""
        return self.rows([row])[0]

    def rows(self, rows: Sequence[int] | Rows) -> list[PictureRow]:
        """The metadata of several rows, in their order; cheaper than one by one."""
        taken = self._metadata.take(np.asarray(rows, dtype=np.int64)).to_pylist()
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
        return _gather(self._embeddings, self._starts, rows)

    def structure(self, row: int) -> Structures:
        """The structure map of one row, uint8 (256,)."""
        structure: Structures = self.structures([row])[0]
        return structure

    def structures(self, rows: Sequence[int] | Rows) -> Structures:
        """The structure maps of `rows`, uint8 (n, 256)."""
        return _gather(self._structures, self._starts, rows)

    def find(self, key: str) -> int | None:
        """The row of the picture `key`; None where the index does not have it."""
        rows = self._by_key.rows(key)
        return rows[0] if rows else None

    def rows_with_caption(self, text: str) -> list[int]:
        """All rows whose caption has exactly the words of `text`, in their order, rising."""
        return self._by_caption.rows(text)

    @cached_property
    def word_counts(self) -> Mapping[str, int]:
        """In how many captions each lower-cased word stands."""
        counts: Counter[str] = Counter()
        for caption, number in Counter(self.captions()).items():
            for word in set(caption_words(caption)):
                counts[word] += number
        return dict(counts)

    def key(self, row: int) -> str:
        """The key of one row."""
        key: str = self._metadata["key"][row].as_py()
        return key

    def content(self, row: int) -> str:
        """The hash of the encoded picture of one row."""
        content: str = self._metadata["content_sha256"][row].as_py()
        return content

    def captions(self, start: int = 0, stop: int | None = None) -> list[str]:
        """The captions of rows `start` to `stop`."""
        captions: list[str] = self._metadata["caption"][start:stop].to_pylist()
        return captions

    def keys(self, start: int = 0, stop: int | None = None) -> list[str]:
        """The keys of rows `start` to `stop`."""
        keys: list[str] = self._metadata["key"][start:stop].to_pylist()
        return keys

    @cached_property
    def _metadata(self) -> pa.Table:
        tables = []
        for part in self._parts:
            path = part.metadata_path(self.folder)
            try:
                tables.append(pq.read_table(path, columns=METADATA_SCHEMA.names))
            except (pa.ArrowException, OSError) as error:
                raise IndexFolderError(f"{path} cannot be read: {error}") from error
        table = pa.concat_tables(tables)
        self._check_rows(len(table), "metadata")
        return table.combine_chunks()

    @cached_property
    def _embeddings(self) -> list[Vectors]:
        return self._load([part.embedding_path(self.folder) for part in self._parts])

    @cached_property
    def _structures(self) -> list[Structures]:
        return self._load([part.structure_path(self.folder) for part in self._parts])

    @cached_property
    def _starts(self) -> Rows:
        return np.cumsum([0, *map(len, self._embeddings)])

    @cached_property
    def _faiss(self) -> FaissIndex:
        about = read_json(self.folder / INDEX_PARAMETERS_FILE)
        index = FaissIndex(self.folder / INDEX_FILE, parameters=about.get("index_param", ""))
        self._check_rows(len(index), "indexed vectors")
        if index.dimension != self.dimension:
            raise IndexFolderError(
                f"{self.folder} must be of dimension {self.dimension}, got {index.dimension}"
            )
        return index

    @cached_property
    def _by_key(self) -> RowLookup:
        return RowLookup(self._metadata["key"])

    @cached_property
    def _by_caption(self) -> RowLookup:
        return RowLookup(self._metadata["caption"], normalise=same_caption_key)

    def _load(self, paths: list[Path]) -> list[npt.NDArray[Any]]:
        """The arrays of all parts that have pictures."""
        arrays = [array for array in map(load_array, paths) if len(array)]
        self._check_rows(sum(map(len, arrays)), f"rows in {paths[0].parent.name}")
        return arrays

    def _check_rows(self, found: int, what: str) -> None:
        if found != len(self):
            raise IndexFolderError(f"{self.folder} must hold {len(self)} {what}, got {found}")


def open_index(
    path: str | Path, *, encoder: str | None = None, dimension: int | None = None
) -> PictureIndex:
    """The finished index in `path`; one and the same object in a process while it is unchanged.

    With `encoder` or `dimension` given, the index must have been made with these.

    Raises:
        IndexFolderError: the folder is no index, not finished, or made with another encoder.

    >>> from pairloom import load_encoder, open_index
    >>> index = open_index("small/index")
    >>> query = load_encoder("stilllife").encode_texts(["a small red chair on the left"])
    >>> scores, rows = index.search(query, k=3)  # cosines, falling, and whose they are
    >>> scores.shape, rows.shape
    ((1, 3), (1, 3))
    >>> [row.caption for row in index.rows(rows[0])][0]
    'a small red chair on the left of a patterned background'
    """
    folder = Path(path).resolve()
    completed = folder / COMPLETED_FILE
    stamp = completed.stat().st_mtime_ns if completed.exists() else 0
    with _OPENING:
        index = _opened(folder, stamp)
    made_with = index.description["encoder"]
    if encoder is not None and made_with != encoder:
        raise IndexFolderError(f"{folder} was made with the encoder {made_with}, not {encoder}")
    if dimension is not None and index.dimension != dimension:
        raise IndexFolderError(
            f"{folder} has embeddings of dimension {index.dimension}, not {dimension}"
        )
    return index


_OPENING = threading.Lock()


@lru_cache(maxsize=8)
def _opened(folder: Path, stamp: int) -> PictureIndex:
    """`stamp` tells a folder from one made anew in the same place."""
    del stamp
    return PictureIndex(folder)


def _gather(
    arrays: list[npt.NDArray[ScalarT]], starts: Rows, rows: Sequence[int] | Rows
) -> npt.NDArray[ScalarT]:
    wanted = np.asarray(rows, dtype=np.int64)
    if wanted.size and not 0 <= wanted.min() <= wanted.max() < starts[-1]:
        raise IndexError(f"rows must be in [0, {starts[-1]}), got {wanted.min()}..{wanted.max()}")
    gathered = np.empty((len(wanted), arrays[0].shape[1]), dtype=arrays[0].dtype)
    places = np.searchsorted(starts, wanted, side="right") - 1
    for place in np.unique(places):
        here = places == place
        gathered[here] = arrays[place][wanted[here] - starts[place]]
    return gathered
