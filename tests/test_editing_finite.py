"""Numbers that are not finite: an error that names a cure, and the guilty of a batch alone."""

import pickle

import pytest
import torch
from fakes.editors import seeded
from fakes.pictures import noise

from editing.diffusion.picture_edits import edit_pictures
from editing.diffusion.sampling import sample
from editing.errors import EditError, NotFiniteError
from editing.finite import broken_rows, require_some_finite
from editing.loading import load_editor
from editing.pictures import tensor_to_picture
from editing.requests import Request
from editing.settings import SettingError, make_settings, require_numbers

CURE = "the model gave no finite numbers; try another dtype"
BAD = (float("nan"), float("inf"), float("-inf"))


def spoilt(rows, of, value=float("nan")):
    values = torch.zeros(of, 4, 2, 2)
    for row in rows:
        values[row, 1, 1, 1] = value
    return values


@pytest.mark.parametrize("value", BAD)
def test_one_number_breaks_its_row_and_no_other(value):
    assert broken_rows(spoilt([1], 3, value)) == (1,)
    require_some_finite(spoilt([0, 1], 3, value), where="here")
    with pytest.raises(NotFiniteError) as caught:
        require_some_finite(spoilt([0, 1], 2, value), where="here")
    assert str(caught.value).startswith(CURE)
    assert caught.value.places == (0, 1)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.places) == (str(caught.value), (0, 1))


@pytest.mark.parametrize("value", BAD)
def test_there_is_no_picture_of_them(value):
    with pytest.raises(NotFiniteError):
        tensor_to_picture(torch.full((3, 4, 4), value))


def test_sampling_ends_at_the_first_step_that_leaves_nothing():
    asked = []

    def denoise(z_t, t):
        asked.append(t)
        return z_t * torch.nan

    with pytest.raises(NotFiniteError, match="at step 1 of 3"):
        sample(denoise, torch.ones(2, 4, 2, 2), (30, 20, 10), torch.linspace(0.99, 0.01, 40))
    assert asked == [30]


def test_the_guilty_are_named_over_all_sizes(tiny_diffusion):
    def edit_latents(batch):
        bad = torch.tensor(["bad" in prompt for prompt in batch.prompts])
        return torch.where(bad.view(-1, 1, 1, 1), torch.nan, batch.source_latent)

    def edited(*prompts):
        sizes = [(16, 16), (32, 16)] * 2
        requests = [
            Request(image=noise(n, size), prompt=prompt)
            for n, (prompt, size) in enumerate(zip(prompts, sizes, strict=False))
        ]
        return edit_pictures(tiny_diffusion, requests, [seeded()] * len(requests), edit_latents)

    with pytest.raises(NotFiniteError) as caught:
        edited("good", "bad", "bad", "good")
    assert caught.value.places == (1, 2)
    assert isinstance(caught.value, EditError)
    assert len(edited("good", "good")) == 2


@pytest.mark.parametrize("value", BAD)
def test_no_road_leads_such_a_setting_to_an_editor(editing_preset, value):
    editor = load_editor("sdedit", editing_preset)
    with pytest.raises(SettingError, match="guidance_scale must be"):
        make_settings(editor.spec.settings, {"guidance_scale": value}, owner="sdedit")
    with pytest.raises(ValueError, match="guidance_scale must be"):
        editor.spec.settings(guidance_scale=value)
    settings = editor.spec.settings()
    object.__setattr__(settings, "guidance_scale", value)
    with pytest.raises(SettingError, match="guidance_scale must be a finite number"):
        require_numbers(settings)
    with pytest.raises(SettingError, match="guidance_scale must be a finite number"):
        editor(noise(1), "a pear", settings=settings)
