"""The rows of a shard's files, held against the rules of their columns.

A row group is in memory at a time; what it claims to hold is looked at before it is read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from transforms.dataset.clean_schema import columns_of
from transforms.dataset.edit_words import edit_problem
from transforms.dataset.files import ROW_GROUP
from transforms.dataset.findings import Tell
from transforms.dataset.pair_checks import check_pair, picture_bytes_problem
from transforms.dataset.rows import Row
from transforms.dataset.rules import REJECT_RULES, RULES, Breach, find_breaches
from transforms.dataset.schema import IMAGE_COLUMNS, QUERY_FIELDS, make_schema
from transforms.dataset.tables import DatasetError, RowGroup, ShardFile, open_shard
from transforms.pictures.limits import STORED_LIMITS, PictureLimits

MOST_GROUP_BYTES = 2**32
MOST_RATIO, RATIO_FREE_BYTES = 200, 2**26
"""What a row group of a hundred rows may claim to be when it is unpacked, and how often the bytes
of its file, and so many more: a hundred times the same picture is the most that can be honest."""
# All that pyarrow raises on files made to be wrong; none of them says anything about our code.
_READER_ERRORS = (ValueError, TypeError, LookupError, ArithmeticError, MemoryError, RuntimeError)


@dataclass(frozen=True)
class CheckedGroup:
    """Rows of one row group without pictures, and whether every column keeps its rules."""

    rows: pa.Table
    sound: bool


def check_table(
    file: ShardFile,
    kind: str,
    version: int,
    tell: Tell,
    *,
    limits: PictureLimits = STORED_LIMITS,
    clean: bool = False,
) -> Iterator[CheckedGroup]:
    """The row groups of a file of `kind`, whose problems are told as they are met.

    Pictures are looked at and let go. Ends early where the file is not to be read.

    Args:
        file: the file, with the rows the manifest gives it.
        kind: pairs, rejects or candidates.
        version: the schema version its receipt names.
        tell: takes the problems.
        limits: of the data set's pictures.
        clean: whether the data set was cleaned, and has the columns of such.
    """
    name = file.path.name
    try:
        groups, metadata = _find_groups(file, kind, version, tell, clean=clean)
        first = 0
        for group in groups:
            table = group.read(
                [column.name for column in columns_of(kind, clean=clean, version=version)]
            )
            table.validate(full=True)
            for column in _wrong_statistics(table, metadata.row_group(group.number)):
                tell(name, f"the statistics of {column} must be those of its rows")
            yield _check_group(table, kind, f"{name}: row ", first, tell, limits)
            first += len(table)
    except DatasetError as error:
        tell("", str(error))
    except _READER_ERRORS as error:
        tell(name, f"cannot be read: {' '.join(str(error).split())}")


def _find_groups(
    file: ShardFile, kind: str, version: int, tell: Tell, *, clean: bool
) -> tuple[list[RowGroup], pq.FileMetaData]:
    """The row groups to read; none where the footer says that they are not of the data set."""
    name = file.path.name
    with open_shard(file.path) as shard:
        schema = shard.schema_arrow
        wanted = make_schema(columns_of(kind, clean=clean, version=version), version=version)
        if not schema.equals(wanted, check_metadata=False):
            tell(name, f"columns must be those of the schema of the {kind}")
            return [], shard.metadata
        if schema.metadata != wanted.metadata:
            tell(name, f"what the file says of itself must be that of schema version {version}")
        sizes = [shard.metadata.row_group(n).num_rows for n in range(shard.num_row_groups)]
        if sum(sizes) != file.rows or shard.metadata.num_rows != file.rows:
            tell(name, f"rows must be {file.rows}, got {shard.metadata.num_rows}")
            return [], shard.metadata
        full, rest = divmod(file.rows, ROW_GROUP)
        if sizes != [ROW_GROUP] * full + [rest] * (rest > 0):
            tell(name, f"a row group must have {ROW_GROUP} rows and the last one the rest")
            return [], shard.metadata
        too_large = _too_large(shard.metadata, file.path.stat().st_size)
        if too_large:
            tell(name, too_large)
            return [], shard.metadata
        groups = [RowGroup(file.path, number, rows) for number, rows in enumerate(sizes)]
        return groups, shard.metadata


def _wrong_statistics(table: pa.Table, group: pq.RowGroupMetaData) -> Iterator[str]:
    """The columns of numbers whose least and greatest value are not those that the file states.

    Readers skip row groups by them, and a report takes its ranges from them.
    """
    for place in range(group.num_columns):
        chunk = group.column(place)
        stated = chunk.statistics
        if chunk.path_in_schema not in table.column_names or stated is None:
            continue
        values = table[chunk.path_in_schema]
        if not pa.types.is_string(values.type):
            found = pc.min_max(values).as_py()
            told = (stated.min, stated.max) if stated.has_min_max else (None, None)
            if told != (found["min"], found["max"]) or stated.null_count != values.null_count:
                yield chunk.path_in_schema


def _too_large(metadata: pq.FileMetaData, file_bytes: int) -> str | None:
    # A column's own size is not asked for: pyarrow ends the process where that part of a footer is
    # damaged, but raises where it reads the column.
    most = min(MOST_GROUP_BYTES, MOST_RATIO * file_bytes + RATIO_FREE_BYTES)
    for number in range(metadata.num_row_groups):
        size = metadata.row_group(number).total_byte_size
        if not 0 <= size <= most:
            return f"a row group of this file must claim at most {most} bytes, got {size}"
    return None


def _check_group(
    table: pa.Table, kind: str, where: str, first: int, tell: Tell, limits: PictureLimits
) -> CheckedGroup:
    table = table.combine_chunks()
    light = table.select([name for name in table.column_names if name not in IMAGE_COLUMNS])
    sound = True
    for place, what in _breaches(light, kind):
        sound = False
        tell(f"{where}{first + place}", what)
    if sound and kind != "rejects":
        asked = {"key", "source_key", *QUERY_FIELDS}
        words = light.select([name for name in light.column_names if name in asked])
        for place, row in enumerate(words.to_pylist()):
            problem = _key_problem(row) or edit_problem(row)
            if problem:
                tell(f"{where}{first + place} ({row['key']})", problem)
    if kind == "pairs":
        _check_pictures(table, where, first, tell, limits if sound else None)
    return CheckedGroup(light, sound)


def _key_problem(row: Row) -> str | None:
    if row["key"] != f"{row['source_key']}-{row['number']}":
        return "key must be source_key, hyphen, number"
    return None


def _breaches(table: pa.Table, kind: str) -> Iterator[Breach]:
    rules = REJECT_RULES if kind == "rejects" else RULES
    for name in table.column_names:
        if name in rules:
            yield from find_breaches(name, _one_array(table[name]), rules[name])
    if kind == "candidates":
        yield from _candidate_breaches(_one_array(table["candidates"]))


def _candidate_breaches(lists: pa.Array) -> Iterator[Breach]:
    if lists.null_count:
        yield from ((place, "candidates must not be null") for place in _nulls(lists))
        return
    parents = pc.list_parent_indices(lists)
    structs = pc.list_flatten(lists)
    for place in _nulls(structs):
        yield parents[place].as_py(), "a candidate must not be null"
    if structs.null_count:
        return
    for field in structs.type:
        rule = RULES.get(f"target_{field.name}") or RULES[field.name]
        values = pc.struct_field(structs, field.name)
        for place, what in find_breaches(f"candidates.{field.name}", values, rule):
            yield parents[place].as_py(), what


def _nulls(column: pa.Array) -> list[int]:
    places: list[int] = pc.indices_nonzero(pc.is_null(column)).to_pylist()
    return places


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _check_pictures(
    table: pa.Table, where: str, first: int, tell: Tell, limits: PictureLimits | None
) -> None:
    """Tells what is wrong with the pictures of the pairs.

    Where the other columns keep their rules `limits` are given, for a row is held against itself
    then, its decoded pictures too.
    """
    for place in range(len(table)):
        row: dict[str, Any] = table.slice(place, 1).to_pylist()[0]
        said = f"{where}{first + place} ({row['key']})"
        problems = [
            f"{name}: {problem}"
            for name in IMAGE_COLUMNS
            if (problem := picture_bytes_problem(row[name], optional=name.endswith("_mask")))
        ]
        if not problems and limits is not None:
            problems = list(check_pair(row, limits))
        for problem in problems:
            tell(said, problem)
