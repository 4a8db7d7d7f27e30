"""iEdit's objective on small random networks: each summand is the loss it is said to be."""

import dataclasses

import pytest
import torch
from fakes.diffusion import SIZE, load_tiny, save_diffusion
from fakes.model_folders import save_clip, save_open_clip

from editing.diffusion.noise import add_noise, alpha_at, estimate_latent, target_noise
from editing.editors.iedit.blocks import AlternatingBlocks
from editing.editors.iedit.losses import (
    TermWeights,
    clip_distance,
    masked_loss,
    paired_loss,
    perceptual_loss,
)
from editing.editors.iedit.objective import Draw, IEditObjective, PairBatch, to_latent_mask
from editing.features.clip import fit_pictures, load_clip_space, load_perceptual
from transforms.models.pictures import PictureProcessor
from transforms.models.spec import ModelError, ModelSpec

STEPS = torch.tensor([100, 600])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_tiny(save_diffusion(tmp_path_factory.mktemp("diffusion")))


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    return save_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def clip(clip_folder):
    return load_clip_space(ModelSpec(loader="clip", location=str(clip_folder)))


@pytest.fixture(scope="module")
def perceptual(clip_folder):
    spec = ModelSpec(loader="clip_layer", location=str(clip_folder), options=(("layer", 1),))
    return load_perceptual(spec)


def batch(*, empty=False):
    generator = torch.Generator().manual_seed(1)
    pictures = torch.rand(2, 2, 3, SIZE, SIZE, generator=generator) * 2 - 1
    masks = torch.zeros(2, 2, 1, SIZE, SIZE)
    masks[0, :, :, 4:12, 4:12] = 1
    masks[1, :, :, 6:16, 2:10] = 1
    if empty:
        masks[1, 1] = 0
    return PairBatch(
        source=pictures[0],
        target=pictures[1],
        source_mask=masks[0],
        target_mask=masks[1],
        edit_prompts=("a red pear", "a blue bus"),
        target_phrases=("pear", "blue bus"),
        quality=torch.ones(2),
    )


