"""Measures of edits against values known beforehand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchvision.models import squeezenet1_1

from editing.errors import EditingError
from editing.evaluation.metrics import (
    FrechetDistance,
    PerceptualDistance,
    background_error,
    bootstrap,
    clip_scores,
    region_ssim,
)


def pictures(seed, count=2, side=24):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def left_half(count=2, side=24):
    mask = torch.zeros(count, 1, side, side)
    mask[..., : side // 2] = 1
    return mask


def test_clip_score_comes_in_both_scalings():
    found = clip_scores(np.array([0.3, -0.1]))
    assert found["clip_score"].tolist() == pytest.approx([30, -10])
    assert found["clip_score_hessel"].tolist() == pytest.approx([0.75, 0])


class TestSsim:
    def test_of_a_picture_with_itself_it_is_one(self):
        for value in region_ssim(pictures(1), pictures(1), left_half()).values():
            torch.testing.assert_close(value, torch.ones(2))

    def test_only_the_region_counts(self):
        source, edited = pictures(1), pictures(1)
        edited[..., 18:] = 1  # further from the middle than half a window
        inside = region_ssim(edited, source, left_half())
        outside = region_ssim(edited, source, 1 - left_half())
        for name in ("mean", "zero_filled"):
            torch.testing.assert_close(inside[name], torch.ones(2), atol=1e-5, rtol=0)
            assert (outside[name] < 0.9).all()

    def test_an_empty_region_has_none(self):
        for value in region_ssim(pictures(1), pictures(2), torch.zeros(2, 1, 24, 24)).values():
            assert value.isnan().all()

    def test_examples_are_kept_apart(self):
        both = region_ssim(pictures(1), pictures(2), left_half())
        alone = region_ssim(pictures(1)[1:], pictures(2)[1:], left_half(1))
        for name, value in both.items():
            torch.testing.assert_close(value[1:], alone[name])


def test_background_error_is_the_root_mean_square_outside():
    source = torch.zeros(2, 3, 8, 8)
    edited = source.clone()
    edited[0, :, :, 4:] = 0.2  # a tenth of the range
    edited[1, :, :, :4] = 1.0
    found = background_error(edited, source, left_half(2, 8))
    torch.testing.assert_close(found, torch.tensor([0.1, 0.0]))
    assert background_error(edited, source, torch.ones(2, 1, 8, 8)).isnan().all()


class Means(nn.Module):
    """Two features of a picture: the means of its first two channels."""

    def forward(self, images):
        return images[:, :2].mean((2, 3))


class TestFid:
    def distance(self, real):
        made = FrechetDistance(Means(), 2)
        made.learn_real(real)
        return made

    def test_a_set_is_no_distance_from_itself(self):
        some = [pictures(1, 16), pictures(2, 16)]
        assert self.distance(some).of(some) == pytest.approx(0, abs=1e-4)

    def test_of_two_gaussians_it_is_the_closed_form(self):
        rng = np.random.default_rng(0)

        def drawn(mean, spread):
            values = rng.normal(mean, spread, (4000, 3, 1, 1)).clip(-1, 1)
            return [torch.from_numpy(values).float().expand(-1, -1, 4, 4).contiguous()]

        found = self.distance(drawn(-0.1, 0.05)).of(drawn(0.2, 0.15))
        assert found == pytest.approx(2 * (0.3**2 + 0.1**2), rel=0.05)


class TestLpips:
    @pytest.fixture
    def distance(self, tmp_path, monkeypatch):
        """By a network of random weights, lying where fetched ones would."""
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        torch.manual_seed(0)
        place = tmp_path / "hub" / "checkpoints" / "squeezenet1_1-b8a52dc0.pth"
        place.parent.mkdir(parents=True)
        torch.save(squeezenet1_1(weights=None).state_dict(), place)
        return PerceptualDistance("squeeze")

    def test_of_a_picture_from_itself_it_is_nothing_and_grows_with_what_is_changed(self, distance):
        source = pictures(1, side=64)
        little, much = source.clone(), source.clone()
        little[..., :8, :8] = 0
        much[..., :32, :] = 0
        torch.testing.assert_close(distance(source, source), torch.zeros(2))
        assert (distance(little, source) < distance(much, source)).all()
        assert (distance(little, source) > 0).all()

    def test_small_pictures_are_refused(self, distance):
        with pytest.raises(EditingError, match="at least 64 pixels a side, got 24 x 24"):
            distance(pictures(1), pictures(1))


@pytest.mark.parametrize(
    "make", [lambda: PerceptualDistance("alex"), lambda: FrechetDistance(None, 2048)]
)
def test_weights_that_cannot_be_fetched_are_named(make, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(EditingError, match=r"cannot fetch the weights of .* for (LPIPS|FID)"):
        make()


class TestBootstrap:
    def test_the_value_is_the_mean(self):
        found = bootstrap([[1.0, 2.0, 6.0]])
        assert found.value == 3
        assert 1 <= found.low < 3 < found.high <= 6

    def test_its_width_is_that_of_the_mean(self):
        values = np.random.default_rng(0).normal(5, 2, 400)
        found = bootstrap([values.tolist()])
        half = (found.high - found.low) / 2
        assert half == pytest.approx(1.96 * values.std() / 20, rel=0.1)

    def test_pairs_stay_together(self):
        base = np.random.default_rng(0).normal(0, 10, 300)
        paired = bootstrap([(base + 1).tolist(), base.tolist()], lambda a, b: a - b)
        assert (paired.low, paired.high) == (pytest.approx(1), pytest.approx(1))

    def test_it_repeats_with_its_seed(self):
        values = [[1.0, 5.0, 2.0, 8.0]]
        first, again, other = (bootstrap(values, seed=seed, draws=7) for seed in (1, 1, 2))
        assert first == again
        assert first != other

    def test_rows_without_a_number_are_left_out(self):
        assert bootstrap([[1.0, math.nan, 3.0], [0.0, 0.0, 0.0]]).value == 2
        with pytest.raises(ValueError, match="at least one row"):
            bootstrap([[math.nan]])

    @given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
    @settings(max_examples=30, deadline=None)
    def test_the_interval_lies_within_the_values(self, values):
        found = bootstrap([values], draws=50)
        assert min(values) - 1e-6 <= found.low <= found.high <= max(values) + 1e-6

    def test_it_can_be_read(self):
        assert str(bootstrap([[0.5, 0.5]])) == "0.500 [0.500, 0.500]"
