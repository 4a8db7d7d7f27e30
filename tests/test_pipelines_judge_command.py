"""`pairloom judge`: what it says, keeps and refuses."""

import json
import re
import socket
import sys
import threading
import urllib.request

import pytest
from fakes.command_line import run
from fakes.report import write_dataset

from pipelines.marks.judged import heading_of
from pipelines.marks.marks_file import Mark, MarksFile, read_marks
from pipelines.marks.strata import Design, read_ranked
from pipelines.terminal import console
from transforms.dataset.reader import open_pairs


@pytest.fixture
def folder(tmp_path):
    return write_dataset(tmp_path / "pairs", pairs=10, rejects=2)


def give_marks(folder, path, judges, design=None):
    pairs = open_pairs(folder)
    design = design or Design()
    file = MarksFile(path, heading_of(pairs, design))
    for judge, verdicts in judges.items():
        for pair, verdict in zip(read_ranked(pairs.table, design), verdicts, strict=False):
            parts = ("target_words",) if verdict == "wrong" else ()
            file.add(Mark(pair.key, pair.target_key, judge, verdict, parts))


def test_the_summary_of_two_judges(folder, tmp_path):
    path = tmp_path / "pairs.marks.jsonl"
    said = ["right"] * 6 + ["wrong"] * 4
    give_marks(folder, path, {"anna": said, "ben": ["right"] * 8 + ["wrong", "unsure"]})
    outcome = run("judge", folder, "--summary", "--json")
    assert outcome.code == 0, outcome.err
    counts = outcome.counts
    assert counts["precision"]["value"] == 0.6
    assert counts["precision"]["marked"] == 10
    assert counts["by_judge"]["ben"]["marked"] == 9
    assert counts["agreements"][0]["agreed"] == 7
    assert counts["parts"] == {"target_words": 5}
    assert "anna and ben agree on 7 of 10 pairs: Cohen's kappa" in outcome.out
    assert counts["marks"] == str(path)


class Watcher(threading.Thread):
    """Waits for the page's address in what the command prints, and asks for it."""

    def __init__(self, lines, ask):
        super().__init__()
        self.lines, self.ask, self.error = lines, ask, None

    def run(self):
        try:
            self.ask(self.lines.address())
        except Exception as error:  # noqa: BLE001 - told in the test
            self.error = error


class Lines:
    """Stands in for stdout: says when the address is there."""

    def __init__(self):
        self.text, self.told = "", threading.Event()

    def write(self, text):
        self.text += text
        if "page: " in self.text:
            self.told.set()

    def flush(self):
        pass

    def address(self):
        assert self.told.wait(30)
        return re.search(r"page: (\S+)", self.text).group(1)


def post(address, what, content):
    request = urllib.request.Request(
        f"{address}{what}",
        data=json.dumps(content).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def test_a_page_is_served_until_it_is_finished(folder, tmp_path, monkeypatch):
    import argparse

    from pipelines.judge import command

    lines = Lines()
    monkeypatch.setattr("sys.stdout", lines)
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    args = parser.parse_args(["judge", str(folder), "--judge", "anna", "--pairs", "3", "--json"])

    def ask(address):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{30,}/", address)
        with urllib.request.urlopen(f"{address}state", timeout=10) as answer:
            state = json.loads(answer.read())
        for verdict in ("right", "wrong", "right"):
            mark = {"key": state["pair"]["key"], "verdict": verdict, "parts": []}
            state = post(address, "mark", mark)
        assert state["pair"] is None
        post(address, "finish", {})

    watcher = Watcher(lines, ask)
    watcher.start()
    assert command.run(args) == console.EXIT_OK
    watcher.join()
    assert watcher.error is None
    assert len(read_marks(tmp_path / "pairs.marks.jsonl").of("anna")) == 3
    assert json.loads(lines.text.splitlines()[-1])["precision"]["marked"] == 3


def test_marks_that_were_begun_set_how_pairs_are_drawn(folder, tmp_path):
    path = tmp_path / "marks"
    give_marks(folder, path, {"anna": ["right"]}, Design(score="structure", strata=2, seed=5))
    outcome = run("judge", folder, "--marks", path, "--seed", 4)
    assert "drawn otherwise, with score structure, strata 2, seed 5" in outcome.error


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--judge", "a/b"], 2, "a judge's name must be 1 to 40 letters"),
        (["--score", "beauty"], 2, "score must be one of quality"),
        (["--strata", 0], 2, "must be at least 1, got 0"),
        (["--pairs", 0], 2, "must be at least 1, got 0"),
        (["--port", 70000], 2, "must be at most 65535, got 70000"),
        (["--summary"], 1, "cannot read"),
    ],
)
def test_what_is_asked_for_wrongly(folder, words, code, message):
    outcome = run("judge", folder, *words)
    assert message in outcome.error
    assert outcome.code == code


def test_a_port_that_is_taken_is_told(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = run("judge", folder, "--port", port)
    assert f"--port {port} cannot be had on 127.0.0.1" in outcome.error


def test_marks_of_another_data_set_are_refused(folder, tmp_path):
    other = write_dataset(tmp_path / "other", pairs=4, rejects=2)
    give_marks(other, tmp_path / "marks", {"anna": ["right"]})
    outcome = run("judge", folder, "--summary", "--marks", tmp_path / "marks")
    assert "holds the marks of another data set than" in outcome.error


def test_the_summary_does_without_the_page_s_library(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "flask", None)
    for name in ("pipelines.judge.server", "pipelines.judge.app"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    give_marks(folder, tmp_path / "marks", {"anna": ["right"] * 4})
    assert run("judge", folder, "--summary", "--marks", tmp_path / "marks").code == 0
    assert "the page needs Flask: install pairloom[judge]" in run("judge", folder).error


def test_nothing_to_judge_is_told(tmp_path):
    empty = write_dataset(tmp_path / "empty", pairs=0, rejects=2)
    assert "holds no pair to judge" in run("judge", empty).error
    assert "a data set must be a folder" in run("judge", tmp_path / "nothing").error