def draw(untold=(False, False)):
    noise = torch.randn(2, 4, SIZE // 2, SIZE // 2, generator=torch.Generator().manual_seed(2))
    return Draw(timesteps=STEPS, noise=noise, untold=torch.tensor(untold))


def terms(model, clip, perceptual, pairs=None, combine="paper", **weights):
    objective = IEditObjective(
        model, clip, perceptual, TermWeights(**weights), mask_combine=combine
    )
    return objective(pairs or batch(), draw())


def by_hand(model, clip, perceptual):
    """Every term of each example, from the functions it is made of."""
    pairs, drawn = batch(), draw()
    alpha = alpha_at(model.alphas_cumprod, STEPS)
    z_1, z_2 = model.encode(pairs.source), model.encode(pairs.target)
    z_t = add_noise(z_1, drawn.noise, alpha)
    predicted = model.predict_noise(z_t, STEPS, model.embed_texts(pairs.edit_prompts))
    wanted = target_noise(z_1, z_2, drawn.noise, alpha)
    edited = model.decode(estimate_latent(z_t, predicted, alpha))
    inside = edited * pairs.source_mask
    masks = {
        "source_mask": to_latent_mask(pairs.source_mask, 2),
        "target_mask": to_latent_mask(pairs.target_mask, 2),
    }
    return {
        "global": clip_distance(clip.embed_pictures(edited), clip.embed_texts(pairs.edit_prompts)),
        "loc": clip_distance(clip.embed_pictures(inside), clip.embed_texts(pairs.target_phrases)),
        "mask": masked_loss(predicted, drawn.noise, wanted, **masks),
        "paired": paired_loss(predicted, wanted),
        "perc": perceptual_loss(perceptual(inside), perceptual(pairs.target * pairs.target_mask)),
    }


def test_the_summands_are_equation_12_s(model, clip, perceptual):
    with torch.no_grad():
        outcome = terms(model, clip, perceptual, paired=1.0)
        found = by_hand(model, clip, perceptual)
    level = STEPS / 1000
    factors = {"loc": 1 - level, "global": 1 - level, "mask": level, "paired": level, "perc": 0.1}
    assert set(outcome.terms) == set(factors)
    for name, factor in factors.items():
        torch.testing.assert_close(outcome.terms[name], (factor * found[name]).mean())
    assert outcome.empty_masks == 0


def test_without_its_text_a_pair_asks_for_its_source(model, clip, perceptual):
    """The second example does; the first is as ever."""
    objective = IEditObjective(model, clip, perceptual, TermWeights())
    pairs, drawn = batch(), draw(untold=(False, True))
    with torch.no_grad():
        found = objective(pairs, drawn).terms
        told = by_hand(model, clip, perceptual)
        alpha = alpha_at(model.alphas_cumprod, STEPS)
        z_t = add_noise(model.encode(pairs.source), drawn.noise, alpha)
        predicted = model.predict_noise(z_t, STEPS, model.embed_texts(["", ""]))
    level = STEPS / 1000
    plain = paired_loss(predicted, drawn.noise)
    wanted = (level[0] * told["mask"][0] + level[1] * plain[1]) / 2
    torch.testing.assert_close(found["mask"], wanted)
    for name, factor in (
        ("loc", 1 - level),
        ("global", 1 - level),
        ("perc", 0.1 * (1 + 0 * level)),
    ):
        torch.testing.assert_close(found[name], factor[0] * told[name][0] / 2)


def test_a_term_without_weight_is_not_computed(model, perceptual):
    class Untouched:
        def embed_pictures(self, pictures):
            raise AssertionError

        def embed_texts(self, texts):
            raise AssertionError

    outcome = terms(model, Untouched(), None, loc=0, global_=0, perc=0)
    assert set(outcome.terms) == {"mask"}


def test_an_empty_mask_falls_back_to_the_pair_and_is_counted(model, clip):
    with torch.no_grad():
        outcome = terms(model, clip, None, batch(empty=True), loc=0, global_=0, perc=0)
        found = by_hand(model, clip, lambda pictures: pictures)
    level = STEPS / 1000
    expected = (level[0] * found["mask"][0] + level[1] * found["paired"][1]) / 2
    torch.testing.assert_close(outcome.terms["mask"], expected)
    assert outcome.empty_masks == 1


def test_the_union_of_masks_is_another_loss(model, clip):
    weights = {"loc": 0, "global_": 0, "perc": 0}
    one, other = (
        terms(model, clip, None, combine=combine, **weights).terms["mask"].item()
        for combine in ("paper", "union")
    )
    assert one != pytest.approx(other)


def test_every_term_reaches_the_weights_that_are_trained(model, clip, perceptual):
    blocks = AlternatingBlocks(model.unet)
    for name in ("loc", "global_", "mask", "perc"):
        weights = dict.fromkeys(("loc", "global_", "mask", "perc"), 0.0) | {name: 1.0}
        trained = blocks.begin(0)
        model.unet.zero_grad()
        sum(terms(model, clip, perceptual, **weights).terms.values()).backward()
        assert sum(p.grad.abs().sum() for p in trained) > 0, name
    model.unet.requires_grad_(requires_grad=False)


def test_how_hard_a_term_pulls_is_the_norm_of_its_gradient(model, clip):
    AlternatingBlocks(model.unet).begin(0)
    outcome = terms(model, clip, None, loc=0, global_=0, mask=0, perc=0, paired=1.0)
    with torch.no_grad():
        drawn, pairs = draw(), batch()
        alpha = alpha_at(model.alphas_cumprod, STEPS)
        z_1, z_2 = model.encode(pairs.source), model.encode(pairs.target)
        gap = outcome.predicted - target_noise(z_1, z_2, drawn.noise, alpha)
        # Of the mean over all elements of the squared gap, times t/T.
        gradient = 2 * gap * (STEPS / 1000).view(-1, 1, 1, 1) / gap.numel()
    assert outcome.gradient_norms() == {"paired": pytest.approx(gradient.norm().item(), rel=1e-4)}
    sum(outcome.terms.values()).backward()  # the graph is still there
    model.unet.requires_grad_(requires_grad=False)


def test_quality_weighs_pairs(model, clip):
    weights = {"loc": 0, "global_": 0, "perc": 0}
    pairs = batch()
    lone = dataclasses.replace(pairs, quality=torch.tensor([2.0, 0.0]))
    with torch.no_grad():
        outcome = terms(model, clip, None, lone, **weights)
        found = by_hand(model, clip, lambda pictures: pictures)
    torch.testing.assert_close(outcome.terms["mask"], 0.1 * found["mask"][0])


def test_a_perceptual_weight_needs_a_network(model, clip):
    with pytest.raises(ValueError, match="perceptual network must be given"):
        terms(model, clip, None)


def test_masks_shrink_to_latents_by_majority():
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2, :2] = 1
    mask[..., 0, 2:] = 1  # half of a latent: not more
    mask[..., 2:, :2] = torch.tensor([[1, 1], [1, 0]])
    assert to_latent_mask(mask, 2).tolist() == [[[[1, 0], [1, 0]]]]


