"""The figures of an evaluation: best points, comparisons at equal error, FID of sets."""

import math

import numpy as np
import pytest
from fakes.pictures import encoded, noise

from editing.evaluation.cases import EditCase
from editing.evaluation.frechet import frechet_distance
from editing.evaluation.measurer import Cell
from pipelines.evaluation.job import write_cell
from pipelines.evaluation.known_metrics import COSTS, GAINS, SHOWN, first_measured
from pipelines.evaluation.summary import load_features, measure_fid, summarise
from pipelines.terminal.console import CommandError
from transforms.presets import load_preset

NAN = math.nan
SIDES = (96, 64, 24)


def numbers(score, error):
    return {"clip_score": score, "background_error": error}


TABLE = {
    Cell("second", 0.2, 0): numbers([1.0, 2.0], [0.1, 0.1]),
    Cell("second", 0.8, 0): numbers([5.0, 6.0], [0.5, 0.5]),
    Cell("first", None, 0): numbers([3.0, 4.0], [0.2, 0.2]),
}


class TestSummary:
    def test_editors_keep_the_order_that_was_asked_for(self):
        summary = summarise(TABLE, baseline="second")
        assert list(summary.best) == ["second", "first"]
        assert list(summarise(dict(reversed(TABLE.items())), baseline="first").best) == [
            "first",
            "second",
        ]

    def test_each_is_compared_with_the_baseline_at_its_best_and_at_no_more_error(self):
        summary = summarise(TABLE, baseline="second")
        assert {editor: point.value for editor, point in summary.best.items()} == {
            "second": 0.8,
            "first": None,
        }
        assert summary.differences["first"]["clip_score"].value == -2
        assert summary.matched["first"].value == 0.2
        assert summary.matched_differences["first"]["clip_score"].value == 2
        plain = summary.as_dict()
        assert plain["baseline"] == "second"
        assert plain["at_no_more_error"]["value"] == {"first": 0.2}

    def test_error_that_nobody_measured_is_not_compared_at(self):
        """As where the mask of every edit is the whole picture."""
        table = {cell: found | {"background_error": [NAN, NAN]} for cell, found in TABLE.items()}
        summary = summarise(table, baseline="second")
        assert summary.differences["first"]["clip_score"].value == -2
        assert (summary.matched, summary.matched_differences) == ({}, {})

    def test_a_baseline_that_was_not_measured(self):
        with pytest.raises(CommandError, match=r"baseline must be one of second, first, got 'x'"):
            summarise(TABLE, baseline="x")

    def test_fid_is_the_mean_over_seeds_with_its_range(self):
        table = TABLE | {Cell("second", 0.8, 1): TABLE[Cell("second", 0.8, 0)]}
        fid = {Cell("second", 0.8, 0): 4.0, Cell("second", 0.8, 1): 6.0}
        summary = summarise(table, baseline="second", fid=fid)
        figure = summary.figures[summary.best["second"]]["fid"]
        assert (figure.value, figure.low, figure.high) == (5, 4, 6)


class TestKnownMetrics:
    def test_all_are_there_once(self):
        assert all(name == metric.name for name, metric in SHOWN.items())
        assert {metric.name for metric in (*GAINS, *COSTS)} <= set(SHOWN)
        assert len({metric.label for metric in SHOWN.values()}) == len(SHOWN)

    def test_the_first_that_all_have(self):
        right, score = GAINS
        assert first_measured(GAINS, [{right.name, score.name}, {right.name}]) == right
        assert first_measured(GAINS, [{right.name, score.name}, {score.name}]) == score
        assert first_measured(GAINS, [set()]) == score


@pytest.fixture(scope="module", params=["judge", "clip"])
def features(request):
    """Both features that need nothing fetched."""
    return load_features(request.param, load_preset("stilllife").encoder)


class TestFid:
    def pictures(self, first, count=8):
        return [noise(first + n, (SIDES[n % 3], SIDES[n % 3])) for n in range(count)]

    def test_each_picture_has_its_features_whichever_comes_first(self, features):
        pictures = self.pictures(0)
        rows = features(pictures)
        order = np.random.default_rng(0).permutation(len(pictures))
        shuffled = features([pictures[place] for place in order])
        assert np.allclose(shuffled, rows[order], rtol=1e-4, atol=1e-5)
        for place, picture in enumerate(pictures):
            assert np.allclose(features([picture])[0], rows[place], rtol=1e-4, atol=1e-5)

    def test_a_set_s_distance_is_that_of_any_order_of_it(self, features):
        made, real = self.pictures(0), self.pictures(100)
        distance = frechet_distance(features(made), features(real))
        assert distance > 0
        for turned in (made[1:] + made[:1], made[::-1]):
            other = frechet_distance(features(turned), features(real[::-1]))
            assert other == pytest.approx(distance, rel=1e-3)

    def test_a_cell_is_compared_with_the_real_pictures(self, features, tmp_path):
        pictures = self.pictures(0)
        cases = [case(n, picture) for n, picture in enumerate(self.pictures(100))]
        rows = [
            {"key": str(n), "source_key": str(n), "cosine": 1.0, "image": encoded(picture)}
            for n, picture in enumerate(pictures)
        ]
        (tmp_path / "cells").mkdir()
        cell = Cell("some", 0.5, 0)
        write_cell(tmp_path, cell, rows)
        found = measure_fid(tmp_path, [cell], cases, features=features)
        expected = frechet_distance(features(pictures), features([c.target for c in cases]))
        assert found == {cell: pytest.approx(expected)}
        assert measure_fid(tmp_path, [cell], cases[:1], features=features) == {}


def case(number, target):
    words = dict.fromkeys(("caption", "edit_prompt", "source_phrase", "target_phrase"), "a pear")
    pictures = {"source": target, "target": target, "edit_mask": target.convert("L")}
    return EditCase(key=str(number), source_key=str(number), **words, **pictures)
