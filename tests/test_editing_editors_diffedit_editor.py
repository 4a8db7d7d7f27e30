"""DiffEdit and encode-decode: what they keep, what is random, and what they are asked with."""

import numpy as np
import pytest
from fakes.diffusion import SIZE
from fakes.editors import seeded
from fakes.pictures import noise
from PIL import Image

from editing.diffusion.model import PromptLengthError
from editing.editors.diffedit.editor import EncodingEditor
from editing.editors.diffedit.settings import EncodingSettings
from editing.errors import SettingError
from editing.loading import choose_editor
from editing.parts import Parts
from editing.registry import EDITORS
from editing.requests import Request

FEW = {"num_inference_steps": 4}

NARROW = {"guidance_scale": 9.0, "guided_share": 0.5}
PAPERS = {"guidance_scale": 7.5, "guided_share": 1.0}
"""How edits of less and of more than half of a picture are guided."""


def part(share, size=(SIZE, SIZE)):
    mask = Image.new("L", size)
    mask.paste(255, (0, 0, round(size[0] * share), size[1]))
    return mask


def half(size=(SIZE, SIZE)):
    return part(0.5, size)


def ask(seed=0, *, mask=None, size=(SIZE, SIZE)):
    words = {"prompt": "a red apple", "source_prompt": "a green apple"}
    return Request(image=noise(seed, size), edit_mask=mask, **words)


def edit(model, *requests, seeds=None, **settings):
    generators = [seeded(n) for n in seeds or range(len(requests))]
    given = EncodingSettings(**(FEW | settings))
    return EncodingEditor(model).edit(list(requests), given, generators, lambda: None)


def pixels(output):
    return np.asarray(output.image).astype(int)


