"""Stable Diffusion inpainting at its published size, with random weights, in its own process."""

import pytest
import torch
from support.full_size_networks import build_inpainting
from support.processes import call_apart

from editing.inpainting.inpainter import InpaintSettings
from editing.inpainting.latent_loading import load_inpainting
from transforms.models.spec import ModelSpec
from transforms.presets import load_preset

PARAMETERS = 859_535_364 + 83_653_863 + 123_060_480
"""The noise network of nine channels in, the autoencoder, the text encoder."""


def paint_once(folder):
    """Number of parameters, side, and how much of the outside and of the inside changed."""
    parameters = build_inpainting(folder)
    inpainter = load_inpainting(
        ModelSpec(
            loader=load_preset("sd14").part("inpainting").loader,
            location=str(folder),
            options=(("dtype", "bfloat16"),),
        )
    )
    picture = torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mask = torch.zeros(1, 1, 512, 512)
    mask[..., 128:384, 128:384] = 1
    made = inpainter.inpaint(
        picture,
        mask,
        ["word1"],
        [torch.Generator().manual_seed(1)],
        settings=InpaintSettings(num_inference_steps=1, guidance_scale=1.0),
    )
    changed = made != picture
    inside = mask.expand_as(made) > 0.5
    defaults = inpainter.defaults
    return (
        parameters,
        inpainter.picture_size,
        changed[~inside].float().mean().item(),
        changed[inside].float().mean().item(),
        (defaults.strength, defaults.guidance_scale, defaults.num_inference_steps),
    )


@pytest.mark.slow
@pytest.mark.full_size_long
@pytest.mark.timeout(600)
def test_it_paints_a_box_of_a_picture_of_512_pixels(tmp_path):
    parameters, side, outside, inside, defaults = call_apart(paint_once, tmp_path)
    assert parameters == PARAMETERS
    assert side == 512
    assert outside == 0
    assert inside > 0.99
    assert defaults == (1.0, 7.5, 50)
