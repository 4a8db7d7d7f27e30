"""DiffEdit through Stable Diffusion's networks at their published size, in its own process."""

import numpy as np
import pytest
import torch
from PIL import Image
from support.full_size_preset import write_full_size_preset
from support.processes import call_apart, peak_mib

from editing.loading import choose_editor
from editing.parts import Parts
from editing.requests import Request
from transforms.presets import load_preset


def edit_once(folder):
    """One noise, one step up and one down at 512 pixels: picture, mask, result, steps, memory."""
    preset = load_preset(str(write_full_size_preset(folder, ["diffusion"])))
    choice = choose_editor(
        "diffedit",
        Parts(preset=preset, dtype="bfloat16"),
        region_values={"contrast_noises": 1, "contrast_threshold": "0.9", "mask_grow": 0.0},
    )
    editor = choice.load()
    drawn = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    picture = Image.fromarray(drawn).resize((512, 512), Image.Resampling.BICUBIC)
    request = Request(image=picture, prompt="a red apple", source_prompt="a green apple")
    settings = choice.spec.settings(num_inference_steps=1, encoding_ratio=1.0, guidance_scale=1.0)
    steps = []
    (output,) = editor.edit(
        [request], settings, [torch.Generator().manual_seed(0)], lambda: steps.append(1)
    )
    arrays = [np.asarray(each) for each in (picture, output.edit_mask, output.image)]
    drawing = output.explain(output.image).size
    return *arrays, len(steps), drawing, peak_mib()


@pytest.mark.slow
@pytest.mark.full_size_long
@pytest.mark.timeout(600)
def test_a_mask_is_found_and_edited_in_by_the_whole_network(tmp_path):
    picture, mask, made, steps, drawing, memory = call_apart(edit_once, tmp_path)
    marked = mask > 127
    assert mask.shape == (512, 512)
    assert 0 < marked.mean() < 0.5
    assert (made[~marked] == picture[~marked]).all()
    assert (made[marked] != picture[marked]).any(-1).mean() > 0.5
    assert steps == 1 + 1 + 1
    assert drawing[0] > 4 * 128
    assert memory < 16 * 1024
