"""`pairloom report`: what it writes, says and refuses."""

import argparse
import json

import pytest
from fakes.report import write_dataset
from PIL import Image

from pipelines.report import command
from pipelines.terminal.console import CommandError
from pipelines.truth import Accuracy, TruthReport


def parse(*words):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["report", *map(str, words)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data"), pairs=8, rejects=6)


def test_the_page_lies_beside_the_shards(folder, capsys):
    assert command.run(parse(folder, "--pairs", 4)) == 0
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "4 of 8 pairs shown" in capsys.readouterr().out


def test_the_last_line_is_json(folder, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert command.run(parse(folder, "--out", out, "--json")) == 0
    counts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert counts["sources"] == 14
    assert counts["pairs"] == counts["shown"] == 8
    assert sum(counts["rejects"].values()) == 6
    assert counts["problems"] == []
    assert counts["right"] is None
    assert counts["page"] == str(out)


def test_the_truth_is_asked_for_the_data_set(folder, tmp_path, capsys):
    asked = []

    def find_truth(path):
        asked.append(path)
        return TruthReport(pairs=Accuracy(7, 8))

    out = tmp_path / "page.html"
    command.run(parse(folder, "--out", out, "--json"), find_truth=find_truth)
    assert asked == [folder]
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["right"] == 7
    assert "Right, by the truth" in out.read_text(encoding="utf-8")


def test_a_sheet_can_be_drawn_as_well(folder, tmp_path, capsys):
    sheet = tmp_path / "sheet.png"
    command.run(parse(folder, "--out", tmp_path / "page.html", "--sheet", sheet))
    assert f"wrote {sheet}: 8 pairs" in capsys.readouterr().out
    with Image.open(sheet) as drawn:
        assert drawn.format == "PNG"


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (("--pairs", "0"), "--pairs must be >= 1, got 0", 2),
        (("--out", "/proc/none/page.html"), "--out must lie in a folder that is there", 1),
        (("--sheet", "/proc/none/a.png"), "--sheet must lie in a folder that is there", 1),
        (("--sheet", "/tmp"), "--sheet must be a file, got the folder /tmp", 1),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(folder, tmp_path, words, message, code):
    with pytest.raises(CommandError, match=message) as caught:
        command.run(parse(folder, "--out", tmp_path / "page.html", *words))
    assert caught.value.exit_code == code
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_data_set(tmp_path):
    with pytest.raises(CommandError, match="no build has finished there") as caught:
        command.run(parse(tmp_path))
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []
