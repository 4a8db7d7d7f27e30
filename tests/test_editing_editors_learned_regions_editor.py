"""The editor of learned regions, over networks that can be followed by hand."""

import dataclasses

import numpy as np
import pytest
import torch
from fakes.editors import seeded
from fakes.regions import ColourClip, ColourInpainter, SpotBackbone
from PIL import Image

from editing.editors.learned_regions.editor import LearnedRegionEditor, edits_in_turn
from editing.editors.learned_regions.settings import LearnedRegionSettings
from editing.errors import EditError, NotFiniteError
from editing.requests import Request

CORNER = SpotBackbone(order=((0, 3),))


def picture(size=(16, 16), colour=(0, 0, 255)):
    return Image.new("RGB", size, colour)


def ask(image=None, **changes):
    words = {"prompt": "a red square", "source_prompt": "a blue square"}
    return Request(image=image or picture(), **(words | changes))


def make_editor(**parts):
    inpainter = parts.pop("inpainter", ColourInpainter())
    known = {"backbone": SpotBackbone(), "clip": ColourClip()} | parts
    return LearnedRegionEditor(load_inpainter=lambda _: inpainter, **known), inpainter


def edit(*requests, editor=None, **settings):
    settings = LearnedRegionSettings(**({"anchors": 3, "sizes": 3} | settings))
    editor = editor or make_editor()[0]
    generators = [seeded(7) for _ in requests]
    return editor.edit(list(requests), settings, generators, lambda: None)


def marked(output):
    return np.asarray(output.edit_mask) > 127


class TestSearch:
    def test_the_edit_nearest_to_the_words_is_kept(self):
        # With L_Clip alone nothing beats painting most of the picture.
        (output,) = edit(ask(), weight_structure=0.0, weight_direction=0.0)
        assert marked(output).sum() == 14 * 14
        pixels = np.asarray(output.image)
        assert (pixels[marked(output)][:, 0] > 150).all()

    def test_with_structure_alone_the_smallest_box_is_kept(self):
        editor, _ = make_editor(backbone=CORNER)
        (output,) = edit(ask(), editor=editor, anchors=1, weight_clip=0.0, weight_direction=0.0)
        assert marked(output).sum() == 4 * 4

    def test_with_the_area_alone_the_smallest_box_is_kept(self):
        small, usual = (edit(ask(), weight_area=weight)[0] for weight in (1e6, 0.0))
        assert 0 < marked(small).sum() < marked(usual).sum()

    def test_outside_of_the_box_every_pixel_stays(self):
        source = Image.effect_noise((16, 16), 50).convert("RGB")
        (output,) = edit(ask(source))
        outside = ~marked(output)
        assert outside.any()
        assert np.array_equal(np.asarray(output.image)[outside], np.asarray(source)[outside])

    def test_boxes_that_are_equal_are_painted_once_and_few_at_a_time(self):
        editor, inpainter = make_editor()
        edit(ask(), editor=editor, anchors=1, sizes=40, boxes_at_once=4)
        assert max(inpainter.batches) == 4
        assert sum(inpainter.batches) < 16  # of forty sizes many are the same in whole pixels

    def test_an_edit_does_not_depend_on_those_beside_it(self):
        one, other = ask(), ask(picture(colour=(9, 99, 9)), prompt="a green square")
        together = edit(one, other)
        for apart, beside in zip((edit(one)[0], edit(other)[0]), together, strict=True):
            assert apart.image.tobytes() == beside.image.tobytes()
            assert apart.edit_mask.tobytes() == beside.edit_mask.tobytes()

    def test_pictures_that_are_no_squares_come_back_at_their_size(self):
        (output,) = edit(ask(picture((50, 33))))
        assert output.image.size == output.edit_mask.size == (50, 33)
        assert output.remarks == ()
        (strip,) = edit(ask(picture((400, 16))), anchors=1)
        assert [remark.name for remark in strip.remarks] == ["elongated"]

    @pytest.mark.parametrize("objective", ["exact", "straight-through"])
    def test_a_network_that_is_fitted_finds_the_box_too(self, objective):
        structure = {"weight_clip": 0.0, "weight_direction": 0.0, "weight_structure": 50.0}
        fit = {"rule": "fit", "objective": objective, "fit_steps": 60, "fit_rate": 0.02}
        editor, _ = make_editor(backbone=CORNER)
        (output,) = edit(ask(), editor=editor, anchors=1, **structure, **fit)
        assert marked(output).sum() == 4 * 4

    def test_the_score_ranks_otherwise(self):
        editor, _ = make_editor(backbone=CORNER)
        by_loss, by_score = (
            edit(ask(), editor=editor, anchors=1, weight_structure=9.0, rank=rank)[0]
            for rank in ("loss", "score")
        )
        assert marked(by_loss).sum() < marked(by_score).sum()

    def test_the_backend_s_own_ways_hold_where_nobody_says_others(self):
        editor, inpainter = make_editor()
        edit(ask(), editor=editor)
        edit(ask(), editor=editor, strength=0.5, num_inference_steps=9)
        own, said = inpainter.settings[0], inpainter.settings[-1]
        assert own == inpainter.defaults
        assert said == dataclasses.replace(own, strength=0.5, num_inference_steps=9)

    def test_it_draws_how_it_came_to_the_box(self):
        (output,) = edit(ask())
        sheet = output.explain(output.image)
        assert sheet.mode == "RGB"
        assert sheet.width > 5 * 128
        assert sheet.height > 4 * 128


