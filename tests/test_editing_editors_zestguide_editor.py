"""The editor `zestguide`, on a small random model."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from fakes.diffusion import load_tiny, save_diffusion
from fakes.pictures import noise
from PIL import Image

from editing.attention.capture import word_layers
from editing.editors.diffedit.editor import EncodingEditor
from editing.editors.diffedit.settings import EncodingSettings
from editing.editors.zestguide.editor import ZestGuideEditor
from editing.editors.zestguide.settings import ZestGuideSettings
from editing.errors import EditError, SettingError
from editing.layouts import Layout, Segment
from editing.requests import Request

SIDE = 32
PROMPT = "a red apple on the green bus"
FEW = {"num_inference_steps": 4, "tau": 0.5, "layers": "1"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_tiny(save_diffusion(tmp_path_factory.mktemp("model")))


def half(*, left, size=(SIDE, SIDE)):
    marked = np.zeros(size[::-1], np.uint8)
    middle = size[0] // 2
    marked[:, slice(0, middle) if left else slice(middle, None)] = 255
    return Image.fromarray(marked)


def request(*phrases, seed=1, prompt=PROMPT, size=(SIDE, SIDE), **more):
    places = [half(left=True, size=size), half(left=False, size=size)]
    segments = [Segment(*each) for each in zip(phrases, places, strict=False)]
    layout = Layout(tuple(segments)) if segments else None
    return Request(image=noise(seed, size), prompt=prompt, layout=layout, **more)


def edit(model, *requests, seeds=None, **settings):
    seeds = range(len(requests)) if seeds is None else seeds
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    chosen = ZestGuideSettings(**(FEW | settings))
    return ZestGuideEditor(model).edit(requests, chosen, generators, lambda: None)


def pixels(output):
    return np.asarray(output.image).astype(int)


class TestEdits:
    def test_guidance_changes_the_picture_and_repeats(self, model):
        asked = request("red apple", "bus")
        guided, again = (edit(model, asked, seeds=[5])[0] for _ in range(2))
        plain = edit(model, asked, seeds=[5], eta=0.0)[0]
        assert np.array_equal(pixels(guided), pixels(again))
        assert not np.array_equal(pixels(guided), pixels(plain))
        assert guided.image.size == (SIDE, SIDE)

    def test_at_strength_1_the_given_picture_has_no_part_in_it(self, model):
        outputs = edit(model, request("bus", seed=1), request("bus", seed=2), seeds=[5, 5])
        assert np.abs(pixels(outputs[0]) - pixels(outputs[1])).max() <= 1
        outputs = edit(
            model, request("bus", seed=1), request("bus", seed=2), seeds=[5, 5], strength=0.5
        )
        assert np.abs(pixels(outputs[0]) - pixels(outputs[1])).max() > 8

    def test_an_edit_does_not_depend_on_those_beside_it(self, model):
        asked = [
            request("red apple", "bus"),
            request("bus", prompt="a bus"),
            request("apple", size=(48, SIDE)),
            request("green bus", "apple"),
        ]
        for settings in ({}, {"paint": 0.5}, {"weight_normalised": 1.0, "layers": "all"}):
            together = edit(model, *asked, **settings)
            for place, one in enumerate(asked):
                alone = edit(model, one, seeds=[place], **settings)[0]
                assert np.abs(pixels(together[place]) - pixels(alone)).max() <= 1

    def test_threads_that_share_the_model_do_not_see_one_another(self, model):
        editor = ZestGuideEditor(model)
        asked = [request("red apple", "bus"), request("green bus", "apple")] * 2

        def one(place):
            generator = torch.Generator().manual_seed(place)
            settings = ZestGuideSettings(**FEW)
            return pixels(editor.edit([asked[place]], settings, [generator], lambda: None)[0])

        alone = [one(place) for place in range(4)]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(one, range(4)))
        assert all(map(np.array_equal, together, alone))

    def test_pasted_outside_the_segments(self, model):
        asked = request("bus")
        made = edit(model, asked, strength=0.5, paste=True)[0]
        source = np.asarray(asked.image)
        assert np.array_equal(pixels(made)[:, SIDE // 2 :], source[:, SIDE // 2 :])
        assert not np.array_equal(pixels(made)[:, : SIDE // 2], source[:, : SIDE // 2])
        assert np.array_equal(np.asarray(made.edit_mask), np.asarray(half(left=True)))

    def test_a_picture_is_inverted_unless_it_shall_be_noised(self, model):
        """Inverted, an edit hangs on nothing random; noised, on the generator."""

        def made(seed, **settings):
            return pixels(edit(model, request("bus"), seeds=[seed], strength=0.5, **settings)[0])

        assert np.array_equal(made(1), made(2))
        assert not np.array_equal(made(1, encode=False), made(2, encode=False))

    def test_unpushed_it_is_encode_decode(self, model):
        asked = request("bus")
        encoding = EncodingSettings(encoding_ratio=0.5, num_inference_steps=4, guidance_scale=3.0)
        editor = EncodingEditor(model)
        (decoded,) = editor.edit([asked], encoding, [torch.Generator()], lambda: None)
        made = edit(model, asked, strength=0.5, eta=0.0)[0]
        assert np.array_equal(pixels(made), pixels(decoded))

    def test_a_mask_of_the_request_comes_first(self, model):
        asked = request("bus", edit_mask=half(left=False))
        made = edit(model, asked, strength=0.5, paste=True)[0]
        source = np.asarray(asked.image)
        assert np.array_equal(pixels(made)[:, : SIDE // 2], source[:, : SIDE // 2])

    def test_the_model_is_left_as_it_was(self, model):
        own = {name: layer.processor for name, layer in word_layers(model.unet).items()}
        edit(model, request("bus"), paint=0.3, checkpointing=True)
        with pytest.raises(EditError):
            edit(model, request("pear"))
        assert all(layer.processor is own[n] for n, layer in word_layers(model.unet).items())
        parameters = [each for net in model.networks().values() for each in net.parameters()]
        assert not any(each.requires_grad or each.grad is not None for each in parameters)
        assert not model.unet.is_gradient_checkpointing

    def test_every_step_is_told_of(self, model):
        steps = []
        generators = [torch.Generator().manual_seed(0)]
        ZestGuideEditor(model).edit(
            [request("bus")], ZestGuideSettings(**FEW), generators, lambda: steps.append(1)
        )
        assert len(steps) == 4

    def test_it_draws_how_it_came_to_a_picture(self, model):
        for settings in ({}, {"eta": 0.0}):
            (made,) = edit(model, request("red apple", "bus"), **settings)
            assert made.explain(made.image).mode == "RGB"

    def test_what_stands_for_a_phrase_is_the_preset_s_unless_asked_for(self, model):
        asked = request("red apple", "bus")

        def edit_with(preset, more):
            generator = torch.Generator().manual_seed(3)
            settings = ZestGuideSettings(**FEW, eta=5.0, **more)
            editor = ZestGuideEditor(model, preset)
            return pixels(editor.edit([asked], settings, [generator], lambda: None)[0])

        by_preset, asked_for, other = (
            edit_with(preset, more)
            for preset, more in (("end", {}), ("phrase", {"tokens": "end"}), ("phrase", {}))
        )
        assert np.array_equal(by_preset, asked_for)
        assert not np.array_equal(by_preset, other)


class TestWhatCannotBe:
    def test_a_phrase_that_is_not_in_the_prompt(self, model):
        with pytest.raises(EditError, match="'pear' is not in 'a red apple on the green bus'"):
            edit(model, request("pear"))

    def test_a_segment_that_is_lost_at_the_model_s_size(self, model):
        dot = np.zeros((640, 640), np.uint8)
        dot[0, 0] = 255
        asked = Request(
            image=noise(1, (640, 640)),
            prompt=PROMPT,
            layout=Layout((Segment("bus", Image.fromarray(dot)),)),
        )
        with pytest.raises(EditError, match="the segment of 'bus' is too small: at 16 x 16 pixels"):
            edit(model, asked)

    def test_layers_that_the_model_has_not(self, model):
        with pytest.raises(SettingError, match=r"layers must be among 1, 2, .* got 4"):
            edit(model, request("bus"), layers="2,4")

    def test_more_steps_than_noise_levels(self, model):
        with pytest.raises(SettingError, match="num_inference_steps must be at most 1000"):
            edit(model, request("bus"), num_inference_steps=1001)
