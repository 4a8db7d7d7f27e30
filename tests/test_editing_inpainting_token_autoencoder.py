"""The quantiser of a masked-token model as an autoencoder."""

import dataclasses

import pytest
import torch
from fakes.masked_token import SIZE, load_tiny_inpainter, save_masked_token

from editing.diffusion.autoencoder import Autoencoder
from editing.inpainting.token_autoencoder import load_token_autoencoder
from transforms.models.spec import ModelError, ModelSpec


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_masked_token(tmp_path_factory.mktemp("tokens"))


def spec(folder, **options):
    return ModelSpec(loader="amused", location=str(folder), options=tuple(options.items()))


@pytest.fixture(scope="module")
def autoencoder(folder):
    return load_token_autoencoder(spec(folder))


def pictures(count=2):
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_it_is_an_autoencoder_of_the_pictures_that_the_model_knows(autoencoder):
    assert isinstance(autoencoder, Autoencoder)
    assert (autoencoder.factor, autoencoder.size_multiple) == (2, 2)
    assert autoencoder.picture_size == SIZE
    assert autoencoder.dtype == torch.float32
    with torch.no_grad():
        latents = autoencoder.encode(pictures())
        assert latents.shape == (2, 4, SIZE // 2, SIZE // 2)
        assert autoencoder.decode(latents).shape == (2, 3, SIZE, SIZE)


def test_snapped_its_pictures_are_those_of_the_codes(autoencoder, folder, editing_world):
    model = load_tiny_inpainter(folder, editing_world / "model").model
    snapped = dataclasses.replace(autoencoder, snap=True)
    with torch.no_grad():
        latents = autoencoder.encode(pictures())
        by_codes = model.decode(model.encode(pictures()))
        torch.testing.assert_close(snapped.decode(latents), by_codes, atol=1e-5, rtol=1e-4)
        assert (autoencoder.decode(latents) - by_codes).abs().max() > 1e-4


@pytest.mark.parametrize("snap", [False, True])
def test_gradients_pass(autoencoder, snap):
    one = dataclasses.replace(autoencoder, snap=snap)
    latents = one.encode(pictures()).detach().requires_grad_()
    one.decode(latents).square().sum().backward()
    assert latents.grad.abs().sum() > 0


def test_a_missing_quantiser_is_told(tmp_path, folder):
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(ModelError, match="has no vqvae"):
        load_token_autoencoder(spec(tmp_path))
