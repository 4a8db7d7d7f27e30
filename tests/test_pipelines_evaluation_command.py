"""`pairloom evaluate` on still lifes and small random networks: figures, flags, sizes."""

import json
import shutil

import pytest
from fakes.command_line import run
from fakes.evaluation import evaluate, write_sized_pairs

from indexes.folder_lock import lock_folder


@pytest.fixture(scope="module")
def sized_pairs(tmp_path_factory):
    """Data sets whose pictures are not of one usual size."""
    root = tmp_path_factory.mktemp("sizes")
    write_sized_pairs(root / "large", (96,))
    write_sized_pairs(root / "mixed", (96, 64, 24))
    return root


class TestFigures:
    def test_truth_is_told_of_still_lifes(self, evaluated):
        _, outcome = evaluated
        assert outcome.counts["by"] == "both"
        (copy,) = [each for each in outcome.counts["points"] if each["editor"] == "copy"]
        assert copy["both"][0] == 0
        assert copy["kept"][0] > 0.5

    def test_figures_are_written_and_differences_told(self, evaluated):
        out, outcome = evaluated
        figures = json.loads((out / "figures.json").read_text())
        assert figures == outcome.counts
        assert figures["baseline"] == "sdedit"
        assert set(figures["differences"]) == {"copy", "iedit-m"}
        matched = figures["at_no_more_error"]
        assert matched["by"] == "true_background_error"
        assert matched["value"]["copy"] == 0.4  # nothing errs less than copying
        assert set(matched["differences"]) == {"copy", "iedit-m"}
        for point in figures["points"]:
            value, low, high = point["clip_score"]
            assert low <= value <= high
            assert point["fid"][0] >= 0
        assert set(figures["best"]) == {"copy", "sdedit", "iedit-m"}

    def test_the_table_has_a_column_an_editor(self, evaluated):
        _, outcome = evaluated
        assert "each editor at its best (by both)" in outcome.out
        assert f"page: {evaluated[0]}/evaluation.html" in outcome.out.splitlines()


class TestBaseline:
    @pytest.fixture
    def copied(self, evaluated, tmp_path):
        """The evaluation once more, in a folder that may be changed."""
        return shutil.copytree(evaluated[0], tmp_path / "eval")

    def test_another_one(self, told_world, copied):
        outcome = evaluate(told_world, copied, "--baseline", "copy")
        assert outcome.code == 0, outcome.err
        figures = outcome.counts
        assert figures["baseline"] == "copy"
        assert set(figures["differences"]) == {"sdedit", "iedit-m"}
        assert figures["at_no_more_error"]["value"] == {"sdedit": None, "iedit-m": None}
        assert "Against copy, edit by edit" in (copied / "evaluation.html").read_text()

    def test_the_first_where_the_usual_one_is_not_measured(self, told_world, copied):
        outcome = evaluate(told_world, copied, "--editors", "iedit-m", "copy")
        assert outcome.counts["baseline"] == "iedit-m"

    def test_one_that_is_not_measured(self, told_world, tmp_path):
        words = ("--editors", "copy", "--baseline", "sdedit")
        outcome = evaluate(told_world, tmp_path / "eval", *words, settings=())
        rule = "--baseline must be one of --editors (copy), got sdedit"
        assert (outcome.code, outcome.error) == (2, rule)
        assert not (tmp_path / "eval").exists()

    def test_one_that_there_is_not(self, told_world, tmp_path):
        outcome = evaluate(told_world, tmp_path / "eval", "--baseline", "magic")
        assert outcome.code == 2
        assert "argument --baseline: invalid choice: 'magic'" in outcome.error


