"""From names to an editor that edits: masks, needs, what is told of a choice, and its errors."""

import dataclasses
import pickle
from functools import partial
from pathlib import Path

import pytest
import torch
from fakes.editors import DrawingEditor, HalfRegions, drawing_spec, half_mask, same_pixels, seeded
from fakes.pictures import noise as picture

from editing.editors.copy.editor import CopyEditor
from editing.editors.sdedit.editor import SDEditEditor
from editing.errors import EditError, SettingError
from editing.loading import EditorChoice, LoadedEditor, check_needs, choose_editor, load_editor
from editing.parts import Parts
from editing.regions.registry import REGIONS
from editing.registry import EDITORS
from editing.requests import Request
from editing.settings import NoSettings
from transforms.models.spec import ModelError
from transforms.presets import Preset, PresetError, load_preset

SIZE = (12, 8)
PROMPT = "a red pear"


def request(seed=0, **more):
    return Request(image=picture(seed, SIZE), prompt=PROMPT, **more)


def loaded(regions=None, editor=None, **more):
    made = editor or DrawingEditor()
    return LoadedEditor(drawing_spec(made, **more), made, regions), made


class TestMasks:
    def test_they_are_found_for_requests_without_one_alone(self):
        drawn = half_mask(SIZE).rotate(180)
        requests = [request(0), request(1, edit_mask=drawn), request(2)]
        generators = [seeded(n) for n in range(3)]
        regions = HalfRegions()
        editor, made = loaded(regions)
        outputs = editor.edit(requests, NoSettings(), generators)
        assert regions.asked == [requests[0], requests[2]]
        assert regions.generators == [generators[0], generators[2]]
        wanted = [half_mask(SIZE), drawn, half_mask(SIZE)]
        for place in range(3):
            assert same_pixels(made.asked[place].edit_mask, wanted[place])
            assert same_pixels(outputs[place].edit_mask, wanted[place])
            assert made.asked[place].image is requests[place].image

    def test_none_are_looked_for_without_a_finder(self):
        editor, made = loaded()
        output = editor.edit([request()], NoSettings(), [seeded()])[0]
        assert made.asked[0].edit_mask is None
        assert output.edit_mask is None

    def test_a_finder_is_left_alone_where_every_request_has_one(self):
        regions = HalfRegions()
        editor, _ = loaded(regions)
        editor.edit([request(edit_mask=half_mask(SIZE))], NoSettings(), [seeded()])
        assert regions.asked == []

    def test_what_an_editor_says_it_used_is_what_is_told(self):
        own = half_mask(SIZE).rotate(180)
        editor, _ = loaded(HalfRegions(), DrawingEditor(edit_mask=own))
        assert editor.edit([request()], NoSettings(), [seeded()])[0].edit_mask is own


class TestNeeds:
    def test_a_request_that_lacks_something_is_refused_before_anything_is_done(self):
        regions = HalfRegions()
        editor, made = loaded(regions, needs=("source_prompt",))
        requests = [request(source_prompt="a red apple"), request(1)]
        rule = "^draw needs source_prompt, which this request has not$"
        with pytest.raises(EditError, match=rule):
            editor.edit(requests, NoSettings(), [seeded(), seeded()])
        assert (made.asked, regions.asked) == ([], [])

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_there_is_a_generator_for_each_request(self, count):
        editor, made = loaded(HalfRegions())
        with pytest.raises(ValueError, match=f"^there must be 2 generators, got {count}$"):
            editor.edit([request(), request(1)], NoSettings(), [seeded()] * count)
        assert made.asked == []

    def test_a_request_that_has_it_all_passes(self):
        check_needs(drawing_spec(needs=("source_prompt",)), request(source_prompt="a red apple"))

    def test_a_pseudo_target_is_needed_by_what_gives_it_back(self):
        with pytest.raises(EditError, match=r"^retrieve needs pseudo_target_image, which this"):
            load_editor("retrieve")(picture(0), PROMPT)


