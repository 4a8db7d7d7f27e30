"""`pairloom evaluate` on still lifes and small random networks: figures, page, going on."""

import io
import json
import math
import re
from collections import Counter
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from fakes.command_line import run
from fakes.editing import save_world
from fakes.folders import hashes
from fakes.still_life import plan_index, plan_pairs, save_preset
from PIL import Image

from editing.evaluation.measurer import Cell, EditCase
from pipelines.build.job import run_build
from pipelines.evaluation.cases import draw_cases, take_turns
from pipelines.index.job import run_index
from pipelines.running.execution import Execution
from pipelines.still_life.edit_truth import load_truth
from stilllife.recipes.tokenizers import clip_tokenizer
from stilllife.render import render
from stilllife.truth import PictureId, possible_edits
from transforms.models.loading import load_segmenter
from transforms.presets import load_preset


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The tiny preset with a diffusion model, and pairs of still lifes called `told`."""
    root = save_world(tmp_path_factory.mktemp("world"), tokenizer=clip_tokenizer())
    preset = save_preset(root / "networks")
    run_index(plan_index(preset, root / "index"), Execution())
    run_build(plan_pairs(preset, root / "index", root / "told"), Execution())
    return root


def evaluate(world, out, *more, pairs="told"):
    flags = ("--preset", world / "tiny.yaml", "--steps", 3, "--edits", 5, "--batch-size", 3)
    some = ("--methods", "copy", "sdedit", "iedit-m", "--strengths", 0.4, 0.8, "--seeds", 0, 1)
    model = ("--model", world / "model", "--features", "clip")
    return run("evaluate", world / pairs, "--out", out, *flags, *some, *model, "--json", *more)


@pytest.fixture(scope="module")
def evaluated(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluation") / "eval"
    return out, evaluate(world, out)


def cell(out, name):
    return pq.read_table(out / "cells" / f"{name}.parquet").to_pylist()


def test_every_cell_has_every_edit(evaluated):
    out, outcome = evaluated
    assert outcome.code == 0, outcome.err
    names = sorted(path.stem for path in (out / "cells").iterdir())
    assert len(names) == 1 + 2 * 2 * 2
    keys = {tuple(row["key"] for row in cell(out, name)) for name in names}
    assert len(keys) == 1
    assert len(next(iter(keys))) == 5


def test_copying_keeps_all_and_edits_nothing(evaluated):
    out, _ = evaluated
    for row in cell(out, "copy-0-0"):
        assert (row["background_error"], row["ssim_outside_mean"]) == (0, pytest.approx(1))
        assert row["edited"] == 0
        assert row["true_background_error"] == 0 or math.isnan(row["true_background_error"])


def test_truth_is_told_of_still_lifes(evaluated):
    _, outcome = evaluated
    assert outcome.counts["by"] == "both"
    (copy,) = [each for each in outcome.counts["settings"] if each["method"] == "copy"]
    assert copy["both"][0] == 0
    assert copy["kept"][0] > 0.5


def test_an_edit_that_asks_for_what_is_so_has_no_verdict():
    """As one has whose caption was wrong."""
    picture = PictureId(1, 0, 3)
    scene = picture.scene()
    image = Image.open(io.BytesIO(render(scene).png()))
    case = EditCase(
        key="0",
        source_key=picture.key,
        source=image,
        target=image,
        caption="a wrong one",
        edit_prompt=scene.caption(),
        source_phrase="apple",
        target_phrase="pear",
        edit_mask=image.convert("L"),
    )
    asked = replace(case, edit_prompt=possible_edits(scene)[0])
    truth = load_truth([case], load_segmenter(load_preset("stilllife").segmenter))
    for_nothing, for_something = truth([case, asked], [image, image])
    assert for_nothing.keys() == for_something.keys()
    assert all(math.isnan(number) for number in for_nothing.values())
    assert (for_something["kept"], for_something["both"]) == (1, 0)


def test_figures_are_written_and_differences_told(evaluated):
    out, outcome = evaluated
    figures = json.loads((out / "figures.json").read_text())
    assert figures == outcome.counts
    assert figures["against"] == "sdedit"
    assert set(figures["differences"]) == {"copy", "iedit-m"}
    matched = figures["at_no_more_error"]
    assert matched["by"] == "true_background_error"
    assert matched["strength"]["copy"] == 0.4  # nothing errs less than copying
    assert set(matched["differences"]) == {"copy", "iedit-m"}
    for setting in figures["settings"]:
        value, low, high = setting["clip_score"]
        assert low <= value <= high
        assert setting["fid"][0] >= 0
    assert set(figures["best"]) == {"copy", "sdedit", "iedit-m"}


def test_the_page_needs_nothing_else_and_shows_the_edits(evaluated):
    out, _ = evaluated
    page = (out / "evaluation.html").read_text()
    assert page.count("<svg") > 8
    assert page.count("data:image/png;base64,") == 5 * (2 + 3)
    assert "http" not in page
    assert "nan" not in re.sub('base64,[^"]*', "", page)


def test_the_mask_keeps_what_sdedit_changes(world, tmp_path):
    some = ("--methods", "sdedit", "iedit-m", "--strengths", 0.8, "--seeds", 0, "--paste")
    outcome = evaluate(world, tmp_path / "eval", *some)
    assert outcome.code == 0, outcome.err

    def errors(method):
        rows = cell(tmp_path / "eval", f"{method}-0.8-0")
        return [row["background_error"] for row in rows if not math.isnan(row["background_error"])]

    assert errors("sdedit")
    for masked, whole in zip(errors("iedit-m"), errors("sdedit"), strict=True):
        assert masked < whole


def test_strengths_that_are_nearly_the_same_have_cells_of_their_own():
    assert len({Cell("sdedit", strength, 0).name for strength in (0.3, 0.301, 0.31)}) == 3


def test_an_evaluation_goes_on_and_can_be_added_to(world, evaluated, tmp_path):
    out = tmp_path / "eval"
    assert evaluate(world, out, "--methods", "copy").code == 0
    stamp = (out / "cells" / "copy-0-0.parquet").stat().st_mtime_ns
    assert evaluate(world, out).code == 0
    assert (out / "cells" / "copy-0-0.parquet").stat().st_mtime_ns == stamp
    assert hashes(out / "cells") == hashes(evaluated[0] / "cells")


def test_words_take_turns():
    groups = ["red", "red", "red", "pear", "small"]
    assert take_turns([2, 0, 3, 1, 4], groups) == [2, 3, 4, 0, 1]


def test_a_balanced_draw_has_every_word(world):
    def words(cases):
        return Counter(case.target_phrase.split()[0] for case in cases)

    natural = words(draw_cases(world / "told", count=1000, seed=0))
    assert max(natural.values()) > 1
    few = words(draw_cases(world / "told", count=len(natural), seed=0, balanced=True))
    assert few == dict.fromkeys(natural, 1)


class TestBad:
    def test_another_evaluation_s_folder(self, world, evaluated):
        outcome = evaluate(world, evaluated[0], "--guidance-scale", 3)
        assert "holds an evaluation with other settings" in outcome.error

    def test_a_method_without_its_model(self, world, tmp_path):
        flags = ("--preset", world / "tiny.yaml", "--methods", "iedit")
        outcome = run("evaluate", world / "told", "--out", tmp_path / "eval", *flags)
        assert "--method iedit needs --model" in outcome.error

    def test_a_strength_out_of_range(self, world, tmp_path):
        outcome = evaluate(world, tmp_path / "eval", "--strengths", 2)
        assert (outcome.code, "strength must be in (0, 1]" in outcome.error) == (2, True)

    def test_what_is_no_data_set(self, world, tmp_path):
        (tmp_path / "nothing").mkdir()
        outcome = evaluate(world, tmp_path / "eval", pairs=tmp_path / "nothing")
        assert "must be a whole data set" in outcome.error
