"""Texts and keys from outside."""

import os
import socket

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.img2dataset import write_tar
from fakes.pictures import picture_bytes
from fakes.records import read_all

from transforms.pictures.decoding import PictureError
from transforms.record import SourceImage
from transforms.sources.folder import FolderSource
from transforms.sources.img2dataset import Img2DatasetSource
from transforms.sources.texts import MAX_TEXT_BYTES, clean_text, decode_text, is_long_key, safe_key

WORDS = "a small red caf\u00e9 apple"
RUSSIAN = "\u043a\u0440\u0430\u0441\u043d\u043e\u0435 \u044f\u0431\u043b\u043e\u043a\u043e"


def png(seed):
    return picture_bytes(seed, size=(16, 16))


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "latin-1", "cp1252"],
)
def test_encodings_that_are_known(encoding):
    assert decode_text(WORDS.encode(encoding), "a.txt") == WORDS


@pytest.mark.parametrize("mark", ["utf-16-be", "utf-32-be"])
def test_marks_of_the_other_byte_order(mark):
    assert decode_text(("\ufeff" + WORDS).encode(mark), "a.txt") == WORDS


@pytest.mark.parametrize(
    "data",
    [
        RUSSIAN.encode("cp1251"),
        RUSSIAN.encode("koi8-r"),
        "\u8d64\u3044\u308a\u3093\u3054".encode("shift-jis"),
        bytes(range(128, 256)),
        b"\xff\xfe\x00",
        bytes(40),
        b"\x00\x01\x02\xff" * 10,
    ],
)
def test_encodings_that_are_not(data):
    with pytest.raises(PictureError, match=r"broken_text: a\.txt is in no known encoding"):
        decode_text(data, "a.txt")


def test_a_character_that_was_cut_through():
    data = ("x" * (MAX_TEXT_BYTES - 1) + "\u00e9").encode()[:MAX_TEXT_BYTES]
    assert decode_text(data, "a.txt") == "x" * (MAX_TEXT_BYTES - 1)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (" a red\r\n apple\t", "a red apple"),
        ("a\0b\x1b[31m\x07", "a b [31m"),
        ("a \u202egnp\u202c", "a gnp"),
        ("a\u200bb", "a\u200bb"),
        ("\ud800 a", "\ufffd a"),
        (" \n", None),
        ("\u200b\u202e", None),
        ("", None),
    ],
)
def test_what_is_kept_of_a_text(text, cleaned):
    assert clean_text(text) == cleaned


@pytest.mark.parametrize(
    "key", ["000000001", "a/b", "caf\u00e9", "a b", "100%", "https://x.org/a.png?b=1", "..a", "a.."]
)
def test_good_keys_stay_as_they_are(key):
    assert safe_key(key) == key
    assert not is_long_key(key)


@pytest.mark.parametrize(
    ("key", "safe"),
    [
        ("a\nb", "a%0Ab"),
        ("a\0", "a%00"),
        ("\x1b[2J", "%1B[2J"),
        ("..", "%2E%2E"),
        ("../a/./..", "%2E%2E/a/%2E/%2E%2E"),
        ("/etc/passwd", "%2Fetc/passwd"),
        ("a\\b", "a%5Cb"),
        ("\u2028", "%E2%80%A8"),
    ],
)
def test_keys_that_are_not_safe(key, safe):
    assert safe_key(key) == safe


def table(path, **columns):
    count = len(columns.get("key", "ab"))
    whole = {"key": ["a", "b"][:count], "png": [png(row) for row in range(count)]} | columns
    pq.write_table(pa.table(whole), path)
    found = read_all(Img2DatasetSource(str(path)))
    return [
        (row.key, row.alt_text) if isinstance(row, SourceImage) else row.reason for row in found
    ]


def test_keys_of_a_table(tmp_path):
    keys = ["a\nb", "../x", "k" * 5000, "", "a%0Ab"]
    assert table(tmp_path / "a.parquet", key=keys) == [
        ("a%0Ab", None),
        ("%2E%2E/x", None),
        "too_long_key",
        "no_key",
        "duplicate_key",
    ]