class TestMasks:
    def test_a_box_by_hand_is_painted_once(self):
        editor, inpainter = make_editor()
        mask = Image.new("L", (16, 16))
        mask.paste(255, (2, 3, 9, 10))
        (output,) = edit(ask(edit_mask=mask, source_prompt=None), editor=editor)
        assert inpainter.batches == [1]
        changed = (np.asarray(output.image) != np.asarray(picture())).any(2)
        assert np.array_equal(changed, np.asarray(mask) > 127)

    def test_requests_with_masks_go_together(self):
        editor, inpainter = make_editor()
        masks = [ask(edit_mask=Image.new("L", (16, 16), 255)) for _ in range(3)]
        outputs = edit(masks[0], ask(), *masks[1:], editor=editor)
        assert inpainter.batches[0] == 3
        assert not marked(outputs[1]).all()
        assert all(marked(outputs[place]).all() for place in (0, 2, 3))


class TestSeveralThings:
    def test_each_is_edited_in_its_turn(self):
        request = ask(source_prompt="a blue cup on a blue box", prompt="a red cup on a green box")
        first, second = edits_in_turn(request, one_by_one=True)
        assert (first.mask_phrase, first.prompt) == ("blue", "a red cup on a blue box")
        assert (second.mask_phrase, second.prompt) == ("blue", "a red cup on a green box")
        editor, inpainter = make_editor()
        (output,) = edit(request, editor=editor)
        assert list(dict.fromkeys(inpainter.prompts)) == [first.prompt, second.prompt]
        assert output.image.size == (16, 16)
        (other,) = edit(ask())
        assert output.explain(output.image).height > other.explain(other.image).height

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("a cup and a blue box", "a red cup and a green box"),  # words that are put in
            ("a blue cup on the red box", "a cup on the green box"),  # words that are left out
            ("a dog runs on grass", "the cat sleeps in a bed on hay"),  # little in common
        ],
    )
    def test_what_exchanges_no_things_is_one_edit(self, before, after):
        request = ask(source_prompt=before, prompt=after)
        assert edits_in_turn(request, one_by_one=True) == [request]

    @pytest.mark.parametrize("changes", [{"mask_phrase": "cup"}, {"source_prompt": None}])
    def test_one_phrase_is_one_thing(self, changes):
        both = {"source_prompt": "a blue cup on a blue box", "prompt": "a red cup on a green box"}
        assert len(edits_in_turn(ask(**(both | changes)), one_by_one=True)) == 1

    def test_all_at_once_where_it_is_wanted(self):
        request = ask(source_prompt="a blue cup on a blue box", prompt="a red cup on a green box")
        assert edits_in_turn(request, one_by_one=False) == [request]


class TestBadInput:
    def test_there_must_be_words_for_what_changes(self):
        with pytest.raises(EditError, match="a mask needs edit_mask, mask_phrase"):
            edit(ask(source_prompt=None))
        with pytest.raises(EditError, match="a source_prompt that differs from prompt"):
            edit(ask(source_prompt="a red square"))

    def test_no_more_anchors_than_patches(self):
        with pytest.raises(EditError, match=r"anchors must be in \[1, 16\].*got 17"):
            edit(ask(), anchors=17)

    def test_attention_that_is_no_number(self):
        editor, _ = make_editor(backbone=SpotBackbone(spoil=lambda a: a * torch.nan))
        with pytest.raises(NotFiniteError) as caught:
            edit(ask(), editor=editor)
        assert caught.value.places == (0,)

    def test_the_guilty_request_is_named_whichever_box_is_broken(self):
        mask = Image.new("L", (16, 16), 255)
        broken = ask(prompt="a broken red square")
        with pytest.raises(NotFiniteError) as caught:
            edit(ask(), broken, ask(edit_mask=mask), ask(prompt="a broken red", edit_mask=mask))
        assert caught.value.places == (1, 3)
