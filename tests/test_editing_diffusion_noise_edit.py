"""Edits by noising and denoising, as `sdedit` and `iedit` make them, on a small random model."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from fakes.diffusion import SIZE
from fakes.editors import HalfSegmenter, half_mask, same_pixels, seeded
from fakes.pictures import noise as picture
from PIL import Image

from editing.diffusion.model import PromptLengthError
from editing.diffusion.noise_edit import NoiseEditor
from editing.diffusion.settings import SamplingSettings
from editing.errors import EditError, SettingError
from editing.loading import LoadedEditor
from editing.pictures import picture_to_tensor, tensor_to_picture
from editing.ranking import edit_several
from editing.regions.segmented import SegmentedRegions
from editing.registry import EDITORS
from editing.requests import Request
from transforms.models.loading import load_encoder, load_segmenter

PROMPT, SOURCE_PROMPT = "a red pear", "a red apple"
SQUARE = (SIZE, SIZE)
MASKED = EDITORS["iedit-m"]


@pytest.fixture
def model(tiny_diffusion):
    return tiny_diffusion


def settings(**changes):
    return SamplingSettings(**{"num_inference_steps": 4, **changes})


def edit(model, *requests, seeds=None, on_step=lambda: None, **changes):
    """The outputs of a batch."""
    generators = [seeded(seed) for seed in (seeds or range(len(requests)))]
    return NoiseEditor(model).edit(requests, settings(**changes), generators, on_step)


def edit_one(model, request, *, seed=0, **changes):
    return edit(model, request, seeds=[seed], **changes)[0].image


def round_trip(model, image):
    with torch.no_grad():
        return tensor_to_picture(model.decode(model.encode(picture_to_tensor(image)[None]))[0])


def farthest(one, other):
    """The largest difference of two pictures' values."""
    return np.abs(np.asarray(one).astype(int) - np.asarray(other)).max()


def test_an_edit_has_the_picture_s_size_and_repeats_with_its_seed(model):
    image = picture(1, (30, 20))
    request = Request(image=image, prompt=PROMPT)
    first, again, other = (edit_one(model, request, seed=seed) for seed in (0, 0, 1))
    assert first.size == (30, 20)
    assert same_pixels(first, again)
    assert not same_pixels(first, other)
    assert not same_pixels(first, image)


