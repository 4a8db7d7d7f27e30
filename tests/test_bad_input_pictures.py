"""Bad picture files among good ones: each becomes a Reject, and the others come through."""

import hashlib
import io
import os
import struct
import zlib

import numpy as np
import pytest
from fakes.command_line import (
    CAPTIONS,
    add_picture,
    build_command,
    index_command,
    make_collection,
    pairs_of,
    rejects_of,
    verify,
)
from fakes.pictures import picture_bytes
from PIL import Image

CAPTION = CAPTIONS[0]
NOT_UTF8 = b"gr\xfcn.png"


def huge_png():
    """A small file whose header claims 100 megapixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(64)))
        + chunk(b"IEND", b"")
    )


def grey_16_bit():
    values = np.random.default_rng(7).integers(0, 65536, (32, 32), dtype=np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def animated_gif():
    frames = [
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8))
        for seed in (50, 51)
    ]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


BAD = {
    "text.png": (b"this is not a picture, whatever its name says\n" * 3, "not_an_image"),
    "half.png": (picture_bytes(90)[:1000], "truncated"),
    "half.jpg": (picture_bytes(91, file_format="JPEG")[:500], "truncated"),
    "empty.png": (b"", "empty_file"),
    "huge.png": (huge_png(), "too_many_pixels"),
}
"""Name -> the file and why it is turned away."""

ODD = {
    "cmyk.jpg": lambda: picture_bytes(80, mode="CMYK", file_format="JPEG"),
    "deep.png": grey_16_bit,
    "grey.png": lambda: picture_bytes(81, mode="L"),
    "palette.png": lambda: picture_bytes(82, mode="P"),
    "alpha.png": lambda: picture_bytes(83, mode="RGBA"),
    "one_bit.png": lambda: picture_bytes(84, mode="1"),
    "moving.gif": animated_gif,
    "picture.bmp": lambda: picture_bytes(85, file_format="BMP"),
    "text_by_name.dat": lambda: picture_bytes(86),
}
"""Unusual, but pictures."""


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A folder of good, odd and bad files, its index, and a data set built from both."""
    root = tmp_path_factory.mktemp("mixed")
    folder = make_collection(root / "pictures")
    for name, (data, _) in BAD.items():
        add_picture(folder, name, data, CAPTION)
    for name, data in ODD.items():
        add_picture(folder, name, data(), CAPTION)
    add_picture(folder, "copy-of-good-000.png", picture_bytes(0), CAPTION)
    add_picture(folder, "silent.png", picture_bytes(70))
    add_picture(folder, "wordless.png", picture_bytes(71), " \n\t ")
    add_picture(folder, "nothing_to_change.png", picture_bytes(72), "there it is, as ever")
    add_picture(folder, "unknown_word.png", picture_bytes(73), "a frobnicated blorpswizzle")
    # Paths are bytes; this name has no letters in it that anybody can tell.
    (folder / os.fsdecode(NOT_UTF8)).write_bytes(picture_bytes(74))
    (folder / os.fsdecode(NOT_UTF8.replace(b".png", b".txt"))).write_text(CAPTION)
    os.mkfifo(folder / "pipe.png")
    (folder / "nowhere.png").symlink_to(root / "not_there.png")
    index = index_command(folder, root / "index")
    built = build_command(folder, root / "pairs", index=root / "index")
    return folder, root, index, built


def reasons_by_name(rows):
    """Reason of every reject that names its file, by that name."""
    return {row["detail"].partition(":")[0]: row["reason"] for row in rows if row["detail"]}


def test_index_takes_the_good_and_the_odd_ones(mixed):
    folder, root, index, _ = mixed
    assert index.code == 0, index.err
    assert index.err == ""
    counts = index.counts
    rows = [path for path in folder.iterdir() if path.suffix != ".txt"]
    assert counts["sources"] == len(rows)
    # 6 good ones, the odd ones, two whose words lead nowhere, and the one with the odd name.
    assert counts["indexed"] == 6 + len(ODD) + 3
    assert counts["indexed"] + sum(counts["rejects"].values()) == counts["sources"]
    assert counts["rejects"]["caption: no_caption"] == 2
    assert (root / "index" / "COMPLETED").exists()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_becomes_a_reject_that_says_why(mixed, name):
    _, root, _, _ = mixed
    for made in ("index", "pairs"):
        assert reasons_by_name(rejects_of(root / made))[name] == BAD[name][1]


