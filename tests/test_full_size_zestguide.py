"""ZestGuide through Stable Diffusion's noise network at its published size, in its own process."""

import numpy as np
import pytest
import torch
from PIL import Image
from support.full_size_preset import write_full_size_preset
from support.processes import call_apart, peak_mib

from editing.attention.capture import attended_divisors
from editing.layouts import Layout, Segment
from editing.loading import load_editor
from editing.requests import Request


def edit_once(folder):
    """One pushed step at 512 pixels: what it looked at, how much it changed, and the memory."""
    preset = write_full_size_preset(folder, ["diffusion"])
    editor = load_editor("zestguide", str(preset), dtype="bfloat16")
    marked = np.zeros((512, 512), np.uint8)
    marked[:, :256] = 255
    request = Request(
        image=Image.new("RGB", (512, 512)),
        prompt="a red apple",
        layout=Layout((Segment("red apple", Image.fromarray(marked)),)),
    )
    pictures = []
    for eta in (0.0, 1.0):
        settings = editor.spec.settings(
            num_inference_steps=1, eta=eta, layers="2,4", guidance_scale=1.0, checkpointing=True
        )
        (output,) = editor.edit([request], settings, [torch.Generator().manual_seed(0)])
        pictures.append(np.asarray(output.image).astype(int))
    divisors = attended_divisors(editor.editor.model.unet)
    return divisors, pictures[0].shape, float(np.abs(pictures[0] - pictures[1]).mean()), peak_mib()


@pytest.mark.slow
@pytest.mark.full_size_long
@pytest.mark.timeout(600)
def test_a_step_is_pushed_through_the_whole_network(tmp_path):
    divisors, shape, changed, memory = call_apart(edit_once, tmp_path)
    assert divisors == (1, 2, 4, 8)
    assert shape == (512, 512, 3)
    assert changed > 0
    assert memory < 16 * 1024
