"""LAION's metadata: Parquet files of links and captions, in the spellings of its releases.

They hold no pictures. `pairloom fetch` goes through them shard by shard and makes a store in
img2dataset's layout (`transforms.fetching.store`), which is the source that everything else reads.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from indexes.storage.errors import refuse_outage
from indexes.storage.paths import as_path
from transforms.filter_rules import SAID, FilterRule, find_fault, side_values
from transforms.protocols import SourceError
from transforms.sources.columns import FIELDS, find_columns, from_mapping
from transforms.sources.link_columns import (
    DAMAGED,
    convert,
    find_common_type,
    is_blank,
    is_text,
    open_table,
    read_batches,
    read_texts,
    without_nan,
)
from transforms.sources.listing import Listing, list_archives

MAX_SHARD_SIZE = 10_000

EXTRA_COLUMNS = (
    "NSFW",
    "LICENSE",
    "punsafe",
    "pwatermark",
    "similarity",
    "hash",
    "md5",
    "SAMPLE_ID",
    "LANGUAGE",
    "language",
    "aesthetic",
    "AESTHETIC_SCORE",
    "WIDTH",
    "HEIGHT",
)
"""Columns of the metadata that are kept beside the pictures, as they are."""

_CHECKED = ("url", "caption", "licence", "nsfw", "watermark", "language", "similarity")


@dataclass(frozen=True)
class Link:
    """One row of the metadata.

    `key` is img2dataset's: five digits for the shard, four for the row in it. `extra` holds the
    columns of `EXTRA_COLUMNS` that the file has.
    """

    key: str
    url: str
    caption: str | None
    extra: dict[str, object]


@dataclass(frozen=True)
class LinkShard:
    """Rows `start` to `stop` of the metadata file `file`; `number` counts over all files."""

    number: int
    file: Path
    start: int
    stop: int

    @property
    def name(self) -> str:
        """Five digits, as img2dataset names its shards."""
        return f"{self.number:05d}"


@dataclass(frozen=True)
class LaionMetadata:
    """The metadata file `path`, or all the Parquet files in the folder `path`.

    It holds links and no pictures: `pairloom fetch` makes a source of it. `shard_size` is how many
    links make a shard. Links that break one of `filters`, by what the metadata say of their
    pictures, are not fetched.

    Raises:
        SourceError: `shard_size` is not in [1, 10 000], which is what fits a key.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import pyarrow as pa
    >>> import pyarrow.parquet as pq
    >>> from pairloom import LaionMetadata
    >>> rows = {"URL": ["https://example.org/chair.jpg"], "TEXT": ["a chair"], "punsafe": [0.01]}
    >>> file = Path(tempfile.mkdtemp()) / "part.parquet"
    >>> pq.write_table(pa.table(rows), file)
    >>> metadata = LaionMetadata(str(file))
    >>> [shard] = metadata.shards()
    >>> [link] = metadata.read(shard)
    >>> link.key, link.url, link.caption, link.extra
    ('000000000', 'https://example.org/chair.jpg', 'a chair', {'punsafe': 0.01})
    """

    path: str
    shard_size: int = 10_000
    filters: Mapping[str, FilterRule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if type(self.shard_size) is not int or not 1 <= self.shard_size <= MAX_SHARD_SIZE:
            raise SourceError(
                f"shard_size must be a whole number in [1, {MAX_SHARD_SIZE}], "
                f"got {self.shard_size!r}"
            )

    @cached_property
    def files(self) -> dict[Path, int]:
        """The metadata files in order of name, with their number of rows, every one checked.

        Raises:
            SourceError: there are none, or one is broken or has missing or retyped columns.
        """
        path = as_path(self.path)
        try:
            names = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        except OSError as error:
            raise SourceError(f"{path}: cannot list it: {error.strerror}") from error
        if not names:
            raise SourceError(f"{path}: no .parquet file here")
        return {name: _check_file(name) for name in names}

    def listing(self) -> Listing:
        """The files, as they are now.

        Raises:
            SourceError: as `files`.
        """
        return list_archives(self.files)

    def shards(self) -> list[LinkShard]:
        """Runs of at most `shard_size` rows, none of them across two files.

        Raises:
            SourceError: as `files` and `schema`, or there are no rows.
        """
        found: list[LinkShard] = []
        for file, rows in self.files.items():
            for start in range(0, rows, self.shard_size):
                stop = min(start + self.shard_size, rows)
                found.append(LinkShard(len(found), file, start, stop))
        if not found:
            raise SourceError(f"{self.path}: the metadata holds no rows")
        self.schema()
        return found

    def schema(self) -> pa.Schema:
        """The extra columns of the first file that has rows, which are those that are kept.

        A column that another file does not have is null for its rows. Where files differ in a
        column's type, it has one that holds the values of all.

        Raises:
            SourceError: there is no such type; naming the file and the column.
        """
        return self._schema

    @cached_property
    def _schema(self) -> pa.Schema:
        files = [file for file, rows in self.files.items() if rows] or list(self.files)
        names = {file: _read_names(file) for file in files}
        return pa.schema(
            pa.field(name, find_common_type([f for f in files if name in names[f]], name))
            for name in EXTRA_COLUMNS
            if name in names[files[0]]
        )

    def find_fault(self, link: Link) -> tuple[str, str] | None:
        """The reason and the detail of the first of `filters` that a link breaks; None if none.

        Sides are the metadata's `WIDTH` and `HEIGHT`, which are of the picture as it was.
        """
        row = from_mapping(link.extra)
        said: dict[str, Any] = {name: row.get(name) for name in SAID}
        sides = [link.extra.get(name) for name in ("WIDTH", "HEIGHT")]
        width, height = (side if isinstance(side, int | float) else 0 for side in sides)
        if width > 0 and height > 0:
            said |= side_values(width, height)
        return find_fault(said, self.filters)

    def read(self, shard: LinkShard) -> Iterator[Link]:
        """The rows of one shard in order; a row without a link has the empty one.

        Raises:
            SourceError: the file cannot be read any more.
        StorageError: the store does not give it.
        """
        schema = self.schema()
        try:
            with open_table(shard.file) as file:
                names = file.schema_arrow.names
                columns = _find_columns(shard.file, file.schema_arrow, ("url", "caption"))
                wanted = sorted({*columns.values(), *schema.names} & set(names))
                rows = _rows(file, shard.start, shard.stop, wanted, schema)
                for number, row in enumerate(rows):
                    yield Link(
                        key=f"{shard.number:05d}{number:04d}",
                        url=str(row[columns["url"]] or ""),
                        caption=_text(row.get(columns.get("caption", ""))),
                        extra={name: row.get(name) for name in schema.names},
                    )
        except DAMAGED as error:
            refuse_outage(error)
            raise SourceError(
                f"{shard.file}: cannot read rows {shard.start} to {shard.stop}: "
                f"{' '.join(str(error).split())}"
            ) from error


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _read_names(path: Path) -> list[str]:
    with open_table(path, texts_apart=False) as file:
        return list(file.schema_arrow.names)


def _check_file(path: Path) -> int:
    """The number of rows of a file of the right make; one without rows may be of any."""
    with open_table(path, texts_apart=False) as file:
        schema, rows = file.schema_arrow, int(file.metadata.num_rows)
    if not rows:
        return 0
    for name in EXTRA_COLUMNS:
        if schema.names.count(name) > 1:
            raise SourceError(f"{path}: column {name} is there more than once")
    if "url" not in _find_columns(path, schema, _CHECKED):
        raise SourceError(f"{path}: column URL is missing (columns: {', '.join(schema.names)})")
    return rows


def _find_columns(path: Path, schema: pa.Schema, fields: tuple[str, ...]) -> dict[str, str]:
    """As `find_columns`, but a text column without any value may be of any type.

    So pandas writes a column in which every text is missing: as numbers, all of them NaN.
    """
    try:
        return find_columns(schema, fields, str(path))
    except SourceError:
        names = {name for field in fields if field != "url" for name in FIELDS[field][0]}
        blank = schema
        for place, column in enumerate(schema):
            if column.name in names and is_blank(path, column.name):
                blank = blank.set(place, pa.field(column.name, pa.null()))
        if blank == schema:
            raise
        return find_columns(blank, fields, str(path))


def _rows(
    file: pq.ParquetFile, start: int, stop: int, columns: list[str], schema: pa.Schema
) -> Iterator[dict[str, object]]:
    """Rows `start` to `stop`, read from the row groups that hold them."""
    first = 0
    for group in range(file.metadata.num_row_groups):
        last = first + file.metadata.row_group(group).num_rows
        if first < stop and last > start:
            place = first
            for batch in read_batches(file, group, columns):
                begin, end = max(start - place, 0), min(stop - place, batch.num_rows)
                if begin < end:
                    yield from _values(batch.slice(begin, end - begin), schema)
                place += batch.num_rows
                if place >= stop:
                    return
        first = last


def _values(batch: pa.RecordBatch, schema: pa.Schema) -> Iterator[dict[str, object]]:
    """The rows of `batch` as plain values, extra columns as `schema` has them."""
    columns = []
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        if is_text(values.type):
            columns.append(read_texts(values))
        elif name in schema.names:
            columns.append(convert(values, schema.field(name).type).to_pylist())
        else:
            columns.append(without_nan(values).to_pylist())
    for row in zip(*columns, strict=True):
        yield dict(zip(batch.schema.names, row, strict=True))