class TestFlags:
    def test_methods_is_an_earlier_word_for_editors(self, told_world, tmp_path):
        flags = ("--preset", told_world / "tiny.yaml", "--edits", 2, "--features", "clip")
        words = ("--out", tmp_path / "eval", "--methods", "copy", "retrieve", *flags, "--json")
        outcome = run("evaluate", told_world / "told", *words)
        assert outcome.code == 0
        assert set(outcome.counts["best"]) == {"copy", "retrieve"}
        (line,) = outcome.err.splitlines()
        assert line == (
            "pairloom: --methods is called --editors now, and goes away in the next release"
        )
        assert "--methods" not in run("evaluate", "--help").out

    def test_regions_for_all(self, told_world, evaluated, tmp_path):
        """The same weights in the same regions are the same editor."""
        words = ("--editors", "sdedit", "iedit-m", "--regions", "segmenter", "--seeds", 0)
        outcome = evaluate(told_world, tmp_path / "eval", *words, "--strengths", 0.4)
        assert outcome.code == 0, outcome.err
        one, other = (
            {name: value for name, value in each.items() if name != "editor"}
            for each in outcome.counts["points"]
        )
        assert one == other

    @pytest.mark.parametrize(
        ("words", "rule"),
        [
            (("--strengths", 2), "strength must be in (0, 1], got 2.0"),
            (
                ("--set", "strength=0.5"),
                "strength of sdedit is turned by --strengths here, not set",
            ),
            (
                ("--editors", "copy", "retrieve", "--guidance-scale", 2),
                "--guidance-scale is a setting of sdedit, iedit, iedit-m, encode-decode, diffedit, "
                "learned-regions and zestguide; copy and retrieve have none",
            ),
            (
                ("--editors", "copy", "--strengths", 0.5),
                "--strengths turns the dial of sdedit, iedit, iedit-m, learned-regions, "
                "zestguide, none of which is measured",
            ),
            (
                ("--editors", "sdedit", "--set", "iedit.paste=true"),
                "--set iedit.paste: iedit is not used here, sdedit is",
            ),
        ],
    )
    def test_flags_that_break_a_rule(self, told_world, tmp_path, words, rule):
        flags = ("--preset", told_world / "tiny.yaml", "--editors", "sdedit")
        out = ("--out", tmp_path / "eval")
        outcome = run("evaluate", told_world / "told", *out, *flags, *words)
        assert (outcome.code, outcome.error) == (2, rule)
        assert not (tmp_path / "eval").exists()

    def test_an_editor_without_its_model(self, told_world, tmp_path):
        flags = ("--preset", told_world / "tiny.yaml", "--editors", "iedit")
        outcome = run("evaluate", told_world / "told", "--out", tmp_path / "eval", *flags)
        assert (outcome.code, "--editor iedit needs --model" in outcome.error) == (2, True)


class TestSizes:
    """What FID compares has one size, whatever size the pictures have and which comes first."""

    @pytest.mark.parametrize("features", ["judge", "clip"])
    @pytest.mark.parametrize("name", ["large", "mixed"])
    def test_pictures_of_any_size_have_a_fid(
        self, told_world, sized_pairs, tmp_path, name, features
    ):
        words = ("--editors", "copy", "sdedit", "--strengths", 0.4, "--seeds", 0)
        more = (*words, "--features", features, "--edits", 6)
        outcome = evaluate(told_world, tmp_path / "eval", *more, pairs=sized_pairs / name)
        assert outcome.code == 0, outcome.err
        for point in outcome.counts["points"]:
            assert point["fid"][0] > 0
        page = (tmp_path / "eval" / "evaluation.html").read_text()
        assert f"by features of <b>{features}</b>" in page

    @pytest.mark.parametrize(("choice", "code"), [("judge", 0), ("looks", 1)])
    def test_a_preset_chooses_the_features(self, told_world, sized_pairs, tmp_path, choice, code):
        text = (told_world / "tiny.yaml").read_text()
        preset = told_world / f"{choice}.yaml"
        preset.write_text(f"{text}defaults: {{features: {choice}}}\n")
        words = ("--out", tmp_path / "eval", "--preset", preset, "--editors", "copy")
        outcome = run("evaluate", sized_pairs / "large", *words)
        assert outcome.code == code, outcome.err
        if code:
            rule = "preset looks: features must be one of judge, clip, inception, got 'looks'"
            assert outcome.error == rule
            assert not (tmp_path / "eval").exists()
        else:
            page = (tmp_path / "eval" / "evaluation.html").read_text()
            assert "by features of <b>judge</b>" in page

    def test_one_edit_has_no_fid(self, told_world, sized_pairs, tmp_path):
        words = ("--editors", "copy", "--edits", 1)
        large = {"pairs": sized_pairs / "large", "settings": ()}
        outcome = evaluate(told_world, tmp_path / "eval", *words, **large)
        assert outcome.code == 0, outcome.err
        assert "fid" not in outcome.counts["points"][0]


def test_a_folder_that_another_job_writes_to_is_left(told_world, tmp_path):
    with lock_folder(tmp_path / "eval", "another job"):
        line = evaluate(told_world, tmp_path / "eval").error
    assert line.startswith(f"{tmp_path / 'eval'} is being written by another job (process ")
    assert not (tmp_path / "eval").exists()