class TestMasks:
    def test_outside_of_one_stand_the_source_s_own_pixels(self, tiny_diffusion):
        request = ask(mask=half())
        (output,) = edit(tiny_diffusion, request)
        source = np.asarray(request.image)
        assert np.array_equal(pixels(output)[:, SIZE // 2 :], source[:, SIZE // 2 :])
        assert not np.array_equal(pixels(output)[:, : SIZE // 2], source[:, : SIZE // 2])

    def test_unpasted_it_is_the_autoencoder_s_picture_of_it(self, tiny_diffusion):
        request = ask(mask=half())
        (output,) = edit(tiny_diffusion, request, paste=False)
        right = (slice(None), slice(SIZE // 2, None))
        assert not np.array_equal(pixels(output)[right], np.asarray(request.image)[right])

    def test_an_empty_one_changes_nothing_and_is_told(self, editing_preset):
        editor = choose_editor("diffedit", Parts(preset=editing_preset)).load()
        request = ask(mask=Image.new("L", (SIZE, SIZE)))
        output = editor.edit([request], editor.spec.settings(**FEW), [seeded(0)])[0]
        assert np.array_equal(pixels(output), np.asarray(request.image))
        assert [remark.name for remark in output.remarks] == ["empty_mask"]


class TestEncoding:
    def test_nothing_is_random_where_the_source_is_encoded(self, tiny_diffusion):
        (one,) = edit(tiny_diffusion, ask(), seeds=[1])
        (other,) = edit(tiny_diffusion, ask(), seeds=[2])
        assert np.array_equal(pixels(one), pixels(other))

    def test_without_encoding_the_seed_draws_the_noise(self, tiny_diffusion):
        (one,) = edit(tiny_diffusion, ask(), seeds=[1], encode=False)
        (other,) = edit(tiny_diffusion, ask(), seeds=[2], encode=False)
        assert not np.array_equal(pixels(one), pixels(other))

    def test_an_encoded_source_comes_back_under_no_words(self, tiny_diffusion):
        """Decoded by what it was encoded by; one that is noised does not."""
        request = Request(image=noise(3, (SIZE, SIZE)), prompt="a")
        no_words = {"guidance_scale": 0.0, "guided_share": 1.0}
        unguided = {**no_words, "encoding_ratio": 0.5, "num_inference_steps": 100}
        (wanted,) = edit(tiny_diffusion, request, **unguided | {"encoding_ratio": 0.01})

        def miss(**more):
            (found,) = edit(tiny_diffusion, request, **unguided, **more)
            return np.abs(pixels(found) - pixels(wanted)).mean()

        assert miss(fixed_point_steps=2) < 0.1 * miss(encode=False)
        assert miss(fixed_point_steps=2) < miss()

    def test_without_guidance_the_prompt_still_counts(self, tiny_diffusion):
        """At 1, where one pass a step is enough."""
        other = Request(image=ask().image, prompt="a bus")
        found = edit(tiny_diffusion, ask(), other, guidance_scale=1.0)
        assert not np.array_equal(*map(pixels, found))

    def test_an_edit_does_not_depend_on_those_beside_it(self, tiny_diffusion):
        (alone,) = edit(tiny_diffusion, ask(1))
        both = edit(tiny_diffusion, ask(0, mask=half()), ask(1), ask(2, size=(40, 24)))
        assert np.abs(pixels(both[1]) - pixels(alone)).max() <= 1
        assert both[2].image.size == (40, 24)

    def test_every_pass_is_told(self, tiny_diffusion):
        steps = []
        EncodingEditor(tiny_diffusion).edit(
            [ask()],
            EncodingSettings(num_inference_steps=10, encoding_ratio=0.5),
            [seeded(0)],
            lambda: steps.append(1),
        )
        assert len(steps) == 5 + 5


class TestGuidance:
    @pytest.mark.parametrize(
        ("share", "way"), [(0.25, NARROW), (0.5, NARROW), (0.75, PAPERS), (None, PAPERS)]
    )
    def test_what_takes_in_most_of_a_picture_is_guided_as_the_thesis_has_it(
        self, tiny_diffusion, share, way
    ):
        request = ask(mask=None if share is None else part(share))
        by_default = pixels(edit(tiny_diffusion, request)[0])
        assert np.array_equal(by_default, pixels(edit(tiny_diffusion, request, **way)[0]))
        other = NARROW if way is PAPERS else PAPERS
        assert not np.array_equal(by_default, pixels(edit(tiny_diffusion, request, **other)[0]))

    def test_what_is_given_counts_for_all(self, tiny_diffusion):
        settings = EncodingSettings(guided_share=0.25)
        assert [settings.chosen(wide=wide).guided_share for wide in (False, True)] == [0.25, 0.25]
        assert EncodingSettings(ways="thesis").chosen() == EncodingSettings().chosen(wide=True)

    def test_edits_of_both_kinds_may_be_made_together(self, tiny_diffusion):
        requests = [ask(1, mask=part(0.25)), ask(2), ask(3, mask=part(0.75))]
        together = edit(tiny_diffusion, *requests)
        for request, output in zip(requests, together, strict=True):
            (alone,) = edit(tiny_diffusion, request)
            assert np.abs(pixels(output) - pixels(alone)).max() <= 1

    def test_with_no_share_it_is_as_without_guidance(self, tiny_diffusion):
        none = edit(tiny_diffusion, ask(), guided_share=0.0)
        one = edit(tiny_diffusion, ask(), guidance_scale=1.0)
        assert np.array_equal(pixels(none[0]), pixels(one[0]))


class TestSettings:
    @pytest.mark.parametrize(
        ("given", "line"),
        [
            ({"encoding_ratio": 0.0}, r"encoding_ratio must be in \(0, 1\], got 0.0"),
            ({"encoding_ratio": 1.1}, r"encoding_ratio must be in \(0, 1\], got 1.1"),
            ({"encoding_ratio": float("nan")}, "finite"),
            ({"guidance_scale": -1.0}, "guidance_scale must be at least 0, got -1.0"),
            ({"guidance_scale": float("inf")}, "finite"),
            ({"guided_share": 1.5}, r"guided_share must be in \[0, 1\], got 1.5"),
            ({"guided_share": -0.1}, r"guided_share must be in \[0, 1\], got -0.1"),
            ({"guided_share": float("nan")}, "guided_share must be"),
            ({"fixed_point_steps": -1}, r"fixed_point_steps must be in \[0, 100\], got -1"),
            ({"fixed_point_steps": 10**18}, r"fixed_point_steps must be in \[0, 100\], got 1000"),
            ({"num_inference_steps": 0}, "num_inference_steps must be at least 1, got 0"),
        ],
    )
    def test_what_breaks_a_rule_is_refused(self, given, line):
        with pytest.raises(ValueError, match=line):
            EncodingSettings(**given)

    def test_more_steps_than_noise_levels_are_refused(self, tiny_diffusion):
        with pytest.raises(SettingError, match="at most 1000"):
            edit(tiny_diffusion, ask(), num_inference_steps=1001)

    def test_a_prompt_that_is_too_long_is_refused(self, tiny_diffusion):
        request = Request(image=noise(0, (SIZE, SIZE)), prompt="apple " * 40)
        with pytest.raises(PromptLengthError):
            edit(tiny_diffusion, request)

    def test_the_masks_are_what_tells_the_two_apart(self):
        assert EDITORS["diffedit"].regions == "contrast"
        assert EDITORS["encode-decode"].regions is None
        assert EDITORS["diffedit"].settings is EDITORS["encode-decode"].settings
