"""Attention to words is kept as it is, moved by a bias, and the network is left as it was."""

import pytest
import torch
from fakes.diffusion import load_tiny, save_diffusion

from editing.attention.capture import (
    attended_divisors,
    checkpointed,
    require_divisors,
    watch_attention,
    word_layers,
)
from editing.errors import SettingError

SIZE = (8, 8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_tiny(save_diffusion(tmp_path_factory.mktemp("model")))


@pytest.fixture
def seen(model):
    """A latent, its noise level and a text."""
    z = torch.randn(2, 4, *SIZE, generator=torch.Generator().manual_seed(0))
    return z, torch.tensor([500, 500]), model.embed_texts(["a red apple", "a blue bus"])


def by_hand(model, seen):
    """softmax(Q K^T / sqrt(d)) of each layer, mean over its heads: (b, places, tokens)."""
    inputs = {}
    layers = word_layers(model.unet)
    hooks = [
        layer.register_forward_pre_hook(
            lambda _, args, more, name=name: inputs.__setitem__(
                name, (args[0], more["encoder_hidden_states"])
            ),
            with_kwargs=True,
        )
        for name, layer in layers.items()
    ]
    with torch.no_grad():
        model.predict_noise(*seen)
    for hook in hooks:
        hook.remove()
    maps = {}
    for name, layer in layers.items():
        places, words = inputs[name]
        width = layer.to_q.out_features // layer.heads
        heads = [
            torch.softmax(
                layer.to_q(places)[..., span] @ layer.to_k(words)[..., span].mT / width**0.5, -1
            )
            for span in (slice(n * width, (n + 1) * width) for n in range(layer.heads))
        ]
        maps[name] = torch.stack(heads).mean(0)
    return maps


def test_the_maps_are_those_computed_by_hand(model, seen):
    expected = by_hand(model, seen)
    fine = [each.unflatten(1, SIZE) for each in expected.values() if each.shape[1] == 64]
    (coarse,) = [each.unflatten(1, (4, 4)) for each in expected.values() if each.shape[1] == 16]
    with torch.no_grad():
        for divisors, wanted in (((1,), torch.stack(fine).mean(0)), ((2,), coarse)):
            with watch_attention(model.unet, latent_size=SIZE, divisors=divisors) as kept:
                model.predict_noise(*seen)
                found = kept.take()
            torch.testing.assert_close(found, wanted)
            torch.testing.assert_close(found.sum(-1), torch.ones(found.shape[:3]))
        with watch_attention(model.unet, latent_size=SIZE) as kept:
            model.predict_noise(*seen)
            all_layers = kept.take()
    enlarged = torch.nn.functional.interpolate(
        coarse.permute(0, 3, 1, 2), size=SIZE, mode="bilinear"
    ).permute(0, 2, 3, 1)
    torch.testing.assert_close(all_layers, torch.stack([*fine, enlarged]).mean(0))


def test_watched_outputs_are_those_of_the_untouched_network(model, seen):
    with torch.no_grad():
        expected = model.predict_noise(*seen)
        with watch_attention(model.unet, latent_size=SIZE):
            torch.testing.assert_close(model.predict_noise(*seen), expected)
        assert torch.equal(model.predict_noise(*seen), expected)


def test_a_latent_that_is_no_square(model):
    z = torch.randn(1, 4, 8, 16)
    with watch_attention(model.unet, latent_size=(8, 16), divisors=[2]) as kept:
        model.predict_noise(z, torch.tensor([3]), model.embed_texts(["a bus"]))
        assert kept.take().shape[1:3] == (4, 8)


def test_a_bias_moves_attention_and_the_output(model, seen):
    def towards_the_second(logits, size):
        bias = torch.zeros(1, 1, size[0] * size[1], logits.shape[-1])
        bias[..., : size[1], 2] = 50  # the first row of places
        return bias

    with torch.no_grad():
        plain = model.predict_noise(*seen)
        with watch_attention(model.unet, latent_size=SIZE, bias=towards_the_second) as kept:
            moved = model.predict_noise(*seen)
    maps = kept.take()
    assert not torch.equal(moved, plain)
    assert bool((maps[:, 0, :, 2] > 0.99).all())
    assert bool((maps[:, 4:, :, 2] < 0.9).all())


@pytest.mark.parametrize("wanted", [False, True])
def test_gradients_reach_the_latent_whether_checkpointed_or_not(model, seen, wanted):
    z, t, text = seen
    z = z.clone().requires_grad_()
    with (
        checkpointed(model.unet, wanted=wanted),
        watch_attention(model.unet, latent_size=SIZE, divisors=[1]) as kept,
    ):
        model.predict_noise(z, t, text)
        (gradient,) = torch.autograd.grad(kept.take()[:, :4, :, 1].sum(), z)
    other = seen[0].clone().requires_grad_()
    with watch_attention(model.unet, latent_size=SIZE, divisors=[1]) as again:
        model.predict_noise(other, t, text)
        (expected,) = torch.autograd.grad(again.take()[:, :4, :, 1].sum(), other)
    assert float(gradient.abs().max()) > 0
    torch.testing.assert_close(gradient, expected)
    assert not model.unet.is_gradient_checkpointing


def test_the_network_has_its_own_processors_again_after_an_error_too(model):
    own = {name: layer.processor for name, layer in word_layers(model.unet).items()}

    def fail():
        with checkpointed(model.unet, wanted=True), watch_attention(model.unet, latent_size=SIZE):
            layers = word_layers(model.unet)
            assert all(layer.processor is not own[name] for name, layer in layers.items())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert all(layer.processor is own[name] for name, layer in word_layers(model.unet).items())
    assert not model.unet.is_gradient_checkpointing
    assert not any(each.requires_grad for each in model.unet.parameters())


def test_maps_of_no_pass(model):
    with (
        watch_attention(model.unet, latent_size=SIZE) as kept,
        pytest.raises(RuntimeError, match="no pass"),
    ):
        kept.take()


def test_where_a_network_looks_at_words(model):
    assert attended_divisors(model.unet) == (1, 2)
    require_divisors(model.unet, [1, 2])
    with pytest.raises(SettingError) as caught:
        require_divisors(model.unet, [2, 8])
    assert str(caught.value) == (
        "layers must be among 1, 2, where this model looks at words, got 8"
    )
