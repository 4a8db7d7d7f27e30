"""Reading a finished data set a few columns and a few thousand rows at a time."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.terminal.console import CommandError
from transforms.dataset.files import OutputError
from transforms.dataset.folder import COMPLETED, RUN_SUMMARY, is_completed
from transforms.dataset.manifest import Manifest, load_manifest

ROWS_AT_ONCE = 8192


@dataclass(frozen=True)
class FinishedDataset:
    """The files of a data set that a build has completed.

    `pairs` and `rejects` are the shards the manifest names, in order. `run_summary` is the plain
    data of that file, empty where there is none, as in a copy that left it behind.
    """

    folder: Path
    pairs: tuple[Path, ...]
    rejects: tuple[Path, ...]
    manifest: Manifest
    run_summary: dict[str, Any]


def open_dataset(folder: Path) -> FinishedDataset:
    """The finished data set in `folder`.

    Raises:
        CommandError: `folder` is no folder, was not completed, or its manifest cannot be used.
    """
    if not folder.is_dir():
        raise CommandError(f"a data set must be a folder, got {folder}")
    if not is_completed(folder):
        raise CommandError(f"{folder} holds no file {COMPLETED}: no build has finished there")
    try:
        manifest = load_manifest(folder)
    except OutputError as error:
        raise CommandError(str(error)) from error
    names = [file.name for shard in manifest.shards for file in shard.files]
    summary = folder / RUN_SUMMARY
    return FinishedDataset(
        folder=folder,
        pairs=tuple(folder / name for name in names if name.startswith("pairs-")),
        rejects=tuple(folder / name for name in names if name.startswith("rejects-")),
        manifest=manifest,
        run_summary=read_json(summary) if summary.exists() else {},
    )


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        CommandError: the file is missing, is not JSON, or holds something else than an object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise CommandError(f"{path} must hold a JSON object")
    return content


def open_shard(path: Path, columns: Sequence[str]) -> pq.ParquetFile:
    """The open shard at `path`, which has `columns`.

    Raises:
        CommandError: the file is not whole Parquet, or a column is missing.
    """
    try:
        shard = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise CommandError(f"cannot read {path}: {error}") from error
    missing = [name for name in columns if name not in shard.schema_arrow.names]
    if missing:
        shard.close()
        raise CommandError(f"{path} has no column {missing[0]}")
    return shard


def stream_columns(
    paths: Sequence[Path], columns: Sequence[str]
) -> Iterator[tuple[Path, int, dict[str, list[Any]]]]:
    """The named columns of all shards, in order, a limited number of rows at a time.

    Yields the shard, the number of its first row in it, and the columns as lists. No other column
    is read from the disk.
    """
    for path in paths:
        with open_shard(path, columns) as shard:
            first = 0
            for batch in shard.iter_batches(batch_size=ROWS_AT_ONCE, columns=list(columns)):
                table = {name: batch.column(name).to_pylist() for name in columns}
                yield path, first, table
                first += batch.num_rows


def read_rows(path: Path, rows: Sequence[int], columns: Sequence[str]) -> dict[int, dict[str, Any]]:
    """The given rows of one shard, by row number, a row group at a time."""
    found: dict[int, dict[str, Any]] = {}
    with open_shard(path, columns) as shard:
        first = 0
        for group in range(shard.num_row_groups):
            count = shard.metadata.row_group(group).num_rows
            wanted = [row for row in rows if first <= row < first + count]
            if wanted:
                table = shard.read_row_group(group, columns=list(columns))
                part = table.take([row - first for row in wanted]).to_pylist()
                found.update(zip(wanted, part, strict=True))
            first += count
    return found


def column_ranges(paths: Sequence[Path], columns: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Smallest and largest value of columns of numbers, from the files' statistics.

    A column of which no file has a value, or statistics, is left out. No row is read.
    """
    ranges: dict[str, tuple[float, float]] = {}
    for path in paths:
        with open_shard(path, columns) as shard:
            leaves = {leaf: place for place, leaf in enumerate(shard.schema.names)}
            for group in range(shard.num_row_groups):
                chunks = shard.metadata.row_group(group)
                for name in columns:
                    found = chunks.column(leaves[name]).statistics
                    if found is not None and found.has_min_max:
                        low, high = ranges.get(name, (math.inf, -math.inf))
                        ranges[name] = (min(low, found.min), max(high, found.max))
    return ranges
