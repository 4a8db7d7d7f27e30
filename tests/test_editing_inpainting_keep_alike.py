"""What hardly differs from the source is left as it was."""

import pytest
import torch

from editing.inpainting.pasting import keep_alike


def drawn(seed, size=64):
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 0.1


def test_a_thing_is_painted_and_the_grain_around_it_stays():
    source, painted = drawn(1), drawn(2)
    painted[..., 20:40, 20:40] = -1.0
    kept = keep_alike(source, painted, below=0.08)
    assert torch.equal(kept[..., 20:40, 20:40], painted[..., 20:40, 20:40])
    assert torch.equal(kept[..., :15, :], source[..., :15, :])
    assert torch.equal(kept[..., :, 46:], source[..., :, 46:])


def test_with_nothing_below_all_is_painted():
    source, painted = drawn(1), drawn(2)
    assert keep_alike(source, painted, below=0) is painted


def test_a_row_does_not_depend_on_those_beside_it():
    source, painted = (torch.cat([drawn(seed), drawn(seed + 5)]) for seed in (1, 2))
    painted[0, :, :30] = 1
    together = keep_alike(source, painted, below=0.1)
    for row in range(2):
        alone = keep_alike(source[row : row + 1], painted[row : row + 1], below=0.1)
        assert torch.equal(together[row : row + 1], alone)


@pytest.mark.parametrize("size", [1, 3, 16, 200])
def test_every_size_will_do(size):
    source = drawn(1, size)
    assert torch.equal(keep_alike(source, source, below=0.5), source)
    assert torch.equal(
        keep_alike(source, -torch.ones_like(source), below=0.1), -torch.ones_like(source)
    )


@pytest.mark.parametrize("below", [-0.1, 1.0, float("nan")])
def test_a_share_is_asked_for(below):
    with pytest.raises(ValueError, match=r"keep_below must be in \[0, 1\)"):
        keep_alike(drawn(1), drawn(2), below=below)
