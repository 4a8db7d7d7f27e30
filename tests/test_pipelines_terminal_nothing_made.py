"""When nothing comes of a job the line says why and how often."""

import pytest
from fakes.command_line import add_picture, build_command, index_command, pool_folder, run, verify

from pipelines.terminal.nothing_made import count_reasons, nothing_made
from pipelines.terminal.printable import one_line, printable


@pytest.fixture
def spoilt(tmp_path):
    """A folder of three files none of which is a picture, two of them the same."""
    folder = tmp_path / "spoilt"
    folder.mkdir()
    for number, data in enumerate((b"no picture", b"no picture", b"nor this one")):
        add_picture(folder, f"{number}.png", data)
    return folder


def test_reasons_are_counted_over_stages_and_the_most_frequent_comes_first():
    rejects = {"read": {"late": 2, "huge": 3}, "fetch": {"late": 2}, "write": {"never": 0}}
    assert count_reasons(rejects) == "4 late, 3 huge"
    assert nothing_made("pair", {}, where="x") == "no pair: none was given (the rejects are in x)"


def test_an_index_of_nothing_is_an_error_that_says_why(spoilt, tmp_path):
    outcome = index_command(spoilt, tmp_path / "index")
    assert outcome.code == 1
    assert "none of 3 could be indexed: 2 not_an_image, 1 duplicate (the rej" in outcome.error
    assert (tmp_path / "index" / "rejects").is_dir()


def test_a_data_set_of_no_pairs_is_whole_and_says_why(spoilt, tmp_path):
    outcome = build_command(spoilt, tmp_path / "pairs")
    assert outcome.code == 0
    assert outcome.err == (
        "pairloom: note: no pair of 3 pictures could be made: 2 not_an_image, 1 duplicate "
        f"(the rejects are in {tmp_path / 'pairs'})\n"
    )
    assert verify(tmp_path / "pairs").code == 0


def test_thresholds_that_nothing_passes_are_told_and_what_needs_pairs_refuses(tmp_path):
    assert build_command(pool_folder(), tmp_path / "pairs").code == 0
    strict = ("--threshold", "text_image_target=1")
    outcome = run("rethreshold", tmp_path / "pairs", "--out", tmp_path / "none", *strict)
    assert outcome.code == 0
    assert outcome.err.startswith("pairloom: note: no pair of ")
    edits = ("--editor", "copy", "--out", tmp_path / "edits")
    refused = run("edit-images", tmp_path / "none", *edits)
    assert refused.code == 1
    assert "no pair of 6 pictures is in the data set: " in refused.error
    assert not (tmp_path / "edits").exists()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\u202eright to left", "\\u202eright to left"),
        ("\udcff", "\\udcff"),
        ("\x9b2J", "\\x9b2J"),
        ("käse 北京 🙂", "käse 北京 🙂"),
    ],
)
def test_no_text_moves_the_cursor(text, shown):
    assert printable(text) == shown
    assert one_line(f"a\n {text}\r\n b") == f"a {shown} b"