NO_VALUES = (
    b'{"caption": NaN, "NSFW": NaN, "pwatermark": Infinity, '
    b'"LANGUAGE": NaN, "similarity": -Infinity}'
)
STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"caption": pa.array([float("nan"), None])}, [("a", None), ("b", None)]),
        (
            {"caption": pa.nulls(2), "LICENSE": pa.array([float("nan")] * 2)},
            [("a", None), ("b", None)],
        ),
        ({"caption": ["x", "y" * 70_000]}, [("a", "x"), "too_long_text"]),
        ({"caption": pa.array(["x", "y"], pa.large_string())}, [("a", "x"), ("b", "y")]),
        ({"caption": pa.array(["x", "y"], pa.string_view())}, [("a", "x"), ("b", "y")]),
        ({"caption": pa.array(["x", "x"]).dictionary_encode()}, [("a", "x"), ("b", "x")]),
        ({"key": pa.array(["a", "b"]).dictionary_encode()}, [("a", None), ("b", None)]),
        ({"key": pa.nulls(2)}, ["no_key", "no_key"]),
        (
            {"png": pa.array([{"bytes": png(1), "path": "x"}, {"bytes": None}], STRUCT)},
            [("a", None), "no_picture"],
        ),
        ({"png": pa.array([png(1), None], pa.large_binary())}, [("a", None), "no_picture"]),
        ({"pwatermark": pa.array([1, 2], pa.decimal128(5))}, [("a", None), ("b", None)]),
        ({"pwatermark": [float("inf"), float("nan")]}, [("a", None), ("b", None)]),
    ],
)
def test_types_that_a_column_may_have(tmp_path, columns, found):
    assert table(tmp_path / "a.parquet", **columns) == found


def test_texts_and_metadata_of_a_tar(tmp_path):
    members = [
        ("n0", {"png": png(0), "txt": WORDS.encode("utf-16")}),
        ("n1", {"png": png(1), "TXT": RUSSIAN.encode("cp1251")}),
        ("n2", {"png": png(2), "json": NO_VALUES}),
        ("n3", {"png": png(3), "json": b'\xef\xbb\xbf{"caption": "\\u0000x"}'}),
        ("n4", {"png": png(4), "json": b"[" * 100_000}),
        ("n5", {"png": png(5), "json": b'{"pwatermark": 1%s}' % (b"0" * 400)}),
        ("n6", {"png": png(6), "json": b'{"pwatermark": 1%s}' % (b"0" * 5000)}),
        ("n7", {"png": png(7), "json": b'{"caption": "%s"}' % (b"x" * 70_000)}),
        ("n8", {"png": png(8), "json": b'{"caption": "a", "caption": "b"}'}),
    ]
    write_tar(tmp_path / "00000.tar", members)
    found = read_all(Img2DatasetSource(str(tmp_path)))
    assert [getattr(row, "reason", getattr(row, "alt_text", None)) for row in found] == [
        WORDS,
        "broken_text",
        None,
        "x",
        "broken_metadata",
        None,
        "broken_metadata",
        "too_long_text",
        "b",
    ]
    assert (found[2].nsfw, found[2].watermark, found[5].watermark) == (None, None, None)
    assert (found[2].language, found[2].similarity) == (None, None)


def test_texts_beside_pictures_of_a_folder(tmp_path, monkeypatch):
    texts = {"a.txt": b"one", "b.TXT": b"two", "c.JPG.txt": b"three", "d.Txt": b"\xff\xfe\0"}
    for name, data in texts.items():
        (tmp_path / name).write_bytes(data)
    for number, name in enumerate(("a.jpeg", "b.png", "c.JPG", "d.png", "n" * 251 + ".png")):
        (tmp_path / name).write_bytes(png(number))
    found = read_all(FolderSource(str(tmp_path)))
    said = [getattr(row, "reason", getattr(row, "alt_text", None)) for row in found]
    assert said == ["one", "two", "three", "broken_text", None]
    assert "d.Txt is in no known encoding" in found[3].detail


def test_what_is_no_picture_file_in_a_folder(tmp_path, monkeypatch):
    (tmp_path / "good.png").write_bytes(png(0))
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "good.txt")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
    found = read_all(FolderSource(str(tmp_path)))
    reasons = [getattr(row, "reason", getattr(row, "alt_text", None)) for row in found]
    assert reasons == [None, "unreadable", "not_a_file", "not_a_file"]
