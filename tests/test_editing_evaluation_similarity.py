"""How pictures are compared, against values known beforehand."""

import numpy as np
import pytest
import torch
from torchvision.models import squeezenet1_1

from editing.errors import EditingError
from editing.evaluation.similarity import (
    PerceptualDistance,
    background_error,
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


def test_weights_that_cannot_be_fetched_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(EditingError, match=r"cannot fetch the weights of alex, for LPIPS"):
        PerceptualDistance("alex")
