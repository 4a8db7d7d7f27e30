"""Augmented views: what they show, what is random in them, and that gradients pass."""

import torch
from fakes.editors import seeded

from editing.editors.flexit.views import draw_views, look_at

ITSELF = torch.eye(2, 3)


def draw(count=200, *, plain=False, flips=False, seed=0):
    return draw_views([seeded(seed)], count=count, plain=plain, flips=flips)[0]


def shape_of(maps):
    """Turn in degrees, share of the picture and aspect of each view."""
    columns = maps[:, :, :2]
    width, height = columns.norm(dim=1).unbind(-1)
    turn = torch.rad2deg(torch.atan2(maps[:, 1, 0], maps[:, 1, 1] * width / height))
    return turn, width * height, width / height


def test_they_are_as_the_thesis_has_them():
    turn, share, aspect = shape_of(draw())
    assert turn.abs().max() <= 10
    assert turn.abs().max() > 8
    assert share.min() >= 0.8 - 1e-5
    assert share.max() <= 1 + 1e-5
    assert aspect.min() >= 0.89
    assert aspect.max() <= 1.12


def test_what_is_cut_out_lies_in_the_picture():
    """Undoing the turn, all four corners of a view are."""
    corners = torch.tensor([[-1.0, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1]])
    for place in draw(50, flips=True):
        points = corners @ place.T
        columns = place[:, :2]
        axes = columns / columns.norm(dim=0)
        assert (points @ axes).abs().max() <= 1 + 1e-5


def test_only_flips_mirror():
    assert (draw()[:, 0, 0] > 0).all()
    mirrored = (draw(flips=True)[:, 0, 0] < 0).float().mean()
    assert 0.3 < mirrored < 0.7


def test_the_picture_itself_is_among_them_where_asked_and_where_there_is_no_other():
    assert torch.equal(draw(2, plain=True)[0], ITSELF)
    assert len(draw(2, plain=True)) == 3
    assert torch.equal(draw(0), ITSELF[None])
    pictures = torch.rand(2, 3, 8, 8)
    maps = draw_views([seeded(0), seeded(1)], count=0, plain=False, flips=False)
    assert look_at(pictures, maps) is pictures


def test_a_view_of_all_is_the_picture_and_a_mirrored_one_is_mirrored():
    pictures = torch.rand(1, 3, 8, 8)
    mirrored = ITSELF.clone()
    mirrored[0, 0] = -1
    views = look_at(pictures, torch.stack([ITSELF, mirrored])[None])
    torch.testing.assert_close(views[:1], pictures)
    torch.testing.assert_close(views[1:], pictures.flip(-1))


def test_each_edit_s_are_its_own_generator_s():
    both = draw_views([seeded(1), seeded(2)], count=3, plain=False, flips=True)
    assert torch.equal(both[1], draw(3, flips=True, seed=2))
    assert not torch.equal(both[0], both[1])


def test_gradients_pass_to_every_pixel_of_a_part():
    pictures = torch.rand(1, 3, 8, 8, requires_grad=True)
    look_at(pictures, draw(4)[None]).sum().backward()
    assert (pictures.grad[..., 2:6, 2:6] != 0).all()
