"""Memory stays bounded whatever a Parquet file claims of itself, and damage is told."""

import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indexes.parquet.footer import MAX_DEPTH, FooterError, read_footer
from indexes.parquet.reading import (
    ParquetError,
    group_rows,
    measure_group,
    open_parquet,
    read_group,
    read_table,
)

PEAK = """
import resource, sys
from collections import Counter
from transforms.pictures.decoding import PictureLimits
from transforms.sources.img2dataset import Img2DatasetSource

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

source = Img2DatasetSource(sys.argv[1], limits=PictureLimits(max_bytes=2_000_000))
before = peak()
rows = [row for shard in source.shards() for row in source.read(shard)]
found = Counter(getattr(row, "reason", "picture") for row in rows)
print(peak() - before, *(f"{reason}={count}" for reason, count in sorted(found.items())))
"""


def repeated(value, count, *, first):
    """A column of one value `count` times after another, which a file needs once."""
    kind = pa.string() if isinstance(value, str) else pa.binary()
    return pa.DictionaryArray.from_arrays([0] + [1] * count, pa.array([first, value], kind))


def bomb(path, **columns):
    from fakes.pictures import picture_bytes

    rows = max(len(values) for values in columns.values())
    whole = {"key": [f"{row:09d}" for row in range(rows)], "png": [picture_bytes(1)] * rows}
    pq.write_table(pa.table(whole | columns), path, compression="zstd")
    return path


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"png": (bytes(8_000_000), b"no picture")}, "not_an_image=1 too_large_file=200"),
        ({"caption": ("x" * 8_000_000, "a bus")}, "picture=1 too_long_text=200"),
        ({"key": ("k" * 8_000_000, "a")}, "picture=1 too_long_key=200"),
        ({"png": (bytes(90_000_000), b"")}, "broken_shard=201"),
    ],
)
def test_a_large_value_that_is_repeated(tmp_path, columns, found):
    columns = {name: repeated(value, 200, first=first) for name, (value, first) in columns.items()}
    path = bomb(tmp_path / "00000.parquet", **columns)
    assert path.stat().st_size < 100_000
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True
    )
    mebibytes, _, reasons = done.stdout.strip().partition(" ")
    assert reasons == found
    assert int(mebibytes) < 250  # all values together have 1.6 GB and more


def test_more_rows_than_there_are_bytes(tmp_path):
    path = tmp_path / "nulls.parquet"
    pq.write_table(pa.table({"key": pa.nulls(1_000_000, pa.string())}), path)
    with pytest.raises(ParquetError, match=r"it claims 1000000 rows, more than its \d+ bytes"):
        group_rows(path)


def test_a_list_that_grows_a_thousandfold(tmp_path):
    path = tmp_path / "list.parquet"
    text = "x" * 60_000
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 10_000), pa.array([text]))
    lists = pa.ListArray.from_arrays([0, 10_000], values)
    pq.write_table(pa.table({"texts": lists}), path, store_schema=False, compression="zstd")
    with pytest.raises(ParquetError, match=r"row group 0 takes more than|at most"):
        read_table(path)


def compact_struct(*fields):
    """A thrift struct of `(number, type, bytes)`."""
    return b"".join(bytes([number_step << 4 | kind]) + data for number_step, kind, data in fields)


def varint(value):
    found = b""
    while value > 127:
        found += bytes([value & 127 | 128])
        value >>= 7
    return found + bytes([value])


def footer_of(*, depth=0, groups=0, columns=0):
    """The end of a file: a schema nested so deeply, and row groups of empty columns."""
    element = compact_struct((4, 8, b"\x01a"), (1, 5, varint(2))) + b"\0"
    schema = b"\xfc" + varint(depth + 1) + element * (depth + 1)
    column = b"\0"
    group = compact_struct((1, 9, b"\xfc" + varint(columns) + column * columns)) + b"\0"
    listed = b"\xfc" + varint(groups) + group * groups
    data = compact_struct((2, 9, schema), (2, 9, listed)) + b"\0"
    return b"PAR1" + data + len(data).to_bytes(4, "little") + b"PAR1"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (footer_of(depth=MAX_DEPTH + 5), "a schema nested more than 32 deep"),
        (footer_of(depth=100_000), "a schema of 100001 columns, at most 10000 are read"),
        (footer_of(groups=400, columns=1000), "more than 300000 entries"),
        (footer_of()[:-8] + b"\xff\xff\xff\x7fPAR1", "Parquet magic bytes not found at its end"),
        (b"", "Parquet magic bytes not found at its end"),
        (b"PAR1" + b"\xfc" * 100 + b"\x64\0\0\0PAR1", "the footer cannot be read"),
    ],
)
def test_footers_that_cost_too_much(tmp_path, data, said):
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    with pytest.raises(FooterError, match=said):
        read_footer(path)
    with pytest.raises(ParquetError, match=said), open_parquet(path):
        pass


def test_what_is_no_file(tmp_path):
    with pytest.raises(ParquetError, match="a folder, pipe or device"), open_parquet(tmp_path):
        pass
    with pytest.raises(ParquetError, match="No such file"), open_parquet(tmp_path / "a.parquet"):
        pass


def test_damage_that_would_end_the_process(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": pa.array([1, 2], pa.int32())}), path)
    footer = read_footer(path)
    assert [(group.rows, group.chunks[0].path) for group in footer.groups] == [(2, "n")]
    data = path.read_bytes()
    for place in range(len(data) - 300, len(data)):
        path.write_bytes(data[:place] + b"\xff" + data[place + 1 :])
        try:
            with open_parquet(path) as file:
                measure_group(path, file.schema, 0, ["n"])
                read_group(file, path, 0, ["n"])
        except (ParquetError, IndexError):
            continue


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_good_files_are_read_as_arrow_reads_them(tmp_path, size):
    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "n": list(range(50)),
            "texts": [["a", None, "b" * row] for row in range(50)],
            "file": [{"bytes": b"x" * row, "path": None} for row in range(50)],
        }
    )
    pq.write_table(table, path, row_group_size=size)
    assert read_table(path) == table
    assert read_table(path, ["file"]) == table.select(["file"])
