import hashlib
import io
import json
import pickle
import tarfile
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.img2dataset import write_tar
from fakes.pictures import picture_bytes
from fakes.records import read_all

from transforms.pictures.decoding import PictureLimits
from transforms.protocols import SourceError, SourceShard
from transforms.record import Reject, SourceImage
from transforms.sources.img2dataset import Img2DatasetSource


def png(seed):
    return picture_bytes(seed, size=(20, 20))


def table(count=5, **changes):
    """Rows as img2dataset writes them; row 1 failed, row 3 is no picture."""
    columns = {
        "url": [f"https://example.org/{i}.png" for i in range(count)],
        "caption": [f"a  picture\n{i}" for i in range(count)],
        "key": [f"{i:09d}" for i in range(count)],
        "status": ["failed_to_download" if i == 1 else "success" for i in range(count)],
        "error_message": ["HTTP Error 404:\nNot Found" if i == 1 else None for i in range(count)],
        "width": [20] * count,
        "height": [20] * count,
        "LICENSE": ["cc-by" if i == 0 else None for i in range(count)],
        "NSFW": ["UNLIKELY"] * count,
        "pwatermark": pa.array([0.25] * count, pa.float32()),
        "LANGUAGE": ["en" if i == 0 else None for i in range(count)],
        "similarity": [0.3] * count,
        "png": [None if i == 1 else (b"<html>" if i == 3 else png(i)) for i in range(count)],
    } | changes
    return pa.table({name: values for name, values in columns.items() if values is not None})


def outcomes(found):
    return [getattr(row, "reason", row.key) for row in found]


def test_parquet_rows_become_pictures_and_rejects(tmp_path):
    pq.write_table(table(), tmp_path / "00000.parquet", row_group_size=2)
    source = Img2DatasetSource(str(tmp_path))
    (shard,) = source.shards()
    assert (shard.name, shard.start, shard.stop) == ("00000", 0, 5)
    found = list(source.read(shard))
    assert outcomes(found) == [
        "000000000",
        "failed_to_download",
        "000000002",
        "not_an_image",
        "000000004",
    ]
    assert [row.position for row in found] == list(range(5))
    first = found[0]
    assert first.image == png(0)
    assert first.content_sha256 == hashlib.sha256(png(0)).hexdigest()
    assert first.alt_text == "a picture 0"
    assert (first.url, first.licence) == ("https://example.org/0.png", "cc-by")
    assert (first.nsfw, first.watermark) == ("UNLIKELY", 0.25)
    assert (first.language, first.similarity) == ("en", 0.3)
    assert (found[2].licence, found[2].language) == (None, None)
    assert found[1].detail == "HTTP Error 404: Not Found"
    assert found[1].key == "000000001"
    assert source.open(found[4].reference) == png(4)
    assert found[4].reference == "00000.parquet#2.0"


@pytest.mark.parametrize("group_size", [1, 7, 100])
def test_any_slice_equals_that_part_of_the_whole(tmp_path, group_size):
    pq.write_table(table(50), tmp_path / "00000.parquet", row_group_size=group_size)
    source = Img2DatasetSource(str(tmp_path))
    (shard,) = source.shards()
    whole = list(source.read(shard))
    assert len(whole) == 50
    for start, stop in ((0, 3), (5, 16), (16, 17), (33, 50), (49, 50), (20, 20)):
        assert list(source.read(replace(shard, start=start, stop=stop))) == whole[start:stop]


def test_number_columns_of_either_type(tmp_path):
    changes = {"NSFW": None, "punsafe": [0.5] * 5, "pwatermark": [1, None, 1, 1, 0]}
    pq.write_table(table(**changes), tmp_path / "00000.parquet")
    found = read_all(Img2DatasetSource(str(tmp_path)))
    assert (found[0].nsfw, found[0].watermark, found[4].watermark) == ("0.5", 1.0, 0.0)


def test_rows_without_a_key_and_keys_that_come_twice(tmp_path):
    pq.write_table(table(key=["a", "b", "a", None, ""]), tmp_path / "00000.parquet")
    found = read_all(Img2DatasetSource(str(tmp_path)))
    assert outcomes(found) == ["a", "failed_to_download", "duplicate_key", "no_key", "no_key"]
    assert len({row.key for row in found}) == 5