class TestCalled:
    def test_all_that_a_person_says_reaches_the_editor(self):
        editor, made = loaded()
        image, mask, settings = picture(0, SIZE), half_mask(SIZE), NoSettings()
        words = {"source_prompt": "a red apple", "edit_mask": mask, "mask_phrase": "apple"}
        editor(image, PROMPT, settings=settings, **words)
        assert made.asked == [Request(image=image, prompt=PROMPT, **words)]
        assert made.settings[0] is settings

    def test_without_settings_they_are_the_editor_s_defaults(self):
        editor, made = loaded(settings=EDITORS["sdedit"].settings)
        editor(picture(0, SIZE), PROMPT)
        assert made.settings == [EDITORS["sdedit"].settings()]

    def test_it_repeats_with_its_seed(self):
        editor, _ = loaded()
        image = picture(0, SIZE)
        one, again, other = (editor(image, PROMPT, seed=seed).image for seed in (0, 0, 1))
        assert same_pixels(one, again)
        assert not same_pixels(one, other)

    def test_every_step_is_told(self):
        editor, _ = loaded()
        told = []
        requests, generators = [request(), request(1)], [seeded(), seeded()]
        editor.edit(requests, NoSettings(), generators, lambda: told.append(1))
        assert len(told) == 2


class TestChoose:
    def test_an_editor_brings_its_own_regions(self, editing_world, editing_preset):
        choice = choose_editor(
            "iedit-m", Parts(preset=editing_preset), model=editing_world / "model"
        )
        assert choice.regions is REGIONS["segmenter"]
        assert choice.region_settings == REGIONS["segmenter"].settings()
        assert choice.part_names == ("diffusion", "segmenter")

    @pytest.mark.parametrize("name", ["copy", "sdedit"])
    def test_or_none(self, editing_preset, name):
        choice = choose_editor(name, Parts(preset=editing_preset))
        assert (choice.regions, choice.region_settings) == (None, None)

    def test_regions_may_be_named_for_any_editor_and_be_set(self, editing_preset):
        choice = choose_editor(
            "sdedit",
            Parts(preset=editing_preset),
            regions="segmenter",
            region_values={"mask_grow": 0.25},
        )
        assert choice.region_settings.mask_grow == 0.25
        assert choice.load().regions.grow == 0.25

    def test_or_be_left_out(self, editing_world, editing_preset):
        choice = choose_editor(
            "iedit-m", Parts(preset=editing_preset), model=editing_world / "model", regions="none"
        )
        assert choice.regions is None
        assert choice.load().regions is None

    def test_a_model_takes_the_place_of_the_preset_s(self, editing_world, editing_preset):
        choice = choose_editor(
            "sdedit", Parts(preset=editing_preset), model=editing_world / "model"
        )
        assert choice.parts.spec("diffusion").location == str(editing_world / "model")
        poor = load_preset(str(editing_world / "poor.yaml"))
        choice = choose_editor("sdedit", Parts(preset=poor), model=editing_world / "model")
        assert isinstance(choice.load().editor, SDEditEditor)

    def test_what_two_choices_share_is_loaded_once(self, editing_world, editing_preset):
        parts = Parts(preset=editing_preset)
        model = editing_world / "model"
        one, other, trained = (
            choose_editor(name, parts, model=place).load()
            for name, place in (("sdedit", None), ("sdedit", None), ("iedit-m", model))
        )
        assert one.editor.model is other.editor.model
        # The preset's own model lies in the same folder.
        assert one.editor.model is trained.editor.model
        assert trained.regions.segmenter is parts.segmenter

    @pytest.mark.parametrize(
        ("name", "more", "rule"),
        [
            ("copy", {"model": Path("run")}, "--editor copy takes no --model"),
            ("magic", {}, "editor must be one of copy, .*, got 'magic'"),
            (
                "sdedit",
                {"regions": "magic"},
                "regions must be one of segmenter, learned, contrast, got 'magic'",
            ),
            ("iedit", {}, "--editor iedit needs --model, a run of `pairloom train`"),
            ("iedit-m", {}, "--editor iedit-m needs --model, a run of `pairloom train`"),
            (
                "sdedit",
                {"region_values": {"mask_grow": 0.1}},
                "mask_grow is of regions, and none are looked for",
            ),
            (
                "sdedit",
                {"regions": "segmenter", "region_values": {"grow": 0.1}},
                "segmenter has no setting grow; it has mask_grow",
            ),
            (
                "sdedit",
                {"regions": "segmenter", "region_values": {"mask_grow": 2.0}},
                r"mask_grow must be in \[0, 1\], got 2.0",
            ),
        ],
    )
    def test_what_breaks_a_rule_is_refused(self, editing_preset, name, more, rule):
        with pytest.raises(SettingError, match=f"^{rule}$"):
            choose_editor(name, Parts(preset=editing_preset), **more)


