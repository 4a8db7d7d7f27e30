import datetime
import decimal
import math
import resource
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from transforms.protocols import SourceError
from transforms.sources.laion import LaionMetadata
from transforms.sources.link_columns import MAX_TEXT_BYTES

NAN = math.nan


def write(folder, **files):
    """A metadata folder with one file for each name, its columns beside two links."""
    folder.mkdir(exist_ok=True)
    for name, columns in files.items():
        table = pa.table({"URL": ["http://a/", "http://b/"], "TEXT": ["a", "b"]} | columns)
        pq.write_table(table, folder / f"{name}.parquet")
    return LaionMetadata(str(folder))


def values_of(metadata, column):
    return [link.extra[column] for shard in metadata.shards() for link in metadata.read(shard)]


def numbers(values, kind):
    return pa.array(values, kind)


def words(values):
    return pa.array(values).dictionary_encode()


DAY = datetime.datetime(2026, 1, 2, 3, 4, 5)
CENT = decimal.Decimal("0.01")
AGREEING = [
    (numbers([1, 2], pa.int32()), numbers([3.0, NAN], pa.float64()), pa.int32(), [1, 2, 3, None]),
    (numbers([1, 2], pa.int32()), numbers([3.5, NAN], pa.float64()), pa.float64(), None),
    (numbers([1, 2], pa.int32()), numbers([2**40, 4], pa.int64()), pa.int64(), None),
    (numbers([1, 2**60 + 1], pa.int64()), numbers([NAN, 4], pa.float64()), pa.int64(), None),
    (numbers([1, 2], pa.int8()), numbers([300, 4], pa.uint16()), pa.uint16(), None),
    (numbers([-1, 2], pa.int8()), numbers([300, 4], pa.uint16()), pa.int64(), None),
    (numbers([0.5, NAN], pa.float64()), numbers([3, 4], pa.int64()), pa.float64(), None),
    (numbers([0.5, 1], pa.float32()), numbers([0.25, 4], pa.float64()), pa.float32(), None),
    (numbers([None, NAN], pa.float64()), words(["x", "y"]), None, [None, None, "x", "y"]),
    (pa.nulls(2), numbers([3, 4], pa.int16()), pa.int16(), [None, None, 3, 4]),
    (numbers([3, 4], pa.int16()), pa.nulls(2), pa.int16(), [3, 4, None, None]),
    (pa.nulls(2), pa.nulls(2), pa.null(), [None] * 4),
    (pa.array(["a", None]), pa.array(["c", "d"], pa.large_string()), pa.string(), None),
    (pa.array(["a", "b"], pa.large_string()), words(["c", "d"]), pa.large_string(), None),
    (words(["a", "b"]), pa.array(["c", "d"]), pa.string(), None),
    (
        pa.array([CENT, CENT], pa.decimal128(5, 2)),
        pa.array([decimal.Decimal("12345.67")] * 2, pa.decimal128(12, 2)),
        pa.decimal128(12, 2),
        None,
    ),
    (
        pa.array([DAY, DAY], pa.timestamp("ms")),
        pa.array([DAY.replace(microsecond=7)] * 2, pa.timestamp("us")),
        pa.timestamp("us"),
        None,
    ),
    (pa.array([[1], [2]]), pa.array([[3], None]), pa.list_(pa.int64()), None),
]


@pytest.mark.parametrize(("one", "other", "kind", "expected"), AGREEING)
def test_a_column_gets_a_type_that_holds_all_files(tmp_path, one, other, kind, expected):
    metadata = write(tmp_path / "m", a={"md5": one}, b={"md5": other})
    found = values_of(metadata, "md5")
    if kind is not None:
        assert metadata.schema().field("md5").type == kind
    plain = [*one.to_pylist(), *other.to_pylist()]
    wanted = plain if expected is None else expected
    if kind == pa.int64():
        wanted = [None if value != value else value for value in wanted]
    assert [value if value == value else "nan" for value in found] == [
        value if value == value else "nan" for value in wanted
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array(["a", "b"]), pa.array([1, 2])),
        (pa.array([True, False]), pa.array([1, 2])),
        (pa.array([1, 2]), pa.array([[1], [2]])),
        (pa.array([{"a": 1}] * 2), pa.array([{"a": "x"}] * 2)),
        (pa.array([2**63 + 1] * 2, pa.uint64()), pa.array([-1, 1], pa.int64())),
        (pa.array([2**60 + 1] * 2, pa.int64()), pa.array([0.5, 1])),
        (pa.array([DAY] * 2, pa.timestamp("us")), pa.array([DAY] * 2, pa.timestamp("us", "UTC"))),
        (pa.array([b"a"] * 2), pa.array(["a"] * 2)),
    ],
)
def test_one_line_names_the_file_and_the_column_before_anything_is_fetched(tmp_path, one, other):
    metadata = write(tmp_path / "m", a={"md5": one}, b={"md5": other})
    with pytest.raises(SourceError) as error:
        metadata.shards()
    assert "b.parquet: column md5 holds" in str(error.value)
    assert "in a.parquet it holds" in str(error.value)
    assert "\n" not in str(error.value)


