"""Files of earlier schema versions, read as if they had the columns that came later: all null."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from indexes.parquet.reading import read_group
from transforms.dataset.schema import LATER_COLUMNS, PAIRS


def read_columns(
    shard: pq.ParquetFile, path: Path, number: int, columns: Sequence[str] | None
) -> pa.Table:
    """A row group of the file at `path` with these columns; for None with all that it has.

    Raises:
        ParquetError: as `indexes.parquet.reading.read_group`.
    """
    if columns is None or LATER_COLUMNS.keys().isdisjoint(columns):
        return read_group(shard, path, number, columns)
    there = set(shard.schema_arrow.names)
    # Of no column at all it would not be known how many rows there are.
    present = [name for name in columns if name in there] or ["key"]
    table = read_group(shard, path, number, present)
    return with_later_columns(table, columns)


def with_todays_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """`table` as `schema`, today's of its kind: what its version lacks is null, in lists too."""
    if table.schema.equals(schema, check_metadata=False):
        return table.cast(schema)
    return pa.Table.from_pylist(table.to_pylist(), schema)


def with_later_columns(table: pa.Table, columns: Sequence[str]) -> pa.Table:
    """`table` with `columns` in their order; those of `LATER_COLUMNS` that it lacks are null."""
    for name in columns:
        if name in LATER_COLUMNS and name not in table.column_names:
            field = PAIRS.field(name)
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(list(columns))
