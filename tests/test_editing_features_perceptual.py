"""Perceptual features: VGG16's, and a layer of CLIP's in its place."""

import pytest
import torch

from editing.features.clip import fit_pictures
from editing.features.perceptual import load_perceptual
from transforms.models.spec import ModelError, ModelSpec


def clip_layer(world, layer):
    options = (("layer", layer),)
    return ModelSpec(loader="clip_layer", location=str(world / "clip"), options=options)


def test_vgg_is_read_by_torchvision_s_names(tmp_path):
    from safetensors.torch import save_file
    from torchvision.models import vgg16

    network = vgg16(weights=None).eval()
    state = {k: v for k, v in network.state_dict().items() if k.startswith("features.")}
    save_file(state, str(tmp_path / "model.safetensors"))
    features = load_perceptual(ModelSpec(loader="vgg16", location=str(tmp_path)))
    pictures = torch.rand(1, 3, 32, 32) * 2 - 1
    mean = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
    std = torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)
    with torch.no_grad():
        expected = network.features[:16](((pictures + 1) / 2 - mean) / std)
        torch.testing.assert_close(features(pictures), expected)
    assert expected.shape == (1, 256, 8, 8)
    state.pop("features.14.bias")
    save_file(state, str(tmp_path / "model.safetensors"))
    with pytest.raises(ModelError, match=r"lack features\.14\.bias"):
        load_perceptual(ModelSpec(loader="vgg16", location=str(tmp_path)))


def test_a_layer_of_clip_is_its_patches_normalised(editing_world):
    features = load_perceptual(clip_layer(editing_world, 1))
    pictures = torch.rand(2, 3, 32, 32, requires_grad=True)
    found = features(pictures * 2 - 1)
    assert found.shape == (2, 16, 16)  # patches of 8 pixels, 16 numbers each
    torch.testing.assert_close(found.mean(-1), torch.zeros(2, 16), atol=1e-5, rtol=0)
    tower = features.network.vision_model
    tokens = tower(fit_pictures(pictures * 2 - 1, features.pictures), output_hidden_states=True)
    hidden = tokens.hidden_states[1][:, 1:]
    torch.testing.assert_close(found, torch.nn.functional.layer_norm(hidden, (16,)))
    found[..., 0].sum().backward()
    assert pictures.grad.abs().sum() > 0


def test_unknown_loaders_and_layers_are_refused(editing_world):
    with pytest.raises(ModelError, match="no perceptual loader 'x'; there are vgg16, clip_layer"):
        load_perceptual(ModelSpec(loader="x", location="x"))
    with pytest.raises(ModelError, match=r"layer must be in \[1, 2\], got 9"):
        load_perceptual(clip_layer(editing_world, 9))
