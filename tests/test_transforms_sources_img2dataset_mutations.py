"""Whatever is in a tar or a Parquet file: rows come out, or the source's own error."""

import io
import json
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.mutations import mend_checksums, mutations
from fakes.pictures import picture_bytes

from transforms.pictures.decoding import PictureError
from transforms.protocols import SourceError
from transforms.record import Reject, SourceImage
from transforms.sources.columns import from_mapping
from transforms.sources.img2dataset import Img2DatasetSource
from transforms.sources.tar_index import index_tar
from transforms.sources.tar_members import TarError
from transforms.sources.texts import clean_text, decode_text

PICTURE = picture_bytes(1, size=(16, 16))


def tar_bytes(form, *, folder=""):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for number in range(3):
            told = json.dumps({"caption": "a red apple"}).encode()
            for ending, data in (("png", PICTURE), ("json", told), ("txt", "a café".encode())):
                member = tarfile.TarInfo(f"{folder}{number:09d}.{ending}")
                member.size, member.mtime = len(data), 1.5
                tar.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "000000001.png"
        tar.addfile(link)
        sparse = tarfile.TarInfo("sparse.png")
        sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.name": "sparse.png"}
        sparse.size = 512
        tar.addfile(sparse, io.BytesIO(b"1\n0\n9\n".ljust(512, b"\0")))
    return buffer.getvalue()


def parquet_bytes(**options):
    buffer = io.BytesIO()
    columns = {
        "key": [f"{number:09d}" for number in range(6)],
        "caption": ["a red apple", None, "a pear", "", "a café", "a bus"],
        "status": ["success"] * 5 + ["failed_to_download"],
        "pwatermark": [0.5] * 6,
        "png": [PICTURE] * 6,
    }
    pq.write_table(pa.table(columns), buffer, row_group_size=3, **options)
    return buffer.getvalue()


TARS = [
    tar_bytes(tarfile.PAX_FORMAT),
    tar_bytes(tarfile.GNU_FORMAT, folder="d" * 120 + "/"),
    tar_bytes(tarfile.PAX_FORMAT, folder="é" * 99 + "/"),
]
TABLES = [
    parquet_bytes(),
    parquet_bytes(compression="gzip", use_dictionary=False, store_schema=False),
    parquet_bytes(data_page_version="2.0", compression="none", write_page_index=True),
    parquet_bytes(use_dictionary=False, column_encoding={"key": "DELTA_BYTE_ARRAY"}),
]


def check_rows(path):
    """Every row is a record, in order, under a key that can be printed; or the source is refused.

    Returns how many pictures there were.
    """
    source = Img2DatasetSource(str(path))
    try:
        shards = source.shards()
    except SourceError:
        return 0
    rows = [row for shard in shards for row in source.read(shard)]
    assert [row.position for row in rows] == list(range(shards[0].stop))
    assert len({row.key for row in rows}) == len(rows)
    for row in rows:
        assert isinstance(row, SourceImage | Reject)
        assert row.key.isascii() or row.key.encode()
        said = row.key + getattr(row, "detail", "")
        assert not any(character < " " for character in said)
    return sum(isinstance(row, SourceImage) for row in rows)


def test_indexes_of_damaged_tars(tmp_path):
    path = tmp_path / "00000.tar"
    found = 0
    for data in mutations(TARS, 1000):
        for changed in (data, mend_checksums(data)):
            path.write_bytes(changed)
            try:
                samples, fault = index_tar(path)
            except TarError:
                continue
            assert fault or samples
            found += len(samples)
            for sample in samples:
                for offset, size in sample.members.values():
                    assert 0 <= offset <= offset + size <= len(changed)
    assert found > 1500


@pytest.mark.parametrize(
    ("name", "files", "count"), [("00000.tar", TARS, 300), ("00000.parquet", TABLES, 700)]
)
def test_rows_of_damaged_files(tmp_path, name, files, count):
    path = tmp_path / name
    pictures = 0
    for data in mutations(files, count, seed=1):
        path.write_bytes(mend_checksums(data))
        pictures += check_rows(path)
    assert pictures > 200


def test_damaged_tables_beside_a_tar(tmp_path):
    (tmp_path / "00000.tar").write_bytes(TARS[0])
    for data in mutations(TABLES, 100, seed=2):
        (tmp_path / "00000.parquet").write_bytes(data)
        assert check_rows(tmp_path / "00000.tar") == 4


def test_damaged_texts_and_metadata():
    texts = ["a café".encode(), "a café".encode("utf-16"), "a red apple".encode("utf-32-be")]
    told = [json.dumps({"caption": "é", "pwatermark": 1e300, "NSFW": "0", "key": "x"}).encode()]
    reasons = set()
    for data in mutations([text * 8 for text in texts], 2000):
        try:
            text = clean_text(decode_text(data, "a.txt"))
        except PictureError as error:
            reasons.add(error.reason)
        else:
            assert text is None or (text.encode() and "\n" not in text)
    for data in mutations(told, 2000):
        try:
            found = json.loads(data)
            if isinstance(found, dict):
                from_mapping(found)
        except PictureError as error:
            reasons.add(error.reason)
        except (ValueError, RecursionError):
            continue
    assert reasons == {"broken_text", "broken_metadata"}
