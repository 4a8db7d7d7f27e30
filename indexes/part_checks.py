"""Checks of one part of an index: that its three files agree and hold what a part can hold."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from indexes.described import DescribedIndex
from indexes.layout import STRUCTURE_BYTES, IndexFolderError, Part, show
from indexes.metadata import EARLIER_SCHEMA
from indexes.parts import METADATA_SCHEMA, load_array, read_about

ROWS_AT_ONCE = 4096
LENGTH_TOLERANCE = 1e-3
"""Embeddings are normalised in float32, some of them from half precision."""

MOST_EXPANSION = 1000
"""Metadata that take so many times their size in memory are no pictures' metadata."""
SPARE_BYTES = 16 << 20

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEXTS = tuple(field.name for field in METADATA_SCHEMA if field.type == pa.string())
_NEEDED = tuple(field.name for field in METADATA_SCHEMA if not field.nullable)
_RANGES = {
    "width": (1, 1 << 30),
    "height": (1, 1 << 30),
    "position": (0, 1 << 62),
    "caption_confidence": (0, 1),
    "watermark": (-1e30, 1e30),
    "similarity": (-1e30, 1e30),
}
_UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, MemoryError)
_MOST_TOLD = 20

Tell = Callable[[str], None]


def check_part(described: DescribedIndex, part: Part, tell: Tell) -> Counter[str]:
    """The counts that a part was written with; all that is wrong with its files is told."""
    folder = described.folder
    problems: list[str] = []
    counts: Counter[str] = Counter()
    try:
        structures = load_array(part.structure_path(folder))
        embeddings = load_array(part.embedding_path(folder))
        rows = len(embeddings)
        problems += _array_problems(part.structure_path(Path()), structures, STRUCTURE_BYTES, "|u1")
        if rows:
            # A part without pictures has no say in the dimension.
            place = part.embedding_path(Path())
            problems += _array_problems(place, embeddings, described.dimension, "<f4")
        if len(structures) != rows:
            problems.append(f"{part.structure_path(Path())} must have {rows} rows")
        if not problems:
            problems += _vector_problems(part.embedding_path(Path()), embeddings)
        counts = _check_metadata(described, part, rows, problems.append)
        problems += _reject_problems(part, folder, counts)
    except IndexFolderError as error:
        problems.append(str(error))
    for problem in problems[:_MOST_TOLD]:
        tell(problem)
    if len(problems) > _MOST_TOLD:
        tell(f"part {part.label}: {len(problems) - _MOST_TOLD} more problems")
    return counts


def _array_problems(name: Path, array: npt.NDArray[Any], width: int, kind: str) -> Iterator[str]:
    if array.dtype.str != kind or array.shape[1] != width:
        yield f"{name} must hold rows of {width} {kind}, got {array.shape[1]} {array.dtype.str}"
    elif not array.flags.c_contiguous:
        yield f"{name} must hold row after row"


def _vector_problems(name: Path, embeddings: npt.NDArray[Any]) -> Iterator[str]:
    """One line for each vector that is not of unit length."""
    for start in range(0, len(embeddings), ROWS_AT_ONCE):
        block = np.asarray(embeddings[start : start + ROWS_AT_ONCE], dtype=np.float64)
        lengths = np.sqrt((block * block).sum(axis=1))
        # NaN is not near anything.
        for row in np.flatnonzero(~(np.abs(lengths - 1) <= LENGTH_TOLERANCE)):
            yield f"{name}: row {start + row} must be of length 1, got {lengths[row]:.4g}"


def _check_metadata(described: DescribedIndex, part: Part, rows: int, tell: Tell) -> Counter[str]:
    name, path = part.metadata_path(Path()), part.metadata_path(described.folder)
    try:
        texts = [each for each in pq.read_schema(path).names if each in _TEXTS]
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            about = read_about(file.metadata.metadata or {})
            if about.get("fingerprint") != described.mark:
                tell(f"{name} was made for another description")
            counts = _read_counts(about, rows, name, tell)
            problem = _table_problem(file, rows, path.stat().st_size)
            if problem is not None:
                tell(f"{name} {problem}")
                return counts
            _check_rows(file, name, tell)
            return counts
    except _UNREADABLE as error:
        tell(f"{name} cannot be read: {' '.join(str(error).split())[:200]}")
    return Counter()


