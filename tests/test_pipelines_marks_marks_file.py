"""The file of the marks: nothing that was given is lost, and nothing else is taken for a mark."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes.storage.paths import as_path
from pipelines.marks.marks_file import (
    PARTS,
    Heading,
    Mark,
    MarksError,
    MarksFile,
    marks_path,
    read_marks,
)
from pipelines.marks.strata import Design

HEADING = Heading("a" * 64, Design(strata=3, seed=7))


def mark(key="one", verdict="right", judge="anna", parts=()):
    return Mark(key, f"{key}-target", judge, verdict, tuple(parts))


def test_marks_are_in_the_file_when_they_are_given(tmp_path):
    path = tmp_path / "data.marks.jsonl"
    file = MarksFile(path, HEADING)
    assert not path.exists()
    file.add(mark())
    assert read_marks(path).of("anna") == {"one": mark()}
    file.add(mark("two", "wrong", parts=["something_else", "source_mask"]))
    found = read_marks(path)
    assert found.heading == HEADING
    assert list(found.of("anna").values()) == list(file.marks.of("anna").values())
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {
        "pairloom_marks": 1,
        "manifest_sha256": "a" * 64,
        "score": "quality",
        "strata": 3,
        "seed": 7,
    }
    assert lines[2]["parts"] == ["something_else", "source_mask"]


def test_a_mark_is_on_the_disk_before_add_returns(tmp_path, monkeypatch):
    path = tmp_path / "marks"
    seen = []
    real = os.fsync

    def fsync(number):
        seen.append(path.read_bytes())
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    MarksFile(path, HEADING).add(mark())
    assert len(seen) == 1
    assert seen[0] == path.read_bytes()


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from("ab"), st.sampled_from("xyz"), st.sampled_from(["right", "wrong"])
        ),
        st.sampled_from("ab"),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(STEPS)
def test_the_file_says_what_stands_after_any_marks_and_undoings(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("marks") / "marks"
    file = MarksFile(path, HEADING)
    stacks = {"a": {}, "b": {}}
    for step in steps:
        if isinstance(step, tuple):
            judge, key, verdict = step
            given_mark = mark(key, verdict, judge)
            file.add(given_mark)
            stacks[judge].pop(key, None)
            stacks[judge][key] = given_mark
        else:
            taken = file.undo(step)
            last = stacks[step].popitem()[1] if stacks[step] else None
            assert taken == last
    if path.exists():
        for judge, marks in stacks.items():
            assert list(read_marks(path).of(judge).items()) == list(marks.items())


@pytest.mark.parametrize("torn", [b'{"key": "tw', b"\x00\x00", b'{"key":'])
def test_what_a_crash_left_of_a_line_is_no_mark(tmp_path, torn):
    path = tmp_path / "marks"
    MarksFile(path, HEADING).add(mark())
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    assert list(read_marks(path).of("anna")) == ["one"]
    MarksFile(path, HEADING).add(mark("two"))
    assert path.read_bytes().startswith(whole)
    assert list(read_marks(path).of("anna")) == ["one", "two"]


def test_two_judges_may_have_it_open_at_once(tmp_path):
    path = tmp_path / "marks"
    first, second = MarksFile(path, HEADING), MarksFile(path, HEADING)
    first.add(mark(judge="anna"))
    second.add(mark(judge="ben", verdict="wrong"))
    first.add(mark("two", judge="anna"))
    second.undo("ben")
    found = read_marks(path)
    assert found.judges == ["anna"]
    assert list(found.of("anna")) == ["one", "two"]


@pytest.mark.parametrize(
    ("heading", "message"),
    [
        (Heading("b" * 64, HEADING.design), "holds the marks of another data set"),
        (
            Heading("a" * 64, Design(strata=4, seed=7)),
            "drawn otherwise, with score quality, strata 3, seed 7",
        ),
    ],
)
def test_marks_of_something_else_are_not_mixed_in(tmp_path, heading, message):
    path = tmp_path / "marks"
    MarksFile(path, HEADING).add(mark())
    with pytest.raises(MarksError, match=message):
        MarksFile(path, heading)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "line 2 is not of a file of marks"),
        ("[]", "line 2 is not of a file of marks: it must be an object"),
        ('{"key": "x"}', "line 2 is not of a file of marks: it lacks 'target_key'"),
        (
            '{"key": "x", "target_key": "t", "judge": "j", "verdict": "maybe", "parts": []}',
            "verdict must be right, wrong, unsure, got 'maybe'",
        ),
    ],
)
def test_a_line_that_is_no_mark_is_told(tmp_path, line, message):
    path = tmp_path / "marks"
    MarksFile(path, HEADING).add(mark())
    first = path.read_text().splitlines()[0]
    path.write_text(f"{first}\n{line}\n")
    with pytest.raises(MarksError, match=message):
        read_marks(path)


def test_a_file_of_another_kind_is_told(tmp_path):
    path = tmp_path / "marks"
    path.write_text("{}\n")
    with pytest.raises(MarksError, match=r"line 1 .* must begin with pairloom_marks 1"):
        read_marks(path)
    with pytest.raises(MarksError, match="cannot read"):
        read_marks(tmp_path / "nothing")
    with pytest.raises(MarksError, match="cannot write"):
        MarksFile(tmp_path / "marks" / "below", HEADING).add(mark())


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"judge": ""}, "a judge's name must be"),
        ({"judge": "a\nb"}, "a judge's name must be"),
        ({"verdict": "good"}, "verdict must be"),
        ({"verdict": "wrong", "parts": ["colour"]}, "parts must be some of"),
        ({"verdict": "wrong", "parts": [PARTS[0], PARTS[0]]}, "parts must be some of"),
        ({"verdict": "right", "parts": ["target_words"]}, "of a right pair only a mask is wrong"),
    ],
)
def test_what_is_no_mark_is_refused(how, message):
    with pytest.raises(ValueError, match=message):
        mark(**how)


def test_a_right_pair_may_have_a_wrong_mask():
    assert mark(parts=["source_mask"]).parts == ("source_mask",)


def test_marks_lie_beside_the_data_set(tmp_path):
    assert marks_path(tmp_path / "pairs") == tmp_path / "pairs.marks.jsonl"


def test_nothing_can_be_added_on_a_store():
    with pytest.raises(MarksError, match="must lie on this machine: name them with --marks"):
        marks_path(as_path("memory://bucket/pairs"))
