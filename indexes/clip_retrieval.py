"""Folders that `clip-retrieval inference` and `clip-retrieval index` wrote, as stored embeddings.

    img_emb/img_emb_{i}.npy          float16 or float32 (n, d), as inference wrote them
    metadata/metadata_{i}.parquet    one row a picture, same order; `image_path` says which
    image.index                      FAISS index; read where there are no img_emb

`image_path` is the path of a file, or the key of a WebDataset's sample. A folder of `index` alone
holds vectors only in its FAISS index, from which they are taken where it keeps them unchanged.
"""

import re
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from indexes.faiss_index import load_faiss
from indexes.layout import EMBEDDING_FOLDER, INDEX_FILE, METADATA_FOLDER, IndexFolderError
from indexes.lookup import RowLookup, hash_texts, lookup_table
from indexes.parquet.reading import ARROW_ERRORS, ParquetError, one_line, read_table
from indexes.parts import gather_rows, load_array
from indexes.search import Rows, Vectors
from indexes.storage.cache import mirror
from indexes.storage.paths import as_path
from indexes.storage.store_path import StorePath
from indexes.stored import naming

_ARRAY = re.compile(r"img_emb_(\d+)\.npy")
_METADATA = re.compile(r"metadata_(\d+)\.parquet")
_KINDS = ("float16", "float32", "float64")
_LOSSLESS = ("IndexFlat", "IndexIVFFlat", "IndexHNSWFlat")
_IMAGE_PATH = "image_path"


