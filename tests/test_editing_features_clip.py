"""CLIP for gradients: the same embeddings as the encoder's, from tensors."""

import pytest
import torch
from fakes.model_folders import save_open_clip
from PIL import Image

from editing.features.clip import fit_pictures, load_clip_space, make_square
from transforms.models.pictures import PictureProcessor
from transforms.models.spec import ModelError, ModelSpec


@pytest.fixture(scope="module")
def clip(editing_world):
    return load_clip_space(ModelSpec(loader="clip", location=str(editing_world / "clip")))


def test_pictures_reach_clip_as_through_its_own_processor(clip):
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    images = [Image.fromarray(each.numpy()) for each in pixels]
    expected = clip.encoder.encode_images(images)
    tensors = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
    found = clip.embed_pictures(tensors)
    found = found / found.norm(dim=1, keepdim=True)
    torch.testing.assert_close(found, torch.from_numpy(expected), atol=1e-5, rtol=1e-4)


def test_texts_are_those_of_the_encoder(clip):
    found = clip.embed_texts(["a red apple", "a bus"])
    found = found / found.norm(dim=1, keepdim=True)
    expected = clip.encoder.encode_texts(["a red apple", "a bus"])
    torch.testing.assert_close(found, torch.from_numpy(expected), atol=1e-5, rtol=1e-4)


def test_open_clip_serves_as_well(tmp_path):
    space = load_clip_space(ModelSpec(loader="open_clip", location=str(save_open_clip(tmp_path))))
    pictures = torch.rand(2, 3, 40, 30, requires_grad=True)
    space.embed_pictures(pictures * 2 - 1).sum().backward()
    assert pictures.grad.abs().sum() > 0
    assert space.embed_texts(["a", "bus"]).shape == (2, 8)


def check_tokens(space, patches):
    pictures = torch.rand(2, 3, 32, 32, requires_grad=True)
    embeddings, tokens = space.embed_with_tokens(pictures * 2 - 1)
    torch.testing.assert_close(embeddings, space.embed_pictures(pictures * 2 - 1))
    assert tokens.shape[:2] == (2, patches)
    tokens[:, 0].sum().backward()
    assert pictures.grad.abs().sum() > 0


def test_tokens_of_patches_come_with_the_embeddings(clip, tmp_path):
    config = clip.encoder.network.config.vision_config
    check_tokens(clip, (config.image_size // config.patch_size) ** 2)
    other = load_clip_space(ModelSpec(loader="open_clip", location=str(save_open_clip(tmp_path))))
    grid = other.encoder.network.visual.grid_size
    check_tokens(other, grid[0] * grid[1])


def check_patches(space, own_token, grid):
    """A picture's own token in the place of a patch is embedded as the picture is."""
    pictures = torch.rand(2, 3, 32, 32) * 2 - 1

    class OwnTokens(type(space)):
        def embed_with_tokens(self, pictures):
            tokens = own_token(pictures)[:, None].expand(-1, grid[0] * grid[1], -1)
            return super().embed_with_tokens(pictures)[0], tokens

    found = OwnTokens(space.encoder).embed_patches(pictures)
    expected = space.embed_pictures(pictures)[..., None, None].expand(-1, -1, *grid)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    patches = space.embed_patches(pictures)
    assert patches.shape == found.shape
    assert patches.flatten(2).std(2).min() > 0


def test_patches_are_embedded_as_pictures_are(clip):
    network = clip.encoder.network
    config = network.config.vision_config

    def own_token(pictures):
        fitted = fit_pictures(pictures, clip.encoder.pictures)
        return network.vision_model(pixel_values=fitted).last_hidden_state[:, 0]

    check_patches(clip, own_token, (config.image_size // config.patch_size,) * 2)


def test_open_clip_embeds_patches_as_well(tmp_path):
    place = ModelSpec(loader="open_clip", location=str(save_open_clip(tmp_path)))
    space = load_clip_space(place)
    tower = space.encoder.network.visual

    def own_token(pictures):
        found = tower.forward_intermediates(
            fit_pictures(pictures, space.encoder.pictures),
            indices=1,
            output_fmt="NLC",
            output_extra_tokens=True,
        )
        return found["image_intermediates_prefix"][-1][:, 0]

    check_patches(space, own_token, tower.grid_size)


@pytest.mark.parametrize("size", [(32, 32), (32, 48), (64, 16)])
def test_all_of_a_picture_is_seen(size):
    squared = make_square(torch.zeros(1, 3, *size))
    assert squared.shape[-2:] == (min(size), min(size))
    # A bright corner would be cut out of a long picture's middle.
    dark = torch.full((1, 3, *size), -1.0)
    dark[..., : size[0] // 4, : size[1] // 4] = 1
    assert make_square(dark)[..., 0, 0].max() > 0.5


def test_other_sizes_are_brought_to_the_network_s():
    shorter = PictureProcessor(height=8, width=8, shortest_edge=8)
    squashed = PictureProcessor(height=8, width=8)
    pictures = torch.rand(1, 3, 16, 24) * 2 - 1
    for processor in (shorter, squashed):
        assert fit_pictures(pictures, processor).shape == (1, 3, 8, 8)
    grey = fit_pictures(torch.zeros(1, 3, 16, 24), shorter)
    mean, std = (torch.tensor(v) for v in (shorter.mean, shorter.std))
    torch.testing.assert_close(grey[0, :, 4, 4], (0.5 - mean) / std)


def test_of_a_strip_the_middle_is_looked_at():
    processor = PictureProcessor(
        height=8,
        width=8,
        shortest_edge=8,
        resample=Image.Resampling.BICUBIC,
        scale=1 / 255,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
    )
    strip = torch.rand(1, 3, 4, 4000) * 2 - 1
    middle = strip[..., 1980:2020]
    expected = fit_pictures(middle, processor)
    torch.testing.assert_close(fit_pictures(strip, processor), expected)
    torch.testing.assert_close(fit_pictures(strip.mT, processor), expected.mT)


def test_gradients_pass_to_pictures_and_to_no_weights(clip):
    pictures = torch.rand(2, 3, 40, 30, requires_grad=True)
    clip.embed_pictures(pictures * 2 - 1).sum().backward()
    assert pictures.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in clip.encoder.network.parameters())
    assert not clip.embed_texts(["a bus"]).requires_grad


def test_unknown_loaders_are_refused():
    rule = "no encoder loader 'x' with gradients; there are clip, open_clip, clipseg"
    with pytest.raises(ModelError, match=f"^{rule}$"):
        load_clip_space(ModelSpec(loader="x", location="x"))
