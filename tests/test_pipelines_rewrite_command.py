import json

import pytest

from pipelines.main import main
from stilllife.scene import draw_scene

CAPTIONS = "a\ta man in a red jacket\nb\ta woman in a blue jacket\n\nc\thow to buy a jacket\n"


@pytest.fixture
def captions(tmp_path):
    path = tmp_path / "captions.tsv"
    path.write_text(CAPTIONS)
    return path


def table(text):
    lines = [line.split("\t") for line in text.splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def test_edits_of_a_file(captions, capsys):
    assert main(["rewrite", str(captions), "--no-pool", "--edits", "2"]) == 0
    out, err = capsys.readouterr()
    rows = table(out)
    assert [row["key"] for row in rows] == ["a", "a", "b", "b"]
    assert all(row["caption"] != row["edit_prompt"] for row in rows)
    assert "4 edits of 2 of 3 captions; 1 not_descriptive" in err


def test_the_file_is_its_own_pool(captions, capsys):
    assert main(["rewrite", str(captions), "--edits", "9"]) == 0
    words = {row["target_phrase"] for row in table(capsys.readouterr().out)}
    assert words <= {"woman", "man", "blue jacket", "red jacket"}
    assert words


def test_another_file_is_the_pool(captions, tmp_path, capsys):
    pool = tmp_path / "pool.txt"
    pool.write_text("a girl in a green jacket\n")
    assert main(["rewrite", str(captions), "--pool", str(pool), "--edits", "9"]) == 0
    words = {row["target_phrase"] for row in table(capsys.readouterr().out)}
    assert words == {"girl", "green jacket"}


def test_a_table_and_a_line_of_json(captions, tmp_path, capsys):
    out = tmp_path / "edits.tsv"
    assert main(["rewrite", str(captions), "--no-pool", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "captions": 3,
        "with_an_edit": 2,
        "edits": 2,
        "rejects": {"not_descriptive": 1},
    }
    assert len(table(out.read_text())) == 2


def test_every_word_is_explained(captions, capsys):
    assert main(["rewrite", str(captions), "--no-pool", "--explain"]) == 0
    out = capsys.readouterr().out
    assert "  + man > woman (+0.0): a woman in a red jacket" in out
    assert "  - it advises or asks" in out


def test_kinds_are_left_out(captions, capsys):
    flags = ["--no-pool", "--edits", "99", "--without", "person", "--without", "colour"]
    assert main(["rewrite", str(captions), *flags]) == 0
    assert {row["source_phrase"] for row in table(capsys.readouterr().out)} == {"jacket"}


@pytest.mark.parametrize(("judge", "least"), [("encoder", "0.5"), ("captioner", "0.1")])
def test_a_presets_network_judges(tmp_path, capsys, judge, least):
    captions = "".join(f"{draw_scene(1, index).caption()}\n" for index in range(12))
    path = tmp_path / "captions.txt"
    path.write_text(captions)

    def edited(*flags):
        assert main(["rewrite", str(path), "--edits", "3", *flags]) == 0
        return table(capsys.readouterr().out)

    plain = edited()
    judged = ("--judge", judge, "--preset", "stilllife", "--least-judgement")
    assert edited(*judged, "-1000") == plain
    assert edited(*judged, "1000") == []
    some = edited(*judged, least)
    assert 0 < len(some) < len(plain)


@pytest.mark.parametrize(
    ("content", "flags", "code", "rule"),
    [
        (None, [], 1, "cannot read"),
        (b"", [], 1, "holds no captions"),
        (b"\x00\xff\x00\xfe\x01", [], 1, "must be a text file"),
        (b"a dog", ["--without", "persons!"], 2, "--without must be one of"),
        (b"a dog", ["--pool", "nowhere.txt"], 1, "cannot read nowhere.txt"),
        (b"a dog", ["--judge", "encoder"], 2, "--judge encoder needs a --preset"),
        (b"a dog", ["--judge", "encoder", "--preset", "stilllife", "--no-pool"], 2, "no --no-pool"),
        (b"a dog", ["--least-judgement", "nan"], 2, "least_judgement must be finite, got nan"),
        (b"a dog", ["--tagger", "spacy:nowhere"], 1, "spacy"),
        (None, ["--out", "/proc/none/table"], 1, "--out must lie in a folder that is there"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, capsys, content, flags, code, rule):
    path = tmp_path / "captions.tsv"
    if content is not None:
        path.write_bytes(content)
    assert main(["rewrite", str(path), *flags]) == code
    error = capsys.readouterr().err
    assert rule in error
    assert error.count("pairloom: error:") == 1
