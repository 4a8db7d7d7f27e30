"""The diffusion model that comes with the distribution edits still lifes that it never saw."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from editing.loading import choose_editor
from editing.parts import Parts
from editing.pictures import picture_to_tensor
from editing.requests import Request
from stilllife.edits import changed_attributes, judge_edit
from stilllife.judge import load_judge
from stilllife.render import render
from stilllife.truth import PictureId, masks_of, possible_edits
from transforms.package_data import find_package_data
from transforms.presets import load_preset

EDITS = 8
SHIPPED = find_package_data("stilllife", "weights/diffusion")


def noun_edit(scene):
    """A caption in which the scene's only thing is another thing."""
    return next(
        caption
        for caption in possible_edits(scene)
        if set(changed_attributes(scene, caption)) == {"first.noun"}
    )


@pytest.fixture(scope="module")
def cases():
    """Keys, scenes, pictures and prompts."""
    names = [PictureId(990, 0, index) for index in range(EDITS)]
    scenes = [name.scene() for name in names]
    images = [Image.open(io.BytesIO(render(scene).png())).convert("RGB") for scene in scenes]
    return [name.key for name in names], scenes, images, [noun_edit(scene) for scene in scenes]


@pytest.fixture(scope="module")
def edited(cases):
    """The edits without and with regions, by the shipped weights."""
    _, scenes, images, prompts = cases
    preset = load_preset("stilllife")
    parts = Parts(preset=preset)
    requests = [
        Request(image=image, prompt=prompt, source_prompt=scene.caption())
        for image, prompt, scene in zip(images, prompts, scenes, strict=True)
    ]
    found = {}
    for name, grown in (("sdedit", {}), ("iedit-m", {"mask_grow": 0.05})):
        choice = choose_editor(name, parts, model=SHIPPED, region_values=grown)
        settings = choice.spec.settings(
            strength=0.7, guidance_scale=3.0, num_inference_steps=20, paste=True
        )
        generators = [torch.Generator().manual_seed(seed) for seed in range(EDITS)]
        outputs = choice.load().edit(requests, settings, generators)
        found[name] = torch.stack([picture_to_tensor(output.image) for output in outputs])
    return found


@pytest.mark.parametrize("editor", ["sdedit", "iedit-m"])
def test_most_edits_are_right(cases, edited, editor):
    _, scenes, _, prompts = cases
    readings = load_judge().read(edited[editor])
    verdicts = map(judge_edit, readings, scenes, prompts)
    assert sum(verdict.both for verdict in verdicts) >= 0.7 * EDITS


def test_a_mask_keeps_what_is_not_edited(cases, edited):
    keys, _, images, _ = cases
    sources = torch.stack([picture_to_tensor(image) for image in images])
    outside = torch.from_numpy(np.stack([masks_of(key)[0] < 128 for key in keys]))[:, None]

    def error(editor):
        return ((edited[editor] - sources).abs() * outside).mean().item()

    assert error("iedit-m") < error("sdedit") / 3
