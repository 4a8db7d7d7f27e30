"""FlexIT as an editor: what it keeps, what is random in it, what it is made of and how it tells."""

import dataclasses

import numpy as np
import pytest
import torch
from fakes.command_line import run
from fakes.diffusion import SIZE
from fakes.editors import seeded
from fakes.masked_token import save_masked_token
from fakes.pictures import noise
from PIL import Image

from editing.editors.flexit.editor import FlexItEditor
from editing.editors.flexit.settings import FlexItSettings
from editing.errors import NotFiniteError
from editing.loading import choose_editor
from editing.parts import Parts
from editing.requests import Request
from transforms.models.spec import ModelSpec

FEW = {"steps": 2, "views": 1}
THESIS = {"ways": "thesis", "steps": 2, "views": 2}


def half(size=(SIZE, SIZE)):
    mask = Image.new("L", size)
    mask.paste(255, (0, 0, size[0] // 2, size[1]))
    return mask


def ask(seed=0, *, mask=None, size=(SIZE, SIZE), source="a green apple"):
    return Request(
        image=noise(seed, size), edit_mask=mask, prompt="a red apple", source_prompt=source
    )


@pytest.fixture(scope="module")
def parts(editing_preset, tmp_path_factory):
    """Those of the editing world, with a masked-token model and a second encoder."""
    folder = save_masked_token(tmp_path_factory.mktemp("tokens"))
    base = str(editing_preset.part("diffusion").location)
    tokens = ModelSpec(loader="amused", location=str(folder), options=(("base", base),))
    more = {"masked_token": tokens, "second_encoder": editing_preset.part("encoder")}
    parts = {**editing_preset.parts, **more}
    return Parts(preset=dataclasses.replace(editing_preset, parts=parts))


def edit(parts, *requests, seeds=None, on_step=lambda: None, **settings):
    generators = [seeded(n) for n in seeds or range(len(requests))]
    given = FlexItSettings(**(FEW | settings))
    return FlexItEditor(parts.load).edit(list(requests), given, generators, on_step)


def pixels(output):
    return np.asarray(output.image).astype(int)


class TestMasks:
    def test_outside_of_one_stand_the_source_s_own_pixels(self, parts):
        request = ask(mask=half())
        (output,) = edit(parts, request)
        source = np.asarray(request.image)
        assert np.array_equal(pixels(output)[:, SIZE // 2 :], source[:, SIZE // 2 :])
        assert not np.array_equal(pixels(output)[:, : SIZE // 2], source[:, : SIZE // 2])

    def test_unpasted_it_is_the_autoencoder_s_picture_of_it(self, parts):
        request = ask(mask=half())
        (output,) = edit(parts, request, paste=False)
        right = (slice(None), slice(SIZE // 2, None))
        assert not np.array_equal(pixels(output)[right], np.asarray(request.image)[right])

    def test_by_default_the_segmenter_finds_one_and_it_is_grown(self, parts):
        choice = choose_editor("flexit", parts)
        assert choice.regions.name == "segmenter"
        assert choice.region_settings.mask_grow == 0.05
        given = choose_editor("flexit", parts, region_values={"mask_grow": 0.0})
        assert given.region_settings.mask_grow == 0.0
        other = choose_editor("flexit", parts, regions="contrast")
        assert other.region_settings == other.regions.settings()
        assert choose_editor("flexit", parts, regions="none").regions is None

    def test_an_empty_one_changes_nothing_and_is_told(self, parts):
        editor = choose_editor("flexit", parts).load()
        request = ask(mask=Image.new("L", (SIZE, SIZE)))
        (output,) = editor.edit([request], FlexItSettings(**FEW), [seeded(0)])
        assert np.array_equal(pixels(output), np.asarray(request.image))
        assert [remark.name for remark in output.remarks] == ["empty_mask"]


class TestRandomness:
    def test_the_seed_draws_views_and_noises(self, parts):
        one, other, again = (edit(parts, ask(), seeds=[seed])[0] for seed in (1, 2, 1))
        assert np.array_equal(pixels(one), pixels(again))
        assert not np.array_equal(pixels(one), pixels(other))

    def test_an_edit_does_not_depend_on_those_beside_it(self, parts):
        (alone,) = edit(parts, ask(1), seeds=[5], step_size=0.02)
        others = (ask(0, mask=half()), ask(1), ask(2, size=(40, 24)))
        both = edit(parts, *others, seeds=[4, 5, 6], step_size=0.02)
        assert np.abs(pixels(both[1]) - pixels(alone)).max() <= 1
        assert both[2].image.size == (40, 24)


class TestParts:
    @pytest.mark.parametrize(
        "settings",
        [
            THESIS,
            THESIS | {"embedding": "dot"},
            THESIS | {"latent": "tokens"},
            THESIS | {"latent": "tokens", "snap": True, "weight_captioner": 0.1},
            THESIS | {"encoders": "encoder,segmenter,second_encoder"},
            {"prior_share": 1.0},
            {"weight_perceptual": 0.1, "momentum": 0.5},
        ],
        ids=str,
    )
    def test_each_choice_makes_an_edit_of_its_own(self, parts, settings):
        (usual,) = edit(parts, ask())
        (output,) = edit(parts, ask(), **settings)
        assert output.image.size == (SIZE, SIZE)
        assert not np.array_equal(pixels(output), pixels(usual))

    def test_what_is_not_asked_for_is_not_loaded(self, parts):
        asked = []

        def load(name):
            asked.append(name)
            return parts.load(name)

        given = FlexItSettings(**THESIS, latent="tokens", weight_perceptual=0.0)
        FlexItEditor(load).edit([ask()], given, [seeded(0)], lambda: None)
        assert set(asked) == {"token_autoencoder", "clip_space"}

    def test_nothing_need_say_what_the_source_shows(self, parts):
        told, untold = ask(), ask(source=None)
        found = edit(parts, told, untold, seeds=[1, 1])
        assert not np.array_equal(*map(pixels, found))

    def test_steps_are_told(self, parts):
        steps = []
        edit(parts, ask(), steps=3, on_step=lambda: steps.append(1))
        assert len(steps) == 3

    def test_half_precision_edits_too(self, parts):
        half_parts = dataclasses.replace(parts, dtype="bfloat16")
        (whole,) = edit(parts, ask(), seeds=[3], step_size=0.01)
        (output,) = edit(half_parts, ask(), seeds=[3], step_size=0.01)
        assert np.abs(pixels(output) - pixels(whole)).mean() < 8

    def test_numbers_that_are_none_are_an_error_that_names_the_edit(self, parts):
        class Broken:
            """Gives no numbers for the second of two."""

            def of_texts(self, texts):
                factors = torch.tensor([1.0, float("nan")])
                return lambda pictures: pictures.mean((1, 2, 3)) * factors

        def load(name):
            return Broken() if name == "caption_likelihood" else parts.load(name)

        settings = FlexItSettings(**FEW, weight_captioner=0.1)
        with pytest.raises(NotFiniteError) as caught:
            FlexItEditor(load).edit(
                [ask(0), ask(1)], settings, [seeded(0), seeded(1)], lambda: None
            )
        assert caught.value.places == (1,)


class TestTelling:
    def test_the_way_is_drawn(self, parts):
        outputs = edit(parts, ask(mask=half()), ask(1), steps=4)
        sizes = []
        for output in outputs:
            assert output.explain is not None
            sizes.append(output.explain(output.image).size)
        assert sizes[0][0] > sizes[1][0]  # the mask stands there as well

    def test_the_command_edits_and_explains(self, editing_world, tmp_path):
        noise(0, (SIZE, SIZE)).save(tmp_path / "photo.png")
        outcome = run(
            "edit",
            tmp_path / "photo.png",
            *("--editor", "flexit", "--preset", editing_world / "tiny.yaml"),
            *("--prompt", "a red apple", "--source-prompt", "a green apple", "--regions", "none"),
            *("--steps", 2, "--views", 1, "--out", tmp_path / "edited.png"),
            *("--explain", tmp_path / "how.png"),
        )
        assert outcome.code == 0, outcome.error
        with Image.open(tmp_path / "edited.png") as edited, Image.open(tmp_path / "how.png") as how:
            assert edited.size == (SIZE, SIZE)
            assert how.size[0] > 4 * SIZE
        refused = run(
            "edit",
            tmp_path / "photo.png",
            *("--editor", "flexit", "--preset", editing_world / "tiny.yaml"),
            *("--prompt", "a", "--step-size", 0, "--out", tmp_path / "none.png"),
        )
        assert refused.code != 0
        assert "step_size must be above 0, got 0.0" in refused.error
        assert not (tmp_path / "none.png").exists()
