"""The registry, and what every spec in it must be."""

import dataclasses
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from editing.editor import Editor, EditorSpec
from editing.errors import SettingError
from editing.evaluation.measurer import turn_dial
from editing.parts import PART_LOADERS, Parts
from editing.regions.registry import REGIONS, find_regions_spec
from editing.registry import BASELINE, COMPARED, DEFAULT, EDITORS, find_editor
from editing.requests import Request
from editing.settings import describe_settings
from editing.training.objective import Objective, PictureObjective

ROOT = Path(__file__).parent.parent
NETWORK_LIBRARIES = (
    "torch",
    "diffusers",
    "transformers",
    "torchmetrics",
    "open_clip",
    "accelerate",
)

each_editor = pytest.mark.parametrize("spec", EDITORS.values(), ids=lambda spec: spec.name)
trained = pytest.mark.parametrize(
    "spec", [spec for spec in EDITORS.values() if spec.recipe], ids=lambda spec: spec.name
)


class TestNames:
    def test_today_s_editors_are_there(self):
        assert list(EDITORS) == [
            "copy",
            "retrieve",
            "sdedit",
            "iedit",
            "iedit-m",
            "encode-decode",
            "diffedit",
            "learned-regions",
            "zestguide",
            "flexit",
            "simat",
        ]
        assert all(spec.name == name for name, spec in EDITORS.items())

    def test_what_stands_where_nobody_names_one_is_among_them(self):
        assert {DEFAULT, BASELINE, *COMPARED} <= EDITORS.keys()
        assert BASELINE in COMPARED

    def test_an_editor_is_found_by_its_name(self):
        assert find_editor("sdedit") is EDITORS["sdedit"]
        with pytest.raises(SettingError) as caught:
            find_editor("magic")
        assert str(caught.value) == (
            "editor must be one of copy, retrieve, sdedit, iedit, iedit-m, encode-decode, "
            "diffedit, learned-regions, zestguide, flexit, simat, got 'magic'"
        )

    def test_regions_are_found_by_theirs(self):
        assert find_regions_spec("segmenter") is REGIONS["segmenter"]
        rule = r"^regions must be one of segmenter, learned, contrast, got"
        with pytest.raises(SettingError, match=rule):
            find_regions_spec("magic")


@pytest.mark.parametrize("module", ["editing.registry", "editing.regions.registry"])
def test_what_editors_there_are_is_known_without_a_network_library(module):
    code = f"import sys, {module}; print(*[n for n in {NETWORK_LIBRARIES} if n in sys.modules])"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout.split()) == (0, []), ended.stderr


class TestEverySpec:
    @each_editor
    def test_it_says_what_it_does(self, spec):
        assert isinstance(spec, EditorSpec)
        assert spec.name
        assert "\n" not in spec.summary

    @each_editor
    def test_its_settings_have_defaults_and_are_frozen(self, spec):
        values = spec.settings()
        assert spec.settings.__dataclass_params__.frozen
        assert [each.name for each in describe_settings(spec.settings)] == [
            each.name for each in dataclasses.fields(values)
        ]

    @each_editor
    def test_its_parts_are_known_ones(self, spec):
        assert set(spec.parts) <= PART_LOADERS.keys()
        assert spec.model is None or spec.model.part in PART_LOADERS
        assert set(spec.settings_parts(spec.settings())) <= PART_LOADERS.keys()

    @each_editor
    def test_what_it_needs_of_a_request_a_request_can_have(self, spec):
        assert set(spec.needs) <= {each.name for each in dataclasses.fields(Request)}

    @each_editor
    def test_its_regions_are_known_ones(self, spec):
        assert {spec.regions, spec.model_regions} <= {None, *REGIONS}
        if spec.region_defaults:
            REGIONS[spec.regions].settings(**spec.region_defaults)

    @each_editor
    def test_its_dial_turns_a_setting_that_takes_every_value(self, spec):
        if spec.dial is None:
            assert turn_dial(spec, spec.settings(), 0.5) == spec.settings()
            return
        assert spec.dial.setting in {each.name for each in describe_settings(spec.settings)}
        assert list(spec.dial.values) == sorted(set(spec.dial.values))
        for value in spec.dial.values:
            turned = turn_dial(spec, spec.settings(), value)
            assert getattr(turned, spec.dial.setting) == value
            assert dataclasses.replace(turned, **{spec.dial.setting: spec.dial.values[0]}) == (
                turn_dial(spec, spec.settings(), spec.dial.values[0])
            )

    @each_editor
    def test_it_loads_an_editor_of_the_parts_that_it_names(self, spec, editing_preset):
        parts = Parts(preset=editing_preset)
        named = {PART_LOADERS[name].of for name in spec.parts}
        preset = dataclasses.replace(
            editing_preset, parts={n: s for n, s in editing_preset.parts.items() if n in named}
        )
        editor = spec.load(dataclasses.replace(parts, preset=preset))
        assert isinstance(editor, Editor)

    @each_editor
    def test_it_can_be_sent_to_a_worker(self, spec):
        again = pickle.loads(pickle.dumps(spec))
        assert again == spec

    @each_editor
    def test_what_needs_a_model_takes_one(self, spec):
        assert spec.model is not None or not spec.needs_model


class TestEveryRegionSpec:
    @pytest.mark.parametrize("spec", REGIONS.values(), ids=lambda spec: spec.name)
    def test_it_is_known_by_its_name_and_made_of_known_parts(self, spec, editing_preset):
        from editing.regions.finder import RegionFinder

        assert REGIONS[spec.name] is spec
        assert set(spec.parts) <= PART_LOADERS.keys()
        finder = spec.load(Parts(preset=editing_preset), spec.settings())
        assert isinstance(finder, RegionFinder)


class TestEveryRecipe:
    def test_who_is_trained(self):
        trained = [spec.name for spec in EDITORS.values() if spec.recipe]
        assert trained == ["iedit", "learned-regions", "simat"]

    @trained
    def test_its_settings_have_defaults_and_its_parts_are_known(self, spec):
        settings = spec.recipe.settings()
        assert set(spec.recipe.parts(settings)) <= PART_LOADERS.keys()
        assert spec.model is not None

    @trained
    def test_it_loads_an_objective(self, spec, editing_preset):
        objective = spec.recipe.load(Parts(preset=editing_preset), spec.recipe.settings())
        assert isinstance(objective, Objective)
        assert isinstance(objective, PictureObjective) == (spec.recipe.data == "pairs")
        groups = [objective.group_of(step) for step in range(4)]
        assert set(groups) <= set(range(len(objective.groups)))

    def test_a_term_that_iedit_leaves_out_needs_no_part(self):
        recipe = EDITORS["iedit"].recipe
        assert recipe is not None
        assert recipe.parts(recipe.settings()) == ("diffusion", "clip_space", "perceptual")
        assert recipe.parts(recipe.settings(weight_perc=0)) == ("diffusion", "clip_space")
