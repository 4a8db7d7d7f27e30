"""Score histograms and threshold curves against a plain count."""

import itertools

import numpy as np
import pyarrow.parquet as pq
import pytest
from fakes.report import THRESHOLDS, write_dataset

from pipelines.report import charts
from pipelines.report.dataset import open_dataset
from pipelines.report.distributions import (
    MAXIMUM,
    MINIMUM,
    Axis,
    Threshold,
    find_stations,
    fit_axis,
    measure_scores,
    passing,
    trace_curve,
)
from pipelines.report.origin import read_thresholds
from transforms.dataset.schema import score_column
from transforms.record import SCORE_NAMES


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return open_dataset(write_dataset(tmp_path_factory.mktemp("data"), pairs=60, rejects=48))


@pytest.fixture(scope="module")
def measured(dataset):
    return {each.name: each for each in measure_scores(dataset, read_thresholds(THRESHOLDS))}


def rows_of(table):
    files = (pq.read_table(file.path).to_pylist() for file in table.files)
    return list(itertools.chain.from_iterable(files))


def test_every_pair_and_every_rejected_edit_is_counted_once(dataset, measured):
    edits = [row for row in rows_of(dataset.rejects) if row["number"] is not None]
    assert list(measured) == [*SCORE_NAMES, "word_order"]
    for name in SCORE_NAMES:
        each = measured[name]
        scored = sum(row[score_column(name)] is not None for row in edits)
        assert each.accepted.sum() == 60
        assert (each.rejected.sum(), each.rejected_unmeasured) == (scored, len(edits) - scored)
        assert each.shown(each.rejected).sum() == scored
    assert measured["word_order"].accepted.sum() == 60
    assert measured["word_order"].rejected.sum() == 0


def test_the_histogram_is_that_of_the_values(dataset, measured):
    each = measured["structure"]
    values = [row["score_structure"] for row in rows_of(dataset.pairs)]
    expected = np.histogram(values, bins=each.axis.bins, range=(each.axis.low, each.axis.high))[0]
    assert (each.accepted == expected).all()


def test_the_curve_counts_the_pairs_that_stay(dataset, measured):
    values = np.array([row["score_directional"] for row in rows_of(dataset.pairs)])
    curve = trace_curve(measured["directional"], 0)
    expected = [(values >= edge).sum() for edge in curve.values[:-1]]
    assert curve.kept[:-1].tolist() == expected
    assert curve.kept[0] == 60


def test_edits_that_fail_one_threshold_alone_are_counted_to_it(dataset, measured):
    rules = [r for r in read_thresholds(THRESHOLDS) if r.score != "word_order"]
    expected = dict.fromkeys(rules, 0)
    for row in rows_of(dataset.rejects):
        if row["number"] is None or row["reason"] == "no_candidate":
            continue
        value = {r: np.array([row[score_column(r.score)]], np.float64) for r in rules}
        failed = [r for r in rules if not r.passes(value[r])[0]]
        if len(failed) == 1:
            expected[failed[0]] += 1
    found = {
        rule: trace_curve(each, index).keeps_out
        for each in measured.values()
        for index, rule in enumerate(each.thresholds)
        if rule.score != "word_order"
    }
    assert found == expected
    assert sum(found.values()) > 5


def test_what_comes_back_is_added_beyond_the_threshold(measured):
    curve = trace_curve(measured["rest"], 0)
    assert curve.keeps_out > 0
    assert curve.with_returning[0] == curve.kept[0] + curve.keeps_out
    beyond = curve.values >= curve.threshold.value + 0.01
    assert (curve.with_returning[beyond] == curve.kept[beyond]).all()


def test_thresholds_are_read_from_the_selection():
    rules = {(r.score, r.side, r.value) for r in read_thresholds(THRESHOLDS)}
    assert rules == {
        ("new_word", MINIMUM, 1.0),
        ("old_word", MAXIMUM, 0.0),
        ("rest", MINIMUM, 0.8),
        ("word_order", MINIMUM, 0.8),
        ("target_confidence", MINIMUM, 0.5),
        ("directional", MINIMUM, 0.15),
        ("image_image", MAXIMUM, 0.97),
    }
    assert read_thresholds({}) == ()


def test_quality_is_worked_out_where_it_has_a_threshold(dataset):
    [measured] = [
        each
        for each in measure_scores(dataset, (Threshold("quality", MINIMUM, 1.5),))
        if each.name == "quality"
    ]
    assert measured.accepted.sum() == 60
    assert measured.rejected.sum() == 0
    assert measured.meaning.startswith("structure + word order")
    stay = trace_curve(measured, 0)
    assert stay.keeps_out == 0
    assert (np.diff(stay.kept) <= 0).all()


def test_every_threshold_of_the_selection_is_known():
    import dataclasses

    from transforms.select import SelectionThresholds

    values = {f.name: 0.5 for f in dataclasses.fields(SelectionThresholds)} | {"order": "quality"}
    found = {rule.score for rule in read_thresholds(values | {"forbid_old_word": True})}
    special = {"require_new_word": "new_word", "forbid_old_word": "old_word"}
    assert found == {special.get(name, name) for name in values if name != "order"}


def test_an_unmeasured_score_passes_only_as_a_confidence():
    nothing = np.array([np.nan])
    assert Threshold("target_confidence", MINIMUM, 0.5).passes(nothing).all()
    assert not Threshold("directional", MINIMUM, 0.5).passes(nothing).any()


@pytest.mark.parametrize(("score", "side"), [("beauty", MINIMUM), ("rest", "middle")])
def test_a_threshold_that_cannot_be(score, side):
    with pytest.raises(ValueError, match="must be"):
        Threshold(score, side, 0.5)


def test_no_thresholds_and_no_rejects(tmp_path):
    dataset = open_dataset(write_dataset(tmp_path, pairs=3, rejects=0))
    distributions = measure_scores(dataset, ())
    assert [each.name for each in distributions] == list(SCORE_NAMES)
    assert all(each.rejected.sum() == 0 for each in distributions)
    assert all(str(charts.draw_distribution(each)).startswith("<svg") for each in distributions)


def test_passing_at_both_sides():
    counts = np.array([1, 2, 3])
    assert passing(counts, MINIMUM).tolist() == [6, 5, 3, 0]
    assert passing(counts, MAXIMUM).tolist() == [0, 1, 3, 6]


def test_stations_are_the_strictest_thresholds_that_keep_a_share():
    values = np.linspace(0, 1, 11)
    kept = np.arange(100, -1, -10)
    assert find_stations(values, kept, MINIMUM) == ((0.1, 0.9), (0.2, 0.8), (0.5, 0.5))
    assert find_stations(values, kept[::-1], MAXIMUM) == ((0.9, 0.9), (0.8, 0.8), (0.5, 0.5))
    assert find_stations(values, np.zeros(11, int), MINIMUM) == ()


def test_an_axis_holds_its_values():
    assert fit_axis([0.5], "structure").low < 0.5 < fit_axis([0.5], "structure").high
    assert fit_axis([3, 9], "rank") == Axis(2.5, 9.5, whole=True)
    assert fit_axis([0, 500], "rank") == Axis(0, 500)
    assert fit_axis([1], "new_word").count(np.array([0.0, 1.0, 1.0, np.nan])).tolist() == [1, 2]