class TestFeatures:
    def test_pictures_reach_clip_as_through_its_own_processor(self, clip):
        pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
        from PIL import Image

        images = [Image.fromarray(each.numpy()) for each in pixels]
        expected = clip.encoder.encode_images(images)
        tensors = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        found = clip.embed_pictures(tensors)
        found = found / found.norm(dim=1, keepdim=True)
        torch.testing.assert_close(found, torch.from_numpy(expected), atol=1e-5, rtol=1e-4)

    def test_texts_are_those_of_the_encoder(self, clip):
        found = clip.embed_texts(["a red apple", "a bus"])
        found = found / found.norm(dim=1, keepdim=True)
        expected = clip.encoder.encode_texts(["a red apple", "a bus"])
        torch.testing.assert_close(found, torch.from_numpy(expected), atol=1e-5, rtol=1e-4)

    def test_open_clip_serves_as_well(self, tmp_path):
        space = load_clip_space(
            ModelSpec(loader="open_clip", location=str(save_open_clip(tmp_path)))
        )
        pictures = torch.rand(2, 3, 40, 30, requires_grad=True)
        space.embed_pictures(pictures * 2 - 1).sum().backward()
        assert pictures.grad.abs().sum() > 0
        assert space.embed_texts(["a", "bus"]).shape == (2, 8)

    def test_other_sizes_are_brought_to_the_network_s(self):
        shorter = PictureProcessor(height=8, width=8, shortest_edge=8)
        squashed = PictureProcessor(height=8, width=8)
        pictures = torch.rand(1, 3, 16, 24) * 2 - 1
        for processor in (shorter, squashed):
            assert fit_pictures(pictures, processor).shape == (1, 3, 8, 8)
        grey = fit_pictures(torch.zeros(1, 3, 16, 24), shorter)
        mean, std = (torch.tensor(v) for v in (shorter.mean, shorter.std))
        torch.testing.assert_close(grey[0, :, 4, 4], (0.5 - mean) / std)

    def test_vgg_is_read_by_torchvision_s_names(self, tmp_path):
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

    def test_unknown_loaders_are_refused(self, clip_folder):
        with pytest.raises(ModelError, match="no perceptual loader 'x'; there are vgg16"):
            load_perceptual(ModelSpec(loader="x", location="x"))
        with pytest.raises(ModelError, match="no encoder loader 'x'"):
            load_clip_space(ModelSpec(loader="x", location="x"))
        spec = ModelSpec(loader="clip_layer", location=str(clip_folder), options=(("layer", 9),))
        with pytest.raises(ModelError, match=r"layer must be in \[1, 2\], got 9"):
            load_perceptual(spec)
