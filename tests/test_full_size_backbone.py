"""DINO ViT-B/16 at its published size, with random weights, at the size that papers look at."""

import pytest
import torch
from support.full_size_networks import build_dino

from editing.features.backbone_loaders import load_backbone
from transforms.models.spec import ModelSpec
from transforms.presets import load_preset

PARAMETERS = 85_798_656


@pytest.mark.slow
@pytest.mark.full_size
def test_dino_looks_at_a_grid_of_32_by_32(tmp_path):
    assert build_dino(tmp_path) == PARAMETERS
    published = load_preset("sd14").part("backbone")
    assert published.loader == "dino"
    backbone = load_backbone(
        ModelSpec(loader="dino", location=str(tmp_path), options=published.options)
    )
    assert (backbone.picture_size, backbone.patch_size) == (512, 16)
    picture = torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = backbone(picture)
    assert found.attention.shape == (1, 32, 32)
    assert found.features.shape == (1, 768, 32, 32)
    assert 0.9 < found.attention.sum() < 1  # of 1025 tokens it looks at, one is itself
