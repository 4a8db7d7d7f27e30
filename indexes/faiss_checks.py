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
from indexes.parts import load_array

ROWS_AT_ONCE = 4096

LEAST_MEMORY = 2 << 30
MEMORY_A_BYTE = 4
"""Address space of the process that reads an index, for every byte of the file, and at least."""
LEAST_SECONDS = 120
BYTES_A_SECOND = 10 << 20


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
    size = path.stat().st_size
    words = [str(path), parameters, str(LEAST_MEMORY + MEMORY_A_BYTE * size)]
    words += [str(part.embedding_path(described.folder)) for part in all_parts(described.parts)]
    try:
        ended = subprocess.run(
            [sys.executable, "-m", __name__],
            input=json.dumps(words),
            capture_output=True,
            text=True,
            timeout=LEAST_SECONDS + size / BYTES_A_SECOND,
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

    Raises:
        IndexFolderError: it cannot be read.
    """
    FaissIndex(path, parameters=parameters)
    faiss = load_faiss()
    owner = faiss.read_index(str(path))
    index = faiss.downcast_index(owner)  # lives as long as the one who owns it
    if not isinstance(index, faiss.IndexIVFFlat):
        return [f"{INDEX_FILE} must be flat or have inverted lists with flat codes"]
    arrays = [array for array in map(load_array, embeddings) if len(array)]
    vectors = np.concatenate(arrays)
    seen = np.zeros(len(vectors), dtype=np.int64)
    lists = index.invlists
    if lists.code_size != vectors.shape[1] * 4 or lists.nlist != index.nlist:
        return [f"{INDEX_FILE} must have codes of {vectors.shape[1] * 4} bytes"]
    for number in range(index.nlist):
        size = lists.list_size(number)
        if not size:
            continue
        ids = faiss.rev_swig_ptr(lists.get_ids(number), size).copy()
        codes = faiss.rev_swig_ptr(lists.get_codes(number), size * lists.code_size).copy()
        if ids.min() < 0 or ids.max() >= len(vectors):
            return [f"{INDEX_FILE}: list {number} must hold rows in [0, {len(vectors)})"]
        np.add.at(seen, ids, 1)
        if (codes.view("<f4").reshape(size, -1) != vectors[ids]).any():
            return [f"{INDEX_FILE}: list {number} must hold the vectors of the parts"]
    if (seen != 1).any():
        return [f"{INDEX_FILE} must hold row {int((seen != 1).argmax())} once"]
    return []


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