def _read_counts(about: Mapping[str, Any], rows: int, name: Path, tell: Tell) -> Counter[str]:
    found = about.get("counts")
    if not isinstance(found, dict) or any(type(n) is not int or n < 0 for n in found.values()):
        tell(f"{name}: counts must be numbers >= 0 by name, got {show(found)}")
        return Counter()
    if found.get("indexed", rows) != rows:
        tell(f"{name}: counts must have the {rows} pictures as indexed, got {found['indexed']}")
    return Counter(found)


def _reject_problems(part: Part, folder: Path, counts: Counter[str]) -> Iterator[str]:
    """What does not fit in the file of the pictures that the part does not hold, if it is kept."""
    path = part.rejects_path(folder)
    if not path.is_file() or "sources" not in counts:
        return
    wanted = counts["sources"] - counts["indexed"]
    try:
        found = pq.read_metadata(path).num_rows
    except _UNREADABLE as error:
        yield f"{part.rejects_path(Path())} cannot be read: {' '.join(str(error).split())[:200]}"
        return
    if found != wanted:
        yield f"{part.rejects_path(Path())} must have {wanted} rows, got {found}"


def _table_problem(file: pq.ParquetFile, rows: int, size: int) -> str | None:
    """What keeps the rows of a metadata file from being read."""
    if file.metadata.num_rows != rows:
        return f"must have {rows} rows, got {file.metadata.num_rows}"
    # Read as dictionaries, texts take no more memory than the file has of them.
    found = {field.name: _plain(field.type) for field in file.schema_arrow}
    # A part may be of an earlier layout than the index, which was begun before and gone on with.
    known = ({f.name: f.type for f in schema} for schema in (METADATA_SCHEMA, EARLIER_SCHEMA))
    if found not in known or len(file.schema_arrow) != len(found):
        return f"must have the columns {', '.join(METADATA_SCHEMA.names)} of their types"
    return size_problem(file, size)


def size_problem(file: pq.ParquetFile, size: int) -> str | None:
    """What is wrong with how much memory a file of `size` bytes says that it takes."""
    claimed = sum(
        file.metadata.row_group(number).total_byte_size
        for number in range(file.metadata.num_row_groups)
    )
    if not 0 <= claimed <= size * MOST_EXPANSION + SPARE_BYTES:
        return f"must not take {claimed} bytes in memory, it has {size}"
    return None


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _check_rows(file: pq.ParquetFile, name: Path, tell: Tell) -> None:
    keys: set[str] = set()
    row = 0
    for batch in file.iter_batches(ROWS_AT_ONCE, use_threads=False):
        batch.validate(full=True)  # among others, that texts are UTF-8
        missing = [column for column in _NEEDED if batch.column(column).null_count]
        if missing:
            tell(f"{name}: {', '.join(missing)} must not be missing, from row {row} on")
            return
        for problem in _number_problems(batch):
            tell(f"{name}: row {row}: {problem}")
        for place in range(batch.num_rows):
            key = batch.column("key")[place].as_py()
            if not key or key in keys:
                tell(f"{name}: row {row + place}: key must be unique text, got {show(key)}")
            keys.add(key)
            content = batch.column("content_sha256")[place].as_py()
            if not _SHA256.fullmatch(content):
                tell(
                    f"{name}: row {row + place}: content_sha256 must be 64 digits, {show(content)}"
                )
        row += batch.num_rows


def _number_problems(batch: pa.RecordBatch) -> Iterator[str]:
    """One line for each column of numbers with one that is out of its range."""
    for name, (least, most) in _RANGES.items():
        if name not in batch.schema.names:
            continue
        column = batch.column(name).drop_null().to_numpy(zero_copy_only=False)
        wrong = column[~((column >= least) & (column <= most))]  # NaN is in no range
        if len(wrong):
            yield f"{name} must be in [{least}, {most}], got {wrong[0]}"