def told_by(choice):
    return choice.describe(choice.spec.settings())


class TestChoice:
    def test_it_is_told_as_plain_data(self, editing_world, editing_preset):
        choice = choose_editor(
            "iedit-m",
            Parts(preset=editing_preset, device="cpu", dtype="float16"),
            model=editing_world / "model",
            region_values={"mask_grow": 0.1},
        )
        told = told_by(choice)
        assert set(told["models"]) == {"diffusion", "segmenter"}
        assert "sha256=" in told["models"]["diffusion"]
        assert {**told, "models": None} == {
            "editor": "iedit-m",
            "models": None,
            "dtype": "float16",
            "regions": {"name": "segmenter", "settings": {"mask_grow": 0.1}},
        }
        plain = told_by(choose_editor("copy", Parts(preset=editing_preset)))
        assert plain == {"editor": "copy", "models": {}, "dtype": None, "regions": None}

    def test_telling_loads_nothing_and_asks_for_no_part_that_is_not_needed(self, editing_preset):
        gone = dataclasses.replace(editing_preset.encoder, location="/nowhere")
        preset = Preset(name="mine", parts={**editing_preset.parts, "encoder": gone})
        choice = choose_editor("sdedit", Parts(preset=preset))
        assert set(told_by(choice)["models"]) == {"diffusion"}
        broken = choose_editor(
            "sdedit", Parts(preset=Preset(name="mine", parts={"diffusion": gone}))
        )
        with pytest.raises(ModelError, match="no model at /nowhere"):
            told_by(broken)

    def test_it_can_be_sent_to_a_worker_and_loads_there(self, editing_world, editing_preset):
        choice = choose_editor(
            "iedit-m", Parts(preset=editing_preset), model=editing_world / "model"
        )
        here = choice.load()
        data = pickle.dumps(choice)
        assert len(data) < 5_000
        again = pickle.loads(data)
        assert isinstance(again, EditorChoice)
        assert told_by(again) == told_by(choice)
        there = again.load()
        words = {"source_prompt": "a red apple", "seed": 1}
        settings = here.spec.settings(num_inference_steps=2)
        one, other = (
            each(picture(0), PROMPT, settings=settings, **words) for each in (here, there)
        )
        assert same_pixels(one.image, other.image)
        assert same_pixels(one.edit_mask, other.edit_mask)

    def test_a_part_the_preset_does_not_name(self, editing_world):
        poor = load_preset(str(editing_world / "poor.yaml"))
        choice = choose_editor("sdedit", Parts(preset=poor))
        for ask in (choice.load, partial(told_by, choice)):
            with pytest.raises(PresetError, match="preset poor names no diffusion model; it has"):
                ask()


class TestLoadEditor:
    def test_by_a_preset_s_name_file_or_itself(self, editing_world, editing_preset):
        assert isinstance(load_editor("copy").editor, CopyEditor)
        path = str(editing_world / "tiny.yaml")
        for preset in (path, editing_preset):
            assert isinstance(load_editor("sdedit", preset).editor, SDEditEditor)

    def test_a_model_may_be_a_path_in_words(self, editing_world, editing_preset):
        editor = load_editor("iedit", editing_preset, model=str(editing_world / "model"))
        assert editor.spec is EDITORS["iedit"]

    def test_device_and_precision_are_the_networks(self, editing_preset):
        editor = load_editor("sdedit", editing_preset, device="cpu", dtype="bfloat16")
        assert editor.editor.model.unet.dtype == torch.bfloat16
        with pytest.raises(ModelError, match="dtype must be one of float32, float16, bfloat16"):
            load_editor("sdedit", editing_preset, dtype="float8")
