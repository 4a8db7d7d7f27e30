"""Editors, called as a person would, on a small random model."""

import math

import numpy as np
import pytest
import torch
from fakes.diffusion import SIZE, load_tiny, save_diffusion
from fakes.model_folders import save_clip, save_clipseg
from fakes.pictures import noise as picture
from PIL import Image

from editing.diffusion.model import PromptLengthError
from editing.editors.sdedit.editor import Editor
from editing.regions.segmented import MaskUse, grow_region
from editing.requests import EditError, Request
from transforms.models.loading import load_encoder, load_segmenter
from transforms.models.spec import ModelSpec

PROMPT, SOURCE_PROMPT = "a red pear", "a red apple"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_tiny(save_diffusion(tmp_path_factory.mktemp("diffusion")))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = save_clip(tmp_path_factory.mktemp("clip"))
    return load_encoder(ModelSpec(loader="clip", location=str(folder)))


class HalfSegmenter:
    """Finds everything in the left half; remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def relevance(self, images, phrases):
        self.asked += phrases
        relevance = np.zeros((len(images), 8, 8), np.float32)
        relevance[:, :, :4] = 0.9
        return relevance


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def settings(**changes):
    return {"num_inference_steps": 4, "generator": seeded(), **changes}


def half_mask(size=(SIZE, SIZE)):
    pixels = np.zeros((size[1], size[0]), np.uint8)
    pixels[:, : size[0] // 2] = 255
    return Image.fromarray(pixels)


def round_trip(model, image):
    from editing.pictures import picture_to_tensor, tensor_to_picture

    with torch.no_grad():
        return tensor_to_picture(model.decode(model.encode(picture_to_tensor(image)[None]))[0])


def same(one, two):
    return np.array_equal(np.asarray(one), np.asarray(two))


def test_copy_gives_the_picture_back():
    image = picture(1, (20, 10))
    assert same(Editor(None, method="copy")(image, PROMPT).image, image)


def test_an_edit_has_the_picture_s_size_and_repeats_with_its_seed(model):
    image, editor = picture(1, (30, 20)), Editor(model, method="sdedit")
    first, again, other = (
        editor(image, PROMPT, **settings(generator=seeded(seed))).image for seed in (0, 0, 1)
    )
    assert first.size == (30, 20)
    assert same(first, again)
    assert not same(first, other)
    assert not same(first, image)


def test_a_batch_is_what_its_pictures_are_alone(model):
    images = [picture(n, (SIZE, SIZE)) for n in range(2)]
    editor = Editor(model, method="sdedit")
    together = editor(images, [PROMPT, "a bus"], **settings())
    assert len(together) == 2
    # The first picture's noise is the first to be drawn in both.
    alone = editor(images[0], PROMPT, **settings()).image
    difference = np.asarray(together[0].image).astype(int) - np.asarray(alone)
    assert np.abs(difference).max() <= 1


def test_pictures_of_different_sizes_keep_their_order(model):
    images = [picture(n, size) for n, size in enumerate([(16, 16), (32, 16), (16, 16)])]
    outputs = Editor(model, method="sdedit")(images, PROMPT, **settings())
    assert [output.image.size for output in outputs] == [image.size for image in images]


def test_the_mask_is_found_by_the_words_that_change(model):
    segmenter = HalfSegmenter()
    editor = Editor(model, method="iedit-m", segmenter=segmenter)
    image = picture(1, (SIZE, SIZE))
    output = editor(image, PROMPT, source_prompt=SOURCE_PROMPT, **settings())
    assert segmenter.asked == ["apple"]
    assert same(output.edit_mask, half_mask())


def test_outside_the_mask_the_latent_is_the_source_s(model):
    image = picture(1, (SIZE, SIZE))
    editor = Editor(model, method="iedit-m")
    nothing = Image.new("L", image.size)
    kept = editor(image, PROMPT, edit_mask=nothing, **settings()).image
    assert same(kept, round_trip(model, image))


def test_pasted_pixels_are_the_source_s_own(model):
    image = picture(1, (SIZE, SIZE))
    output = Editor(model, method="iedit-m", masks=MaskUse(paste=True))(
        image, PROMPT, edit_mask=half_mask(), **settings()
    )
    found, source = np.asarray(output.image), np.asarray(image)
    assert np.array_equal(found[:, SIZE // 2 :], source[:, SIZE // 2 :])
    assert not np.array_equal(found[:, : SIZE // 2], source[:, : SIZE // 2])


class TestGrown:
    def grown(self, share, size=(20, 10)):
        mask = Image.new("L", size)
        mask.putpixel((9, 4), 255)
        return np.asarray(grow_region(mask, share)) > 127

    def test_a_point_becomes_a_square_by_the_shorter_side(self):
        wanted = np.zeros((10, 20), bool)
        wanted[2:7, 7:12] = True
        assert np.array_equal(self.grown(0.2), wanted)

    def test_by_nothing_it_stays(self):
        assert self.grown(0.0).sum() == 1

    def test_by_all_it_is_everything(self):
        assert self.grown(1.0, size=(12, 10)).all()

    @pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
    def test_a_share_out_of_range(self, share):
        with pytest.raises(ValueError, match=r"mask_grow must be in \[0, 1\], got"):
            MaskUse(grow=share)

    def test_a_mask_that_is_found_grows_and_one_by_hand_does_not(self, model):
        image, masks = picture(1, (SIZE, SIZE)), MaskUse(grow=0.25)
        editor = Editor(model, method="iedit-m", segmenter=HalfSegmenter(), masks=masks)
        found = editor(image, PROMPT, source_prompt=SOURCE_PROMPT, **settings()).edit_mask
        assert (np.asarray(found) > 127).mean() == 0.75
        drawn = editor(image, PROMPT, edit_mask=half_mask(), **settings()).edit_mask
        assert same(drawn, half_mask())


def test_a_mask_by_hand_works_with_any_weights(model):
    image = picture(1, (SIZE, SIZE))
    nothing = Image.new("L", image.size)
    kept = Editor(model, method="sdedit")(image, PROMPT, edit_mask=nothing, **settings()).image
    assert same(kept, round_trip(model, image))


def test_several_results_are_ranked(model, encoder):
    editor = Editor(model, method="sdedit", encoder=encoder)
    output = editor(picture(1), PROMPT, num_images_per_prompt=3, **settings())
    scores = [edit.score for edit in output.edits]
    assert scores == sorted(scores, reverse=True)
    assert len({edit.image.tobytes() for edit in output.edits}) == 3
    text = encoder.encode_texts([PROMPT])[0]
    assert scores[0] == pytest.approx(float(encoder.encode_images([output.image])[0] @ text))


def test_the_real_segmenter_class_serves(model, tmp_path):
    folder = save_clipseg(tmp_path)
    segmenter = load_segmenter(ModelSpec(loader="clipseg", location=str(folder)))
    editor = Editor(model, method="iedit-m", segmenter=segmenter)
    output = editor(picture(1), PROMPT, source_prompt=SOURCE_PROMPT, **settings())
    assert output.image.size == picture(1).size


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: Request(image=picture(1), prompt="  "), "prompt must not be empty"),
        (
            lambda: Request(image=picture(1), prompt="a", edit_mask=half_mask((8, 8))),
            "edit_mask must have the picture's size 32 x 32, got 8 x 8",
        ),
        (lambda: Request(image=half_mask(), prompt="a"), "must be RGB, got L"),
        (lambda: Request(image=picture(1), prompt="a").phrase(), "a mask needs edit_mask"),
        (
            lambda: Request(image=picture(1), prompt="a b", source_prompt="a b").phrase(),
            "a source_prompt that differs",
        ),
        (lambda: Editor(None, method="sdedit"), "the method sdedit needs a diffusion model"),
        (lambda: Editor(None, method="magic"), "method must be one of copy, sdedit, iedit, "),
    ],
)
def test_what_breaks_a_rule_is_refused(make, rule):
    with pytest.raises(EditError, match=rule):
        make()


def test_what_an_edit_needs_is_asked_for(model):
    image = picture(1)
    with pytest.raises(EditError, match="needs a segmenter"):
        Editor(model, method="iedit-m")(image, PROMPT, source_prompt=SOURCE_PROMPT)
    with pytest.raises(EditError, match="needs an encoder"):
        Editor(model, method="sdedit")(image, PROMPT, num_images_per_prompt=2)
    with pytest.raises(EditError, match="at least 1, got 0"):
        Editor(model, method="sdedit")(image, PROMPT, num_images_per_prompt=0)
    with pytest.raises(EditError, match="prompt must be one or 2 of them, got 3"):
        Editor(model, method="sdedit")([image] * 2, ["a"] * 3)
    with pytest.raises(PromptLengthError, match="at most 12 tokens"):
        Editor(model, method="sdedit")(image, "a " * 30)
    with pytest.raises(ValueError, match=r"strength must be in \(0, 1\], got 2"):
        Editor(model, method="sdedit")(image, PROMPT, strength=2)