def test_texts_that_are_all_missing_are_no_texts(tmp_path):
    missing = {"TEXT": [NAN, NAN], "LICENSE": [NAN, None], "pwatermark": pa.nulls(2, pa.string())}
    metadata = write(tmp_path / "m", a=missing, b={"LICENSE": ["free", None]})
    links = [link for shard in metadata.shards() for link in metadata.read(shard)]
    assert [link.caption for link in links] == [None, None, "a", "b"]
    assert [link.extra["LICENSE"] for link in links] == [None, None, "free", None]
    with pytest.raises(SourceError, match="column TEXT must hold text, it holds double"):
        write(tmp_path / "n", a={"TEXT": [NAN, 1.5]}).shards()
    with pytest.raises(SourceError, match="column URL must hold text, it holds double"):
        write(tmp_path / "o", a={"URL": [NAN, NAN]}).shards()


def test_files_without_rows_may_be_of_any_make(tmp_path):
    metadata = write(tmp_path / "m", b={"WIDTH": pa.array([1, 2])})
    empty = pa.table({"URL": pa.array([], pa.float64()), "WIDTH": pa.array([], pa.string())})
    pq.write_table(empty, tmp_path / "m" / "a.parquet")
    pq.write_table(pa.table({"other": []}), tmp_path / "m" / "c.parquet")
    assert values_of(metadata, "WIDTH") == [1, 2]


@pytest.mark.parametrize("column", ["URL", "TEXT", "WIDTH"])
def test_a_column_that_is_there_twice_is_refused(tmp_path, column):
    names = ["URL", "TEXT", "WIDTH", column]
    table = pa.table([["a"], ["b"], ["c"], ["d"]], names=names)
    pq.write_table(table, tmp_path / "m.parquet")
    with pytest.raises(SourceError, match=rf"m\.parquet: column {column} is there more than once"):
        LaionMetadata(str(tmp_path / "m.parquet")).shards()


def test_a_file_without_links_among_others_is_named(tmp_path):
    write(tmp_path / "m", a={})
    pq.write_table(pa.table({"TEXT": ["a"]}), tmp_path / "m" / "b.parquet")
    with pytest.raises(SourceError, match=r"b\.parquet: column URL is missing"):
        LaionMetadata(str(tmp_path / "m")).shards()


def test_columns_called_like_those_of_a_store_are_left_alone(tmp_path):
    own = {name: [1, 2] for name in ("key", "status", "jpg", "error_message", "sha256", "width")}
    assert write(tmp_path / "m", a=own | {"hash": [3, 4]}).schema().names == ["hash"]


def test_a_long_text_in_every_row_is_in_memory_once(tmp_path):
    """One text of 5 MB in each of 1000 rows, which would be 5 GB for each column."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), ["x" * 5_000_000])
    table = pa.table({"URL": texts, "TEXT": texts, "LICENSE": texts, "hash": range(1000)})
    pq.write_table(table, tmp_path / "m.parquet", compression="zstd")
    assert (tmp_path / "m.parquet").stat().st_size < 100_000
    metadata = LaionMetadata(str(tmp_path / "m.parquet"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    links = list(metadata.read(metadata.shards()[0]))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000
    assert len(links) == 1000
    assert {len(link.caption) for link in links} == {MAX_TEXT_BYTES}


def test_damaged_files_end_in_one_line(tmp_path):
    metadata = write(tmp_path / "m", a={"WIDTH": [1, 2], "NSFW": ["x", "y"]})
    whole = (tmp_path / "m" / "a.parquet").read_bytes()
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1 + place % 255
        (tmp_path / "m" / "a.parquet").write_bytes(damaged)
        # Anything else than the one line is an error of the test.
        with suppress(SourceError):
            again = LaionMetadata(metadata.path)
            assert len([link for shard in again.shards() for link in again.read(shard)]) < 1000
