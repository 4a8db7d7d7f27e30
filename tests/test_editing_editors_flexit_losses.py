"""What FlexIT makes small, against sums by hand."""

import numpy as np
import pytest
import torch

from editing.editors.flexit.losses import embedding_loss, latent_distance, perceptual_distance


def test_both_embedding_losses():
    found, target = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[3.0, 1.0], [0.0, 1.0]])
    assert embedding_loss(found, target, kind="squared").tolist() == [5.0, 0.0]
    assert embedding_loss(found, target, kind="dot").tolist() == [-5.0, -1.0]


def test_the_latent_s_distance_is_a_sum_of_norms_over_places():
    source = torch.zeros(1, 2, 1, 2)
    source[0, :, 0, 0] = torch.tensor([3.0, 4.0])
    source[0, 1, 0, 1] = 5.0
    moved = source.clone()
    moved[0, :, 0, 1] += torch.tensor([3.0, 4.0])
    assert latent_distance(moved, source).item() == pytest.approx(5 / 10)


def test_it_has_a_gradient_where_nothing_has_moved_and_where_the_source_is_zero():
    for source in (torch.randn(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)):
        latents = source.clone().requires_grad_()
        latent_distance(latents, source).sum().backward()
        assert torch.isfinite(latents.grad).all()


@pytest.mark.parametrize("shape", [(2, 5, 3, 4), (2, 6, 5)])
def test_the_perceptual_distance_is_of_directions_place_by_place(shape):
    one, other = torch.randn(shape), torch.randn(shape)
    axis = 1 if len(shape) == 4 else 2
    rows = [np.moveaxis(each.numpy(), axis, -1).reshape(2, -1, 5) for each in (one, other)]
    units = [each / np.linalg.norm(each, axis=-1, keepdims=True) for each in rows]
    wanted = ((units[0] - units[1]) ** 2).sum(-1).mean(-1)
    np.testing.assert_allclose(perceptual_distance(one, other).numpy(), wanted, rtol=1e-5)
    assert perceptual_distance(one, 3 * one).abs().max() < 1e-5
