"""Checks of the FAISS index of a folder: that it holds the vectors of the parts, each once.

A flat index is read here, byte by byte. Any other is read by FAISS, in a process of its own with
bounded memory and time: its reader believes what a file says of its sizes.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from indexes.described import DescribedIndex
from indexes.faiss_index import (
    FLAT,
    FLAT_HEADER_BYTES,
    INNER_PRODUCT,
    FaissHeader,
    FaissIndex,
    flat_bytes,
    load_faiss,
    read_header,
)
from indexes.layout import (
    INDEX_FILE,
    INDEX_PARAMETERS_FILE,
    IndexFolderError,
    all_parts,
    read_json,
    show,
)
from indexes.list_codes import encode
from indexes.parts import gather_rows, load_array

ROWS_AT_ONCE = 4096

LEAST_MEMORY = 2 << 30
MEMORY_A_BYTE = 4
"""Address space of the process that reads an index, for every byte of the file, and at least."""
LEAST_SECONDS = 120
BYTES_A_SECOND = 10 << 20

CODE_TOLERANCE = 1e-5
"""Squared distances of parts of unit vectors are as equal as this where rounding decides."""


Tell = Callable[[str], None]


def check_faiss(described: DescribedIndex, tell: Tell) -> None:
    """Tells all that is wrong with `image.index` and `image.json`; the parts are whole."""
    path = described.folder / INDEX_FILE
    try:
        about = read_json(described.folder / INDEX_PARAMETERS_FILE)
        header = read_header(path)
    except IndexFolderError as error:
        tell(str(error))
        return
    sizes = {
        "index_path": INDEX_FILE,
        "nb vectors": described.pictures,
        "size in bytes": path.stat().st_size,
        "vectors dimension": described.dimension,
    }
    for name, wanted in sizes.items():
        if about.get(name) != wanted or isinstance(about.get(name), bool):
            tell(f"{INDEX_PARAMETERS_FILE}: {name} must be {wanted}, got {show(about.get(name))}")
    wanted = FaissHeader(header.kind, described.dimension, described.pictures, INNER_PRODUCT)
    if header != wanted:
        tell(
            f"{INDEX_FILE} must hold {wanted.count} vectors of dimension {wanted.dimension} by "
            f"inner product, got {header.count} of {header.dimension}, metric {header.metric}"
        )
    elif header.kind == FLAT:
        for problem in _flat_problems(path, described):
            tell(problem)
    else:
        for problem in _ask_faiss(path, described, str(about.get("index_param", ""))):
            tell(problem)


def _blocks(described: DescribedIndex) -> Iterator[npt.NDArray[Any]]:
    """The embeddings of all parts in order, some rows at a time."""
    for part in all_parts(described.parts):
        array = load_array(part.embedding_path(described.folder))
        for start in range(0, len(array), ROWS_AT_ONCE):
            yield array[start : start + ROWS_AT_ONCE]


def _flat_problems(path: Path, described: DescribedIndex) -> Iterator[str]:
    """What is wrong with a flat index, whose header is right."""
    size = flat_bytes(described.pictures, described.dimension)
    if path.stat().st_size != size:
        yield f"{INDEX_FILE} must have {size} bytes, got {path.stat().st_size}"
        return
    row = 0
    with path.open("rb") as file:
        file.seek(FLAT_HEADER_BYTES)
        for block in _blocks(described):
            if file.read(block.nbytes) != block.tobytes():
                yield f"{INDEX_FILE}: rows {row} to {row + len(block)} must be those of the parts"
                return
            row += len(block)


def _ask_faiss(path: Path, described: DescribedIndex, parameters: str) -> list[str]:
    """What is wrong with an index that FAISS must read: asked of another process."""
    embeddings = [part.embedding_path(described.folder) for part in all_parts(described.parts)]
    size = path.stat().st_size
    mapped = sum(each.stat().st_size for each in embeddings)
    words = [str(path), parameters, str(LEAST_MEMORY + MEMORY_A_BYTE * size + mapped)]
    words += map(str, embeddings)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", __name__],
            input=json.dumps(words),
            capture_output=True,
            text=True,
            timeout=LEAST_SECONDS + (size + mapped) / BYTES_A_SECOND,
        )
    except subprocess.TimeoutExpired:
        return [f"{INDEX_FILE} cannot be read in time: it is not what it says"]
    lines = ended.stdout.splitlines()
    if ended.returncode != 0 or not lines:
        return [f"{INDEX_FILE} cannot be read: FAISS ended with {ended.returncode}"]
    problems: list[str] = json.loads(lines[-1])
    return problems


def list_problems(path: Path, embeddings: list[Path], parameters: str) -> list[str]:
    """What is wrong with an index of inverted lists over the rows of `embeddings`.

    Vectors are read list by list from the memory-mapped parts; a byte a row is held.

    Raises:
        IndexFolderError: it cannot be read.
    """
    FaissIndex(path, parameters=parameters)
    faiss = load_faiss()
    owner = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    index = faiss.downcast_index(owner)  # lives as long as the one who owns it
    kinds = (faiss.IndexIVFFlat, faiss.IndexIVFScalarQuantizer, faiss.IndexIVFPQ)
    if type(index) not in kinds:
        return [f"{INDEX_FILE} must be flat or have inverted lists of vectors or their codes"]
    arrays = [array for array in map(load_array, embeddings) if len(array)]
    starts = np.cumsum([0, *map(len, arrays)])
    lists = index.invlists
    if lists.code_size != index.code_size or lists.nlist != index.nlist:
        return [f"{INDEX_FILE} must have {index.nlist} lists of codes of {index.code_size} bytes"]
    if type(index) is faiss.IndexIVFFlat and index.code_size != arrays[0].shape[1] * 4:
        return [f"{INDEX_FILE} must have codes of {arrays[0].shape[1] * 4} bytes"]
    seen = np.zeros(starts[-1], dtype=bool)
    for number in range(index.nlist):
        size = lists.list_size(number)
        if not size:
            continue
        ids = faiss.rev_swig_ptr(lists.get_ids(number), size).copy()
        codes = faiss.rev_swig_ptr(lists.get_codes(number), size * lists.code_size)
        codes = codes.reshape(size, -1)
        if ids.min() < 0 or ids.max() >= len(seen):
            return [f"{INDEX_FILE}: list {number} must hold rows in [0, {len(seen)})"]
        if seen[ids].any() or len(np.unique(ids)) < size:
            return [f"{INDEX_FILE}: list {number} must hold rows that no other place has"]
        seen[ids] = True
        for first in range(0, size, ROWS_AT_ONCE):
            block = gather_rows(arrays, starts, ids[first : first + ROWS_AT_ONCE])
            if not _are_codes_of(block, codes[first : first + ROWS_AT_ONCE], number, index, faiss):
                return [f"{INDEX_FILE}: list {number} must hold the vectors of the parts"]
    if not seen.all():
        return [f"{INDEX_FILE} must hold row {int((~seen).argmax())} once"]
    return []


def _are_codes_of(
    vectors: npt.NDArray[Any], codes: npt.NDArray[Any], number: int, index: Any, faiss: Any
) -> bool:
    """Whether `codes` (n, bytes) are how list `number` of `index` keeps `vectors` (n, d).

    Among product codes that are as near as one another, another processor may choose another.
    """
    lists = np.full(len(vectors), number, dtype=np.int64)
    wanted = np.empty_like(codes)
    encode(index, vectors, lists, wanted, faiss=faiss)
    other = np.flatnonzero((codes != wanted).any(axis=1))
    if not len(other):
        return True
    if type(index) is not faiss.IndexIVFPQ:
        return False
    centre = index.quantizer.reconstruct(number) if index.by_residual else np.float32(0)
    exact = vectors[other] - centre
    found = index.pq.decode(np.ascontiguousarray(codes[other]))
    nearest = index.pq.decode(wanted[other])
    further = ((found - exact) ** 2).sum(axis=1) - ((nearest - exact) ** 2).sum(axis=1)
    return bool((further <= CODE_TOLERANCE).all())


def main() -> None:
    """Reads what `_ask_faiss` wrote and prints the problems, as one line of JSON."""
    path, parameters, memory, *embeddings = json.load(sys.stdin)
    import faiss  # noqa: F401 - its libraries take address space that no file has a say in

    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    try:
        problems = list_problems(Path(path), [Path(name) for name in embeddings], parameters)
    except IndexFolderError as error:
        problems = [str(error)]
    except MemoryError:
        problems = [f"{INDEX_FILE} must not take {memory} bytes to read"]
    print(json.dumps(problems))


if __name__ == "__main__":
    main()
