"""Checks of the memory-mapped metadata of an index: that they say what its parts say."""

import filecmp
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from indexes.layout import (
    CAPTION_ROWS_FILE,
    KEY_ROWS_FILE,
    METADATA_FILE,
    IndexFolderError,
    Part,
)
from indexes.metadata import (
    map_metadata,
    metadata_batches,
    with_later_columns,
    write_metadata,
)


def metadata_problems(folder: Path, parts: Sequence[Part]) -> Iterator[str]:
    """What is wrong with the files in `lookup` of an index whose parts are whole."""
    try:
        stored = map_metadata(folder / METADATA_FILE)
    except IndexFolderError as error:
        yield str(error)
        return
    row = 0
    for found, wanted in itertools.zip_longest(stored, metadata_batches(folder, parts)):
        if found is None or wanted is None or not _same(found, wanted):
            yield f"{METADATA_FILE}: rows from {row} on must be those of the parts"
            return
        row += wanted.num_rows
    with tempfile.TemporaryDirectory() as name:
        write_metadata(folder, parts, out=Path(name))
        for table in (KEY_ROWS_FILE, CAPTION_ROWS_FILE):
            if not filecmp.cmp(folder / table, Path(name) / table, shallow=False):
                yield f"{table} must hold the rows of the parts by the hashes of their texts"


def _same(found: pa.RecordBatch, wanted: pa.RecordBatch) -> bool:
    try:
        found.validate(full=True)
    except pa.ArrowException:
        return False
    found = with_later_columns(found)
    return bool(found.equals(wanted)) or _same_but_for_nans(found, wanted)


def _same_but_for_nans(found: pa.RecordBatch, wanted: pa.RecordBatch) -> bool:
    return str(found.to_pylist()) == str(wanted.to_pylist())
