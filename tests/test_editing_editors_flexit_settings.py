"""The settings of `flexit`."""

import re

import pytest

from editing.editors.flexit.settings import WAYS, FlexItSettings, needed_parts


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"step_size": 0.0}, "step_size must be above 0, got 0.0"),
        ({"step_size": float("nan")}, "step_size must be a finite number, got nan"),
        ({"views": -1}, "views must be at least 0, got -1"),
        ({"momentum": 1.0}, "momentum must be in [0, 1), got 1.0"),
        ({"weight_image": -0.1}, "weight_image must be at least 0, got -0.1"),
        ({"prior_share": 1.1}, "prior_share must be in [0, 1], got 1.1"),
        (
            {"encoders": "encoder, eyes"},
            "encoders must be of encoder, second_encoder, third_encoder, segmenter, got 'eyes'",
        ),
        ({"encoders": "encoder,encoder"}, "encoders must be different ones, got encoder,encoder"),
        (
            {"prior_lowest": 0.6, "prior_highest": 0.5},
            "prior_lowest and prior_highest must be in [0, 1], the lower one first, "
            "got 0.6 and 0.5",
        ),
        (
            {"latent": "tokens", "prior_share": 0.5},
            "prior_share must be 0 where the latent is not the diffusion model's, got 0.5",
        ),
        ({"snap": True}, "snap must be off where the latent is not one of codes"),
    ],
)
def test_rules(values, line):
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        FlexItSettings(**values)


def test_the_thesis_s_numbers():
    """Section 4.3, and `lr` of table A.2, where 0.5 is a misprint."""
    thesis = FlexItSettings(ways="thesis").chosen()
    assert thesis == WAYS["thesis"]
    assert (thesis.steps, thesis.step_size, thesis.schedule) == (160, 0.05, "constant")
    assert (thesis.views, thesis.plain, thesis.flips) == (8, False, True)
    assert (thesis.weight_image, thesis.weight_source) == (0.2, 0.4)
    assert (thesis.weight_perceptual, thesis.weight_latent) == (0.15, 0.05)
    assert (thesis.weight_captioner, thesis.prior_share, thesis.momentum) == (0, 0, 0)
    assert thesis.embedding == "squared"


def test_what_is_set_comes_before_the_ways():
    chosen = FlexItSettings(ways="thesis", flips=False, weight_latent=0.0).chosen()
    assert (chosen.flips, chosen.weight_latent, chosen.views) == (False, 0.0, 8)


def test_the_diffusion_model_has_no_share_in_another_s_latent():
    assert FlexItSettings().chosen().prior_share > 0
    assert FlexItSettings(latent="tokens").chosen().prior_share == 0


def test_parts_are_those_that_settings_ask_for():
    thesis = {"ways": "thesis"}
    assert needed_parts(FlexItSettings(**thesis)) == ("diffusion", "clip_space", "perceptual")
    codes = FlexItSettings(**thesis, latent="tokens", encoders="segmenter,encoder")
    assert needed_parts(codes) == (
        "token_autoencoder",
        "segmenter_clip_space",
        "clip_space",
        "perceptual",
    )
    judged = FlexItSettings(**thesis, latent="tokens", weight_perceptual=0.0, weight_captioner=0.1)
    assert needed_parts(judged) == ("token_autoencoder", "clip_space", "caption_likelihood")