def test_files_of_two_downloads_are_refused(tmp_path):
    pq.write_table(table(), tmp_path / "00000.parquet")
    other = [f"{number:09d}" for number in (7, 8, 9, 1, 10)]
    pq.write_table(table(key=other), tmp_path / "00001.parquet")
    with pytest.raises(SourceError) as caught:
        Img2DatasetSource(str(tmp_path)).shards()
    assert str(caught.value) == (
        f"{tmp_path}: keys must be unique, 000000001 is in 00000.parquet and in 00001.parquet: "
        "files of two downloads must not be mixed in a folder"
    )
    write_tar(tmp_path / "00001.tar", [("000000004", {"png": png(4)})])
    with pytest.raises(SourceError, match=r"is in 00000\.parquet and in 00001\.tar"):
        Img2DatasetSource(str(tmp_path)).shards()
    other[3] = None
    pq.write_table(table(key=other), tmp_path / "00001.parquet")
    write_tar(tmp_path / "00001.tar", [("000000007", {"png": png(4)})])
    assert len(Img2DatasetSource(str(tmp_path)).shards()) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": None}, "column key is missing"),
        ({"png": None}, "column jpg, jpeg, png or webp is missing"),
        ({"png": None}, "fetch them first with `pairloom fetch`"),
        ({"key": [1, 2, 3, 4, 5]}, "column key must hold text, it holds int64"),
        ({"png": ["text"] * 5}, "column png must hold binary, it holds string"),
        ({"caption": [1] * 5}, "column caption must hold text, it holds int64"),
        ({"pwatermark": ["no"] * 5}, "column pwatermark must hold a number, it holds string"),
        ({"similarity": ["no"] * 5}, "column similarity must hold a number, it holds string"),
        ({"LANGUAGE": [1] * 5}, "column LANGUAGE must hold text, it holds int64"),
    ],
)
def test_missing_and_retyped_columns(tmp_path, changes, message):
    pq.write_table(table(**changes), tmp_path / "00001.parquet")
    source = Img2DatasetSource(str(tmp_path))
    with pytest.raises(SourceError, match=message) as caught:
        source.shards()
    assert "00001.parquet" in str(caught.value)
    assert "\n" not in str(caught.value)
    pq.write_table(table(), tmp_path / "00000.parquet")
    found = read_all(source)
    assert outcomes(found)[5:] == ["broken_shard"]
    assert found[5].key == "00001"
    assert message.split("`")[0] in found[5].detail