class StoredEmbeddings:
    """The picture embeddings of a folder of clip-retrieval's. Get one from `open_embeddings`.

    Vectors are memory-mapped; of the metadata the column `image_path` is held. Pickled, it is its
    path. `dimension` is that of the vectors; which encoder made them no file says.

    Raises:
        IndexFolderError: the folder holds no such embeddings, or they and their metadata do not go
            together.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        local = _fetched(folder)
        with naming(folder, local):
            arrays, names = _read_parts(local)
        self._arrays = [array for array in arrays if len(array)]
        if not self._arrays:
            raise IndexFolderError(f"{folder} holds no embeddings")
        dimensions = sorted({array.shape[1] for array in self._arrays})
        if len(dimensions) > 1:
            raise IndexFolderError(f"{folder} must have one dimension, got {dimensions}")
        self.dimension = int(dimensions[0])
        self._starts: Rows = np.cumsum([0, *map(len, self._arrays)])
        self._names = names
        if len(names) != len(self):
            raise IndexFolderError(
                f"{folder} must have as many rows of metadata as embeddings, "
                f"got {len(names)} and {len(self)}"
            )

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __reduce__(self) -> tuple[Callable[[str], "StoredEmbeddings"], tuple[str]]:
        return open_embeddings, (str(self.folder),)

    def name(self, row: int) -> str:
        """The `image_path` of one row."""
        name: str = self._names[row].as_py()
        return name

    def find(self, names: Sequence[str]) -> int | None:
        """The row of the picture that goes by one of `names`: a key, or a path.

        Of a path the last parts are compared, as far as both have any: folders may have been moved.
        None where no row fits, or several do.
        """
        fitting = {
            row
            for name in names
            for row in self._by_last_part.rows(name)
            if _same_end(name, self.name(row))
        }
        return fitting.pop() if len(fitting) == 1 else None

    def embedding(self, row: int) -> Vectors | None:
        """The embedding of one row as a unit vector, float32 (d,); None where it has no direction.

        Raises:
            IndexError: `row` is not in [0, `len(self)`).
        """
        [stored] = gather_rows(self._arrays, self._starts, [row])
        vector = stored.astype(np.float64)
        length = np.linalg.norm(vector)
        if not np.isfinite(length) or length == 0:
            return None
        unit: Vectors = (vector / length).astype(np.float32)
        return unit

    @cached_property
    def _by_last_part(self) -> RowLookup:
        table = lookup_table(hash_texts(_last_part(name.as_py()) for name in self._names))
        return RowLookup(table, self.name, normalise=_last_part)


def _last_part(name: str) -> str:
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2]


def _same_end(one: str, other: str) -> bool:
    """Whether the shorter of two paths is the end of the longer, part by part."""
    ends = [
        [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")][::-1]
        for name in (one, other)
    ]
    return all(first == second for first, second in zip(*ends, strict=False))


@lru_cache(maxsize=4)
def _opened(folder: Path) -> StoredEmbeddings:
    return StoredEmbeddings(folder)


def open_embeddings(folder: str | Path) -> StoredEmbeddings:
    """The embeddings in `folder`, here or on a store; one and the same object in a process.

    Raises:
        IndexFolderError: as `StoredEmbeddings`.
    """
    return _opened(as_path(folder).resolve())


def _fetched(folder: Path) -> Path:
    """The folder itself, or, of one on a store, its mirror with the files that are read."""
    if not isinstance(folder, StorePath):
        return folder
    wanted = {path.relative_to(folder).as_posix() for path in embedding_files(folder)}
    try:
        return mirror(folder, wanted=wanted.__contains__)
    except OSError as error:
        raise IndexFolderError(str(error)) from error


def embedding_files(folder: Path) -> list[Path]:
    """The files that `open_embeddings` reads, in the order of their rows.

    Raises:
        IndexFolderError: there are none.
    """
    arrays, index = _find(folder, _ARRAY, EMBEDDING_FOLDER), folder / INDEX_FILE
    if not arrays and not index.is_file():
        raise IndexFolderError(
            f"{folder} holds no embeddings of clip-retrieval: neither "
            f"{EMBEDDING_FOLDER}/img_emb_0.npy nor {INDEX_FILE} is there"
        )
    return [*(arrays or [index]), *_find_metadata(folder)]


def _find_metadata(folder: Path) -> list[Path]:
    tables = _find(folder, _METADATA, METADATA_FOLDER)
    if not tables:
        raise IndexFolderError(
            f"{folder} holds no {METADATA_FOLDER}/metadata_0.parquet, which says what pictures "
            "there are"
        )
    return tables


def _find(folder: Path, pattern: re.Pattern[str], below: str) -> list[Path]:
    """Files of that name, sorted by it as clip-retrieval sorts them."""
    try:
        paths = list((folder / below).iterdir()) if (folder / below).is_dir() else []
    except OSError as error:
        raise IndexFolderError(f"{folder} cannot be listed: {error.strerror}") from error
    return sorted(path for path in paths if pattern.fullmatch(path.name))


def _read_parts(folder: Path) -> tuple[list[npt.NDArray[Any]], pa.ChunkedArray]:
    embedding_files(folder)
    tables = {path: _read_names(path) for path in _find_metadata(folder)}
    arrays = {path: _load(path) for path in _find(folder, _ARRAY, EMBEDDING_FOLDER)}
    if not arrays:
        return [_reconstruct(folder / INDEX_FILE)], _join(list(tables.values()))
    by_number = {_number(_METADATA, path): column for path, column in tables.items()}
    for path, array in arrays.items():
        column = by_number.get(_number(_ARRAY, path))
        if column is None or len(column) != len(array):
            got = "none" if column is None else str(len(column))
            raise IndexFolderError(f"{path} must have {len(array)} rows of metadata, got {got}")
    return list(arrays.values()), _join([by_number[_number(_ARRAY, path)] for path in arrays])


def _number(pattern: re.Pattern[str], path: Path) -> int:
    found = pattern.fullmatch(path.name)
    assert found is not None
    return int(found[1])


def _join(columns: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())


def _load(path: Path) -> npt.NDArray[Any]:
    array = load_array(path)
    if array.dtype.name not in _KINDS:
        raise IndexFolderError(f"{path} must hold one of {', '.join(_KINDS)}, got {array.dtype}")
    return array


def _read_names(path: Path) -> pa.ChunkedArray:
    try:
        column = read_table(path, [_IMAGE_PATH])[_IMAGE_PATH]
        if column.null_count:
            raise IndexFolderError(f"{path} must say the {_IMAGE_PATH} of every row")
        return column.cast(pa.string())
    except (ParquetError, *ARROW_ERRORS) as error:
        raise IndexFolderError(f"{path} cannot be read: {one_line(error)}") from error


def _reconstruct(path: Path) -> Vectors:
    """The vectors of a FAISS index that keeps them as they were."""
    faiss = load_faiss()
    try:
        # What is cast is a view, and dies with what it is a view of.
        owner = faiss.read_index(str(path))
        index = faiss.downcast_index(owner)
    except RuntimeError as error:
        raise IndexFolderError(f"{path} cannot be read: {one_line(error)}") from error
    kind = type(index).__name__
    if not kind.startswith(_LOSSLESS):
        raise IndexFolderError(
            f"{path} is an {kind}, which keeps its vectors changed: name the folder of "
            "`clip-retrieval inference`, which has them as they were"
        )
    if isinstance(index, faiss.IndexIVF):
        index.make_direct_map()
    vectors: Vectors = index.reconstruct_n(0, index.ntotal)
    return vectors
