"""What else is in a tar of samples, and how their names may be spelled."""

import bz2
import gzip
import io
import lzma
import os
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.pictures import picture_bytes
from fakes.records import read_all

from transforms.protocols import SourceError
from transforms.record import SourceImage
from transforms.sources.img2dataset import Img2DatasetSource

LINK = tarfile.SYMTYPE


def png(seed):
    return picture_bytes(seed, size=(16, 16))


def member(name, data=b"", *, kind=tarfile.REGTYPE, target="", **headers):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.pax_headers = kind, target, headers
    info.size = len(data)
    return info, data


def tar_of(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def outcomes(folder, *files):
    """Keys of pictures and reasons of rejects of a folder with these tars."""
    folder.mkdir(exist_ok=True)
    for number, data in enumerate(files):
        (folder / f"{number:05d}.tar").write_bytes(data)
    found = read_all(Img2DatasetSource(str(folder)))
    assert len({row.key for row in found}) == len(found)
    return [getattr(row, "reason", row.key) for row in found]


@pytest.mark.parametrize(
    ("name", "rejects"),
    [
        ("._0.png", []),
        (".DS_Store", []),
        ("__MACOSX/._0.png", []),
        (".thumbs/0.png", []),
        ("pax_global_header", []),
        ("@LongLink", []),
        ("README", ["no_picture"]),
        ("README.md", ["no_picture"]),
        ("README.txt", ["no_picture"]),
        ("checksums.md5", ["no_picture"]),
        ("index.json", ["no_picture"]),
    ],
)
def test_members_that_are_no_samples(tmp_path, name, rejects):
    first = tar_of(member("a.png", png(0)), member(name, b"something"))
    second = tar_of(member("b.png", png(1)), member(name, b"something"))
    assert outcomes(tmp_path, first, second) == ["a", *rejects, "b", *rejects]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("./000.png", "000"),
        ("/000.png", "000"),
        (".//a/./000.PNG", "a/000"),
        ("a//000.png ", "a/000"),
        ("../../000.png", "%2E%2E/%2E%2E/000"),
        ("a/../000.png", "a/%2E%2E/000"),
        ("a\\000.png", "a%5C000"),
        ("a\n\x1b[31m.png", "a%0A%1B[31m"),
        ("a\u202egnp.png", "a%E2%80%AEgnp"),
        ("caf\udce9.png", "caf%E9"),
        ("a b%20\u00e9.png", "a b%20\u00e9"),
    ],
)
def test_spellings_of_a_name(tmp_path, name, key):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        info, data = member(name, png(0))
        tar.addfile(info, io.BytesIO(data))
    assert outcomes(tmp_path, buffer.getvalue()) == [key]


def test_the_table_beside_a_tar_of_other_spellings(tmp_path):
    keys = ["000", "001", "002"]
    failed = {"key": keys, "status": ["success", "success", "failed_to_download"]}
    pq.write_table(pa.table(failed), tmp_path / "00000.parquet")
    data = tar_of(*(member(f"./{key}.png", png(0)) for key in keys[:2]))
    assert outcomes(tmp_path, data) == ["000", "001", "failed_to_download"]


def test_members_of_a_sample_need_not_be_neighbours(tmp_path):
    data = tar_of(
        member("e\u0301.png", png(0)),
        member("b.PNG", png(1)),
        member("b.txt", b"a bus"),
        member("\u00e9.txt", b"a pear"),
        member("b.jpg", b"the first ending counts"),
    )
    assert outcomes(tmp_path, data) == ["e\u0301", "not_an_image"]
    (first, _) = read_all(Img2DatasetSource(str(tmp_path)))
    assert first.alt_text == "a pear"


def test_links_are_followed_within_the_tar(tmp_path):
    data = tar_of(
        member("later.png", kind=LINK, target="d/b.png"),
        member("a.png", png(0)),
        member("d/b.png", kind=LINK, target="../a.png"),
        member("hard.png", kind=tarfile.LNKTYPE, target="a.png"),
        member("self.png", kind=LINK, target="self.png"),
        member("out.png", kind=LINK, target="../../../etc/passwd"),
        member("root.png", kind=LINK, target="/a.png"),
        member("pipe.png", kind=tarfile.FIFOTYPE),
        member("device.png", kind=tarfile.CHRTYPE),
    )
    assert outcomes(tmp_path, data) == ["later", "a", "d/b", "hard", *["no_picture"] * 5]
    details = [getattr(row, "detail", "") for row in read_all(Img2DatasetSource(str(tmp_path)))]
    assert "out: the sample holds only: png (a link to what the tar does not hold)" in details
    assert "pipe: the sample holds only: png (a device, pipe or something else)" in details


def test_archives_that_were_joined(tmp_path):
    first, second = tar_of(member("a.png", png(0))), tar_of(member("b.png", png(1)))
    assert outcomes(tmp_path, first + second) == ["a", "b"]
    assert outcomes(tmp_path, first + bytes(100)) == ["a"]
    assert outcomes(tmp_path, first + b"no tar" * 100) == ["a", "broken_shard"]
    assert outcomes(tmp_path, first + second[:700]) == ["a", "broken_shard"]


SPARSE = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "s.png"}
GOOD = tar_of(member("z.png", png(5)))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (tar_of(member("x.png", png(0)), member("s.png", png(1), **SPARSE)), ["broken_shard"]),
        (
            tar_of(member("x.png", png(0)), member("s.png", b"1\nx\n9\n" + bytes(506), **SPARSE)),
            ["broken_shard"],
        ),
        (
            tar_of(member("x.png", png(0)), member("s.png", b"1\n0\n9\n" + bytes(506), **SPARSE)),
            ["x", "no_picture"],
        ),
        (tar_of(member("x.png", png(0), comment="c" * 2_000_000)), ["broken_shard"]),
        (tar_of(member("x.png", png(0), size="-5")), ["broken_shard"]),
        (tar_of(member("x.png", png(0), size="9" * 17)), ["broken_shard"]),
        (tar_of(member("x.png", png(0)))[:900], ["broken_shard"]),
        (tar_of(member("k" * 3000 + ".png", png(0))), ["too_long_key"]),
        (tar_of(member("x.png", b"")), ["empty_file"]),
        (gzip.compress(GOOD, mtime=0), ["broken_shard"]),
        (b"", ["broken_shard"]),
        (bytes(10_240), []),
    ],
)
def test_a_bad_shard_costs_one_reject_and_the_others_go_on(tmp_path, data, found):
    assert outcomes(tmp_path, data, GOOD) == [*found, "z"]


@pytest.mark.parametrize(
    ("pack", "name"), [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lzma.compress, "xz")]
)
def test_a_compressed_tar_says_so(tmp_path, pack, name):
    with pytest.raises(SourceError, match=rf"compressed \({name}\): decompress it first"):
        outcomes(tmp_path, pack(GOOD))


@pytest.mark.parametrize("name", ["00000.tar", "00000.parquet"])
def test_a_pipe_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(SourceError, match="it is a folder, pipe or device"):
        Img2DatasetSource(str(tmp_path)).shards()


def test_a_file_that_vanishes_while_it_is_read(tmp_path):
    path = tmp_path / "00000.tar"
    path.write_bytes(
        tar_of(*(member(f"{n}.png", picture_bytes(n, size=(99, 99))) for n in range(3)))
    )
    source = Img2DatasetSource(str(path))
    (shard,) = source.shards()
    rows = source.read(shard)
    assert isinstance(next(rows), SourceImage)
    os.truncate(path, 0)
    assert [row.reason for row in rows] in (["empty_file"] * 2, ["truncated", "empty_file"])
