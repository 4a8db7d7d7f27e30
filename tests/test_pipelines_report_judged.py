"""The report of a data set that was judged."""

import pytest
from fakes.command_line import run
from fakes.marks import judged, ranked
from fakes.report import write_dataset

from pipelines.marks.judged import heading_of, sum_up
from pipelines.marks.marks_file import Mark, MarksFile
from pipelines.marks.strata import Design, read_ranked
from pipelines.report.judged import draw_calibration, draw_interval, judged_context
from transforms.dataset.reader import open_pairs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_dataset(tmp_path_factory.mktemp("judged") / "pairs", pairs=40, rejects=4)
    give(folder, folder.with_name("pairs.marks.jsonl"))
    return folder


def give(folder, path):
    pairs = open_pairs(folder)
    file = MarksFile(path, heading_of(pairs, Design()))
    for judge, every in (("anna", 4), ("ben", 5)):
        for pair in read_ranked(pairs.table, Design())[:30]:
            wrong = pair.position % every == 0
            parts = ("target_mask",) if wrong else ()
            file.add(Mark(pair.key, pair.target_key, judge, "wrong" if wrong else "right", parts))


def test_the_marks_beside_the_data_set_are_shown(folder, tmp_path):
    outcome = run("report", folder, "--out", tmp_path / "page.html", "--json")
    assert outcome.code == 0, outcome.err
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert '<section id="judged">' in page
    assert '<a href="#judged">Judged</a>' in page
    for text in ("Right, by judges", "all pairs, by ben alone", "anna and ben", "target mask"):
        assert text in page
    counts = outcome.counts
    low, high = counts["judged_interval"]
    assert low < counts["judged_right"] < high
    assert page.count('class="interval"') == 5 + 3


def test_without_marks_nothing_is_said(folder, tmp_path):
    other = write_dataset(tmp_path / "pairs", pairs=4, rejects=2)
    outcome = run("report", other, "--json")
    assert 'id="judged"' not in (other / "report.html").read_text(encoding="utf-8")
    assert "judged_right" not in outcome.counts


def test_marks_of_another_data_set_are_left_out_or_refused(folder, tmp_path):
    other = write_dataset(tmp_path / "pairs", pairs=4, rejects=2)
    marks = folder.with_name("pairs.marks.jsonl")
    (tmp_path / "pairs.marks.jsonl").write_bytes(marks.read_bytes())
    outcome = run("report", other)
    assert outcome.code == 0
    assert "note: the report is without marks: " in outcome.err
    outcome = run("report", other, "--marks", marks)
    assert "holds the marks of another data set" in outcome.error


def test_a_calibration_is_drawn_as_steps_that_rise():
    work = judged(ranked(100), lambda pair: pair.position > 30, marks=80)
    drawing = str(draw_calibration(sum_up(work).calibration))
    corners = drawing.split('points="')[1].split('"')[0].split(" ")
    places = [tuple(map(float, corner.split(","))) for corner in corners]
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)
    assert 'aria-label="chance of being right by quality: from 0.00' in drawing


def test_one_score_alone_is_drawn_too():
    work = judged(ranked(30, score=lambda n, count: 1.0), lambda pair: pair.position % 2, marks=30)
    assert "nan" not in str(draw_calibration(sum_up(work).calibration))


def test_a_stratum_without_marks_has_an_empty_line():
    assert "nothing marked" in draw_interval(None, "0.1 to 0.2")
    view = judged_context(sum_up(judged(ranked(10), bool, marks=3)))["judged"]
    assert [row.estimate is None for row in view.strata].count(True) == 2
    assert judged_context(sum_up(judged(ranked(10), bool, marks=0))) == {"judged": None}
    assert judged_context(None) == {"judged": None}
