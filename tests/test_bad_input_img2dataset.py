"""What img2dataset left that cannot be used, wholly or in part."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.command_line import (
    CAPTIONS,
    build_command,
    pairs_of,
    refused_source,
    verify,
)
from fakes.img2dataset import write_captioned_parquet, write_captioned_tar
from fakes.pictures import picture_bytes


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"drop": ("key",)}, "column key is missing"),
        ({"drop": ("png",)}, "column jpg, jpeg, png or webp is missing"),
        ({"key": [1, 2, 3, 4, 5, 6]}, "column key must hold text, it holds int64"),
        ({"png": ["text"] * 6}, "column png must hold binary, it holds string"),
        ({"caption": [1.5] * 6}, "column caption must hold text, it holds double"),
        ({"pwatermark": ["no"] * 6}, "column pwatermark must hold a number, it holds string"),
    ],
)
def test_a_parquet_file_with_missing_or_retyped_columns(tmp_path, change, said):
    path = write_captioned_parquet(tmp_path / "source" / "00000.parquet", **change)
    line = refused_source(path.parent, tmp_path)
    assert line.startswith(f"{path}: ")
    assert said in line


def test_a_parquet_file_of_links_is_told_from_one_of_pictures(tmp_path):
    path = tmp_path / "links.parquet"
    pq.write_table(pa.table({"URL": ["https://example.org/1.png"], "TEXT": ["a red apple"]}), path)
    assert "fetch them first with `pairloom fetch`" in refused_source(path, tmp_path)


@pytest.mark.parametrize("kept", [0, 3, 700, -1])
def test_a_parquet_file_cut_short(tmp_path, kept):
    path = write_captioned_parquet(tmp_path / "00000.parquet")
    path.write_bytes(path.read_bytes()[:kept])
    line = refused_source(path, tmp_path)
    assert line.startswith(f"{path}: no readable Parquet file: ")


def test_one_broken_parquet_file_among_good_ones_becomes_a_reject(tmp_path):
    folder = tmp_path / "source"
    write_captioned_parquet(folder / "00000.parquet")
    broken = write_captioned_parquet(folder / "00001.parquet")
    broken.write_bytes(broken.read_bytes()[:700])
    write_captioned_parquet(
        folder / "00002.parquet", key=[f"{number:09d}" for number in range(6, 12)]
    )
    built = build_command(folder, tmp_path / "pairs")
    assert built.code == 0, built.err
    assert built.counts["rejects"]["read"] == {"broken_shard": 1}
    assert built.counts["sources"] == 13
    assert built.counts["sources_with_pairs"] == 12
    assert verify(tmp_path / "pairs").code == 0


def test_two_downloads_in_one_folder(tmp_path):
    folder = tmp_path / "source"
    write_captioned_parquet(folder / "00000.parquet")
    write_captioned_parquet(
        folder / "00001.parquet", key=[f"{number:09d}" for number in range(5, 11)]
    )
    line = refused_source(folder, tmp_path)
    rule = "keys must be unique, 000000005 is in 00000.parquet and in 00001.parquet"
    assert line.startswith(f"{folder}: {rule}: files of two downloads")


def test_damage_inside_a_parquet_file_costs_the_rows_it_hits(tmp_path):
    path = write_captioned_parquet(tmp_path / "00000.parquet")
    place = pq.read_metadata(path).row_group(1).column(5)
    assert place.path_in_schema == "png"
    start = place.dictionary_page_offset or place.data_page_offset
    data = bytearray(path.read_bytes())
    data[start : start + 100] = b"\xff" * 100
    path.write_bytes(data)
    built = build_command(path, tmp_path / "pairs")
    assert built.code == 0, built.err
    assert built.counts["rejects"]["read"] == {"broken_shard": 2}
    assert (built.counts["sources"], built.counts["sources_with_pairs"]) == (6, 4)
    assert verify(tmp_path / "pairs").code == 0


def test_rows_of_a_parquet_file_that_are_bad_become_rejects(tmp_path):
    good = [picture_bytes(number) for number in range(6)]
    path = write_captioned_parquet(
        tmp_path / "00000.parquet",
        png=[good[0], None, b"no picture", good[3], good[4], good[5][:500]],
        status=["success"] * 4 + ["failed_to_download", "success"],
        error_message=[None] * 4 + ["HTTP Error 404: Not Found", None],
        key=["a", "b", "c", "a", "e", "f"],
    )
    built = build_command(path, tmp_path / "pairs")
    assert built.code == 0, built.err
    assert built.counts["rejects"]["read"] == {
        "duplicate_key": 1,
        "failed_to_download": 1,
        "no_picture": 1,
        "not_an_image": 1,
        "truncated": 1,
    }
    assert (built.counts["sources"], built.counts["sources_with_pairs"]) == (6, 1)
    assert verify(tmp_path / "pairs").code == 0


def any_bytes(values):
    """A column of text that nobody checked for being UTF-8."""
    return pa.array(values, pa.binary()).view(pa.string())


def test_text_in_a_parquet_file_that_is_not_utf_8(tmp_path):
    captions = [caption.encode() for caption in CAPTIONS]
    captions[1] = b"a green apple on the \xff\xfe bus"
    path = write_captioned_parquet(
        tmp_path / "00000.parquet",
        caption=any_bytes(captions),
        key=any_bytes([b"a", b"b", b"c\xff", b"d", b"e", b"f"]),
    )
    built = build_command(path, tmp_path / "pairs")
    assert built.code == 0, built.err
    assert (built.counts["sources"], built.counts["sources_with_pairs"]) == (6, 6)
    assert any("\ufffd" in row["caption"] for row in pairs_of(tmp_path / "pairs"))
    assert "c\ufffd" in {row["source_key"] for row in pairs_of(tmp_path / "pairs")}
    assert verify(tmp_path / "pairs").code == 0


def test_metadata_in_a_tar_that_are_none(tmp_path):
    path = write_captioned_tar(
        tmp_path / "00000.tar",
        n0=b'{"caption": "a red apple on the \\ud800 bus", "url": "\\udfff"}',
        n1=b"{",
        n2=b'{"caption": 5}',
        n3=b"[]",
        n4=b"\xff\xfe",
    )
    built = build_command(path, tmp_path / "pairs")
    assert built.code == 0, built.err
    assert built.counts["rejects"]["read"] == {"broken_metadata": 4}
    assert (built.counts["sources"], built.counts["sources_with_pairs"]) == (6, 2)
    assert verify(tmp_path / "pairs").code == 0


def test_a_tar_cut_short_gives_what_lies_before_the_cut(tmp_path):
    path = write_captioned_tar(tmp_path / "00000.tar")
    path.write_bytes(path.read_bytes()[:20_000])
    built = build_command(path, tmp_path / "pairs")
    assert built.code == 0, built.err
    assert built.counts["rejects"]["read"] == {"broken_shard": 1}
    assert 1 <= built.counts["sources_with_pairs"] < 6
    assert built.counts["sources"] == built.counts["sources_with_pairs"] + 1
    assert verify(tmp_path / "pairs").code == 0


def test_a_file_that_is_no_tar(tmp_path):
    path = tmp_path / "00000.tar"
    path.write_bytes(b"no tar at all\n" * 100)
    assert refused_source(path, tmp_path).startswith(f"{path}: ")
