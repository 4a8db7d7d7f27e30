"""aMUSEd at its published size: built with random weights, loaded as published, and put to use."""

import pytest
import torch
from support.full_size_networks import build_amused
from support.processes import call_apart, peak_mib

from editing.inpainting.inpainter import InpaintSettings
from editing.inpainting.masked_token import load_masked_token
from transforms.models.spec import ModelSpec

PARAMETERS = {
    "transformer": 603_537_664,  # "603M" on the model's page
    "quantiser": 146_244_675,
    "text_encoder": 123_650_304,
}


def paint_once(folder):
    """What the loaded model is and does in one edit of two steps, in a process of its own."""
    torch.set_num_threads(1)
    inpainter = load_masked_token(ModelSpec(loader="amused", location=str(folder)))
    model, size = inpainter.model, inpainter.picture_size
    picture = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mask = torch.zeros(1, 1, size, size)
    mask[..., 100:180, 60:140] = 1
    made = inpainter.inpaint(
        picture,
        mask,
        ["a horse on a beach"],
        [torch.Generator().manual_seed(0)],
        settings=InpaintSettings(num_inference_steps=2, guidance_scale=10.0),
    )
    inside = mask.bool().expand_as(made)
    return {
        "parameters": {
            name: sum(weights.numel() for weights in getattr(model, name).parameters())
            for name in PARAMETERS
        },
        "sizes": (size, inpainter.size_multiple, model.hidden_code, model.most_tokens),
        "outside_kept": torch.equal(made[~inside], picture[~inside]),
        "inside_changed": not torch.equal(made[inside], picture[inside]),
        "finite": bool(made.isfinite().all()),
        "peak_mib": peak_mib(),
    }


@pytest.mark.slow
@pytest.mark.full_size_long
@pytest.mark.timeout(600)
def test_amused_inpaints(tmp_path):
    assert call_apart(build_amused, tmp_path) == sum(PARAMETERS.values())
    found = call_apart(paint_once, tmp_path)
    assert found["parameters"] == PARAMETERS
    assert found["sizes"] == (256, 16, 8255, 77)
    assert found["outside_kept"]
    assert found["inside_changed"]
    assert found["finite"]
    assert found["peak_mib"] < 12 * 1024
