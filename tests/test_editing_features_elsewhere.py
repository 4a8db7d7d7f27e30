"""Feature networks on a device of their own: they take pictures from the CPU, and see the same."""

import dataclasses

import pytest
import torch
from fakes.far_device import FAR, FarTensor, far_device
from fakes.model_folders import network_spec
from torch import Tensor

from editing.features.backbone_loaders import load_backbone
from editing.features.clip import load_clip_space
from editing.features.perceptual import load_perceptual

PICTURES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def see_with_clip(spec):
    space = load_clip_space(spec)
    return [
        space.embed_pictures(PICTURES),
        *space.embed_with_tokens(PICTURES),
        space.embed_patches(PICTURES),
        space.embed_texts(["a red apple"]),
    ]


def see_with_backbone(spec):
    seen = load_backbone(spec)(PICTURES)
    return [seen.attention, seen.features]


def compare(spec):
    return [load_perceptual(spec)(PICTURES)]


def here(found: Tensor) -> Tensor:
    return (found.held if isinstance(found, FarTensor) else found).detach()


@pytest.mark.parametrize(
    ("folder", "loader", "use", "options"),
    [
        ("clip", "clip", see_with_clip, {}),
        ("open_clip", "open_clip", see_with_clip, {}),
        ("clip", "clip_attention", see_with_backbone, {}),
        ("clip", "clip_layer", compare, {"layer": 1}),
    ],
)
def test_they_see_the_same(network_folders, folder, loader, use, options):
    spec = network_spec(folder, network_folders[folder], **options)
    spec = dataclasses.replace(spec, loader=loader)
    near = use(spec)
    with far_device() as far:
        found = use(dataclasses.replace(spec, options=(*spec.options, ("device", far))))
        assert all(each.device == FAR for each in found)
    for one, other in zip(near, found, strict=True):
        torch.testing.assert_close(here(other), here(one), rtol=1e-4, atol=1e-5)