@pytest.mark.parametrize(
    "changes",
    [
        {"strength": 0.2},
        {"guidance_scale": 1.0},
        {"guided_share": 0.5},
        {"num_inference_steps": 6},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_setting_has_a_say(model, changes):
    request = Request(image=picture(1, SQUARE), prompt=PROMPT)
    assert not same_pixels(edit_one(model, request), edit_one(model, request, **changes))


def test_the_weaker_an_edit_the_nearer_it_is_to_its_source(model):
    request = Request(image=picture(1, SQUARE), prompt=PROMPT)
    source = np.asarray(round_trip(model, request.image)).astype(float)
    errors = [
        np.abs(
            np.asarray(edit_one(model, request, strength=s, num_inference_steps=20)) - source
        ).mean()
        for s in (0.05, 0.4, 1.0)
    ]
    assert errors == sorted(errors)


class TestBatches:
    requests = (
        Request(image=picture(0, SQUARE), prompt=PROMPT),
        Request(image=picture(1, (32, 16)), prompt="a bus"),
        Request(image=picture(2, SQUARE), prompt="a bus", edit_mask=half_mask(SQUARE)),
        Request(image=picture(3, (32, 16)), prompt=PROMPT, edit_mask=half_mask((32, 16))),
        Request(image=picture(4, (30, 20)), prompt=PROMPT, edit_mask=half_mask((30, 20))),
    )

    @pytest.mark.parametrize("paste", [False, True])
    def test_sizes_and_masks_may_be_mixed_and_each_is_what_it_is_alone(self, model, paste):
        together = edit(model, *self.requests, paste=paste)
        assert [output.image.size for output in together] == [r.image.size for r in self.requests]
        for place, (request, output) in enumerate(zip(self.requests, together, strict=True)):
            alone = edit_one(model, request, seed=place, paste=paste)
            assert farthest(output.image, alone) <= 1
            assert output.edit_mask is request.edit_mask

    def test_their_order_changes_nothing_but_the_order(self, model):
        count = len(self.requests)
        forwards = edit(model, *self.requests)
        backwards = edit(model, *self.requests[::-1], seeds=[*range(count)][::-1])
        for one, other in zip(forwards, backwards[::-1], strict=True):
            assert farthest(one.image, other.image) <= 1

    def test_none_is_none(self, model):
        assert edit(model) == []

    def test_every_step_of_every_size_is_told(self, model):
        told = []
        edit(model, *self.requests, on_step=lambda: told.append(1), strength=0.5)
        assert len(told) == 3 * 2  # three sizes; half of four steps

    def test_there_is_a_generator_for_each(self, model):
        with pytest.raises(ValueError, match="there must be 2 generators, got 3"):
            edit(model, *self.requests[::2][:2], seeds=[0, 1, 2])


class TestMasks:
    def test_outside_the_mask_the_latent_is_the_source_s(self, model):
        image = picture(1, SQUARE)
        nothing = Request(image=image, prompt=PROMPT, edit_mask=Image.new("L", SQUARE))
        assert same_pixels(edit_one(model, nothing), round_trip(model, image))

    def test_a_mask_of_everything_is_none(self, model):
        image = picture(1, SQUARE)
        everything = Request(image=image, prompt=PROMPT, edit_mask=Image.new("L", SQUARE, 255))
        plain = Request(image=image, prompt=PROMPT)
        assert same_pixels(edit_one(model, everything), edit_one(model, plain))

    def test_pasted_pixels_are_the_source_s_own(self, model):
        image = picture(1, SQUARE)
        request = Request(image=image, prompt=PROMPT, edit_mask=half_mask(SQUARE))
        found, source = np.asarray(edit_one(model, request, paste=True)), np.asarray(image)
        assert np.array_equal(found[:, SIZE // 2 :], source[:, SIZE // 2 :])
        assert not np.array_equal(found[:, : SIZE // 2], source[:, : SIZE // 2])

    def test_pasting_at_another_size_keeps_them_too(self, model):
        size = (30, 20)
        request = Request(image=picture(1, size), prompt=PROMPT, edit_mask=half_mask(size))
        found, source = np.asarray(edit_one(model, request, paste=True)), np.asarray(request.image)
        assert np.array_equal(found[:, 15:], source[:, 15:])

    def test_without_a_mask_nothing_is_pasted(self, model):
        request = Request(image=picture(1, SQUARE), prompt=PROMPT)
        assert same_pixels(edit_one(model, request), edit_one(model, request, paste=True))


class TestScheduler:
    def test_the_model_s_own_is_never_changed(self, model):
        before = copy.deepcopy(vars(model.scheduler))
        request = Request(image=picture(1, SQUARE), prompt=PROMPT, edit_mask=half_mask(SQUARE))
        edit(model, request)
        after = vars(model.scheduler)
        assert before.keys() == after.keys()
        for name, value in before.items():
            same = (
                torch.equal if isinstance(value, torch.Tensor) else lambda one, other: one == other
            )
            assert same(value, after[name]), name

    def test_steps_of_somebody_else_change_no_edit(self, model):
        request = Request(image=picture(1, SQUARE), prompt=PROMPT)
        scheduler = copy.deepcopy(model.scheduler)
        scheduler.set_timesteps(17)
        disturbed = dataclasses.replace(model, scheduler=scheduler)
        assert same_pixels(edit_one(model, request), edit_one(disturbed, request))


class TestWithRegions:
    """The editor with a region finder, as `iedit-m` is."""

    def editor(self, model, segmenter, *, grow=0.0):
        return LoadedEditor(MASKED, NoiseEditor(model), SegmentedRegions(segmenter, grow))

    def test_the_mask_is_found_by_the_words_that_change(self, model):
        segmenter = HalfSegmenter()
        output = self.editor(model, segmenter)(
            picture(1, SQUARE), PROMPT, source_prompt=SOURCE_PROMPT, settings=settings()
        )
        assert segmenter.asked == ["apple"]
        assert same_pixels(output.edit_mask, half_mask(SQUARE))

    def test_a_mask_that_is_found_grows_and_one_by_hand_does_not(self, model):
        image, editor = picture(1, SQUARE), self.editor(model, HalfSegmenter(), grow=0.25)
        found = editor(image, PROMPT, source_prompt=SOURCE_PROMPT, settings=settings()).edit_mask
        assert (np.asarray(found) > 127).mean() == 0.75
        drawn = editor(image, PROMPT, edit_mask=half_mask(SQUARE), settings=settings()).edit_mask
        assert same_pixels(drawn, half_mask(SQUARE))

    def test_the_real_segmenter_class_serves(self, model, editing_preset):
        editor = self.editor(model, load_segmenter(editing_preset.segmenter))
        image = picture(1)
        output = editor(image, PROMPT, source_prompt=SOURCE_PROMPT, settings=settings())
        assert output.image.size == output.edit_mask.size == image.size

    def test_words_that_say_nothing_of_what_may_change_are_refused(self, model):
        editor = self.editor(model, HalfSegmenter())
        with pytest.raises(EditError, match="a mask needs edit_mask, mask_phrase, or a source_pro"):
            editor(picture(1), PROMPT, settings=settings())


def test_several_results_are_ranked(model, editing_preset):
    encoder = load_encoder(editing_preset.encoder)
    output = edit_several(
        LoadedEditor(EDITORS["sdedit"], NoiseEditor(model)),
        Request(image=picture(1), prompt=PROMPT),
        settings(),
        seeded(),
        results=3,
        encoder=encoder,
    )
    scores = [edit.score for edit in output.edits]
    assert scores == sorted(scores, reverse=True)
    assert len({edit.image.tobytes() for edit in output.edits}) == 3
    text = encoder.encode_texts([PROMPT])[0]
    assert scores[0] == pytest.approx(float(encoder.encode_images([output.image])[0] @ text))


def test_what_the_model_cannot_do_is_refused(model):
    request = Request(image=picture(1), prompt=PROMPT)
    with pytest.raises(PromptLengthError, match="at most 12 tokens"):
        edit(model, dataclasses.replace(request, prompt="a " * 30))
    with pytest.raises(SettingError, match="num_inference_steps must be at most 1000, got 1001"):
        edit(model, request, num_inference_steps=1001)