def test_what_is_no_picture_file_becomes_a_reject(mixed):
    _, root, _, _ = mixed
    found = reasons_by_name(rejects_of(root / "index"))
    assert found["pipe.png"] == "not_a_file"
    assert found["nowhere.png"] == "unreadable"
    # Of the two with the same content the first by name is the picture.
    assert found["good-000.png"] == "duplicate"
    assert "copy-of-good-000.png" not in found


def test_the_good_and_the_odd_ones_become_pairs(mixed):
    _, root, _, built = mixed
    assert built.code == 0, built.err
    assert built.err == ""
    rows = rejects_of(root / "pairs")
    with_pairs = {row["source_key"] for row in pairs_of(root / "pairs")}
    assert len(with_pairs) == built.counts["sources_with_pairs"] == 6 + len(ODD) + 1
    whole = {row["reason"] for row in rows if row["stage"] == "rewrite"}
    assert whole == {"nothing_to_change"}
    changeless = [row for row in rows if row["reason"] == "nothing_to_change"]
    assert {row["caption"] for row in changeless} == {
        "there it is, as ever",
        "a frobnicated blorpswizzle",
    }


def test_every_source_ends_in_a_pair_or_a_reject(mixed):
    folder, root, index, built = mixed
    rows = [path for path in folder.iterdir() if path.suffix != ".txt"]
    assert built.counts["sources"] == index.counts["sources"] == len(rows)
    with_pairs = {row["source_key"] for row in pairs_of(root / "pairs")}
    with_rejects = {row["key"] for row in rejects_of(root / "pairs")}
    assert len(with_pairs | with_rejects) == len(rows)
    checked = verify(root / "pairs")
    assert checked.code == 0, checked.out
    assert checked.counts["ok"]


def test_a_name_that_is_not_text_comes_through_to_the_pair(mixed):
    _, root, _, _ = mixed
    key = hashlib.sha256(picture_bytes(74)).hexdigest()[:32]
    assert key in {row["source_key"] for row in pairs_of(root / "pairs")}


def test_a_picture_that_goes_away_between_index_and_build_becomes_a_reject(tmp_path):
    folder = make_collection(tmp_path / "pictures")
    pool = make_collection(tmp_path / "pool")
    assert index_command(pool, tmp_path / "index").code == 0
    for path in pool.glob("*.png"):
        path.unlink()
    built = build_command(folder, tmp_path / "pairs", index=tmp_path / "index")
    assert built.code == 0, built.err
    assert built.counts["pairs"] == 0
    assert built.counts["rejects"]["segment"] == {"target_gone": 6}
    assert built.counts["sources"] == 6
    assert verify(tmp_path / "pairs").code == 0


def test_a_picture_that_changes_between_index_and_build_is_not_paired_as_another(tmp_path):
    folder = make_collection(tmp_path / "pictures")
    pool = make_collection(tmp_path / "pool")
    assert index_command(pool, tmp_path / "index").code == 0
    for number, path in enumerate(sorted(pool.glob("*.png"))):
        path.write_bytes(picture_bytes(500 + number))
    built = build_command(folder, tmp_path / "pairs", index=tmp_path / "index")
    assert built.code == 0, built.err
    assert built.counts["pairs"] == 0
    assert built.counts["rejects"]["write"] == {"picture_gone": 6}
    assert verify(tmp_path / "pairs").code == 0


def test_a_folder_whose_every_file_is_bad_fails_in_one_line(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, (data, _) in BAD.items():
        add_picture(folder, name, data, CAPTION)
    outcome = index_command(folder, tmp_path / "index")
    assert f"none of {len(BAD)} could be indexed: " in outcome.error
    assert not (tmp_path / "index" / "COMPLETED").exists()
    built = build_command(folder, tmp_path / "pairs")
    assert built.code == 0, built.err
    assert (built.counts["pairs"], built.counts["sources"]) == (0, len(BAD))
    assert verify(tmp_path / "pairs").code == 0