def test_a_parquet_file_cut_short(tmp_path):
    pq.write_table(table(), tmp_path / "00000.parquet")
    whole = (tmp_path / "00000.parquet").read_bytes()
    (tmp_path / "00001.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "00002.parquet").write_bytes(b"")
    found = read_all(Img2DatasetSource(str(tmp_path)))
    assert outcomes(found)[5:] == ["broken_shard", "broken_shard"]
    assert [row.key for row in found[5:]] == ["00001", "00002"]
    (tmp_path / "00000.parquet").unlink()
    with pytest.raises(SourceError, match=r"00001\.parquet: no readable Parquet file"):
        Img2DatasetSource(str(tmp_path)).shards()


def test_a_row_group_that_cannot_be_read_costs_its_own_rows(tmp_path):
    path = tmp_path / "00000.parquet"
    pq.write_table(table(6, png=[png(i) for i in range(6)]), path, row_group_size=2)
    column = pq.ParquetFile(path).metadata.row_group(1)
    chunk = next(c for i in range(99) if (c := column.column(i)).path_in_schema == "url")
    data = bytearray(path.read_bytes())
    place = chunk.dictionary_page_offset or chunk.data_page_offset
    data[place : place + 20] = b"\xff" * 20
    path.write_bytes(data)
    found = read_all(Img2DatasetSource(str(tmp_path)))
    assert outcomes(found)[2:4] == ["broken_shard", "broken_shard"]
    assert outcomes(found)[0] == "000000000"
    assert outcomes(found)[4:] == ["000000004", "000000005"]


def test_tar_samples_with_text_and_metadata(tmp_path):
    meta = {"url": "https://example.org/a", "punsafe": 0.5, "LICENSE": "cc0", "pwatermark": 1}
    meta |= {"language": "de", "similarity": 0.28}
    write_tar(
        tmp_path / "00000.tar",
        [
            ("000000000", {"png": png(0), "txt": b"an apple", "json": json.dumps(meta).encode()}),
            ("000000001", {"jpg": b"<html>"}),
            ("000000002", {"txt": b"words alone"}),
            ("000000003", {"png": png(3), "json": b"{"}),
            ("000000004", {"png": png(4), "json": b'{"caption": 7}'}),
            ("000000000", {"png": png(5)}),
            ("000000006", {"png": png(6), "json": b'{"caption": "a pear", "exif": "{}"}'}),
        ],
    )
    source = Img2DatasetSource(str(tmp_path))
    found = read_all(source)
    assert outcomes(found) == [
        "000000000",
        "not_an_image",
        "no_picture",
        "broken_metadata",
        "broken_metadata",
        "duplicate_key",
        "000000006",
    ]
    assert len({row.key for row in found}) == 7
    first = found[0]
    assert (first.alt_text, first.url, first.licence) == ("an apple", meta["url"], "cc0")
    assert (first.nsfw, first.watermark) == ("0.5", 1.0)
    assert (first.language, first.similarity) == ("de", 0.28)
    assert (found[6].language, found[6].similarity) == (None, None)
    assert found[6].alt_text == "a pear"
    assert source.open(first.reference) == png(0)
    assert source.open(found[6].reference) == png(6)
    (shard,) = source.shards()
    assert list(source.read(replace(shard, start=2, stop=6))) == found[2:6]


def test_a_sample_may_have_several_captions(tmp_path):
    long = json.dumps({"caption": ["a" * 40_000] * 2}).encode()
    several = json.dumps({"caption": ["a dog ", "a\nbrown dog", "a dog"]}).encode()
    write_tar(
        tmp_path / "00000.tar",
        [
            ("000000000", {"png": png(0), "txt": b"a dog", "json": several}),
            ("000000001", {"png": png(1), "json": b'{"caption": []}'}),
            ("000000002", {"png": png(2), "json": b'{"caption": ["a", 7]}'}),
            ("000000003", {"png": png(3), "json": long}),
        ],
    )
    found = read_all(Img2DatasetSource(str(tmp_path)))
    assert found[0].alt_text == "a dog\na brown dog"
    assert outcomes(found)[1:] == ["broken_metadata", "broken_metadata", "too_long_text"]


def test_the_table_beside_a_tar_tells_what_failed(tmp_path):
    write_tar(tmp_path / "00000.tar", [("000000000", {"png": png(0)})])
    beside = table(3, png=None)
    beside = beside.append_column("reject_reason", pa.array([None, "http_404", None]))
    pq.write_table(beside, tmp_path / "00000.parquet")
    source = Img2DatasetSource(str(tmp_path))
    assert [shard.name for shard in source.shards()] == ["00000"]
    found = read_all(source)
    assert outcomes(found) == ["000000000", "http_404", "no_picture"]
    assert [row.key for row in found] == ["000000000", "000000001", "000000002"]
    (tmp_path / "00000.parquet").write_bytes(b"PAR1")
    assert outcomes(read_all(source)) == ["000000000", "broken_shard"]


def test_a_tar_cut_short_gives_what_lies_before_the_cut(tmp_path):
    path = write_tar(tmp_path / "00000.tar", [(f"{i:09d}", {"png": png(i)}) for i in range(6)])
    data = path.read_bytes()
    for length in (len(data) // 2, 14 * 512 + 100):
        path.write_bytes(data[:length])
        found = read_all(Img2DatasetSource(str(path)))
        assert found
        assert [row.key for row in found[:-1]] == [f"{i:09d}" for i in range(len(found) - 1)]
        assert all(isinstance(row, SourceImage) for row in found[:-1])
        assert found[-1].reason == "broken_shard"
    damaged = bytearray(data)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        header = tar.getmembers()[3].offset
    damaged[header : header + 512] = b"\x07" * 512
    path.write_bytes(damaged)
    assert outcomes(read_all(Img2DatasetSource(str(path))))[-1] == "broken_shard"


def test_tars_that_cannot_be_used(tmp_path):
    (tmp_path / "00000.tar").write_bytes(b"not a tar" * 200)
    with pytest.raises(SourceError, match=r"00000\.tar: no readable tar file"):
        Img2DatasetSource(str(tmp_path)).shards()
    write_tar(tmp_path / "00000.tar", [])
    with pytest.raises(SourceError, match="none of the 1 files holds a row"):
        Img2DatasetSource(str(tmp_path)).shards()
    with pytest.raises(SourceError, match="there is no such file or folder"):
        Img2DatasetSource(str(tmp_path / "nowhere")).shards()
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"no \.tar or \.parquet file here"):
        Img2DatasetSource(str(tmp_path / "empty")).shards()


def test_a_large_member_is_not_read(tmp_path):
    write_tar(
        tmp_path / "00000.tar", [("a", {"png": png(0) + bytes(5_000)}), ("b", {"png": png(1)})]
    )
    source = Img2DatasetSource(str(tmp_path), limits=PictureLimits(max_bytes=5_000))
    assert outcomes(read_all(source)) == ["too_large_file", "b"]


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "00000.tar",
        "00000.tar#x",
        "00000.tar#0+9",
        "00000.tar#0+999999999",
        "00009.tar#0+9",
        "../00000.tar#0+9",
        "%2Fx.tar#0+9",
        "00001.parquet#0",
        "00001.parquet#9.0",
        "00001.parquet#0.99",
        "00001.parquet#0.1",
    ],
)
def test_references_that_lead_nowhere(tmp_path, reference):
    write_tar(tmp_path / "00000.tar", [("a", {"png": png(0)})])
    pq.write_table(table(), tmp_path / "00001.parquet")
    with pytest.raises(SourceError) as caught:
        Img2DatasetSource(str(tmp_path)).open(reference)
    assert "\n" not in str(caught.value)


def test_a_shard_that_vanishes_after_planning(tmp_path):
    pq.write_table(table(), tmp_path / "00000.parquet")
    source = pickle.loads(pickle.dumps(Img2DatasetSource(str(tmp_path))))
    (shard,) = source.shards()
    (tmp_path / "00000.parquet").unlink()
    found = list(source.read(shard))
    assert len(found) == 5
    assert all(isinstance(row, Reject) and row.reason == "broken_shard" for row in found)
    assert len({row.key for row in found}) == 5
    (gone,) = source.read(SourceShard("x", str(tmp_path / "x.tar"), 0, 1))
    assert gone.key == "x"
