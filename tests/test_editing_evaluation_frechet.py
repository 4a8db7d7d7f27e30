"""FID: the features of each picture, and the distance of two sets of them."""

import numpy as np
import pytest
import torch
from fakes.pictures import noise as picture
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance

from editing.errors import EditingError
from editing.evaluation.frechet import (
    FID,
    FrechetReduction,
    PictureFeatures,
    frechet_distance,
    inception_features,
)
from editing.pictures import picture_to_tensor, resize


class Bands(nn.Module):
    """Features of a picture of any size: means and deviations of its channels and of its rows."""

    num_features = 8

    def forward(self, pictures):
        top, bottom = pictures.double().chunk(2, dim=2)
        parts = [top.mean((2, 3)), bottom.mean((2, 3)), pictures.double().std((2, 3))[:, :2]]
        return torch.cat(parts, dim=1)


def tinted(seed, count, size=(24, 16), *, shift=0):
    """Pictures whose brightness and noise are drawn."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        base = rng.normal(100 + shift, 30, 3)
        pixels = rng.normal(base, rng.uniform(5, 40), (size[1], size[0], 3))
        found.append(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))
    return found


def distance(made, real, **options):
    features = PictureFeatures(Bands(), **options)
    return frechet_distance(features(made), features(real))


def by_torchmetrics(made, real):
    metric = FrechetInceptionDistance(feature=Bands())
    metric.update(torch.stack([picture_to_tensor(image) for image in real]), real=True)
    metric.update(torch.stack([picture_to_tensor(image) for image in made]), real=False)
    return metric.compute().item()


class TestDistance:
    @pytest.mark.parametrize(("count", "shift"), [(40, 0), (40, 60), (12, 10)])
    def test_it_is_that_of_torchmetrics(self, count, shift):
        made, real = tinted(1, count, shift=shift), tinted(2, 2 * count)
        found = distance(made, real)
        assert found > 1e-4
        assert found == pytest.approx(by_torchmetrics(made, real), rel=1e-6)

    def test_a_set_is_no_distance_from_itself(self):
        some = tinted(1, 30)
        found = distance(some, some)
        assert 0 <= found == pytest.approx(0, abs=1e-6)

    def test_it_is_the_same_either_way(self):
        made, real = tinted(1, 30, shift=40), tinted(2, 20)
        assert distance(made, real) == pytest.approx(distance(real, made), rel=1e-9)

    def test_of_two_gaussians_it_is_the_closed_form(self):
        rng = np.random.default_rng(0)
        made, real = rng.normal(0.2, 0.15, (4000, 2)), rng.normal(-0.1, 0.05, (4000, 2))
        assert frechet_distance(made, real) == pytest.approx(2 * (0.3**2 + 0.1**2), rel=0.05)

    def test_a_shift_is_its_square(self):
        values = np.random.default_rng(0).normal(0, 1, (50, 3))
        assert frechet_distance(values + np.array([3, 0, 4]), values) == pytest.approx(25, rel=1e-6)

    def test_one_feature_will_do(self):
        values = np.random.default_rng(0).normal(0, 1, (50, 1))
        assert frechet_distance(2 * values, values) == pytest.approx(
            values.mean() ** 2 + values.var(ddof=1), rel=1e-6
        )

    @given(st.integers(2, 6), st.integers(2, 6), st.integers(1, 9), st.integers(0, 99))
    @settings(max_examples=40, deadline=None)
    def test_it_is_never_below_zero_nor_anything_but_a_number(self, one, other, features, seed):
        """Also where there are fewer pictures than features."""
        rng = np.random.default_rng(seed)
        found = frechet_distance(
            rng.normal(size=(one, features)), rng.normal(size=(other, features))
        )
        assert found >= 0
        assert np.isfinite(found)

    @pytest.mark.parametrize("few", [0, 1])
    def test_a_set_of_fewer_than_two_is_refused(self, few):
        many, some = np.zeros((5, 3)), np.zeros((few, 3))
        for sets in ((many, some), (some, many)):
            with pytest.raises(ValueError, match=f"FID needs at least 2 pictures a set, got {few}"):
                frechet_distance(*sets)

    def test_the_number_of_threads_stays_as_it_was(self):
        before = torch.get_num_threads()
        distance(tinted(1, 4), tinted(2, 4))
        assert torch.get_num_threads() == before

    def test_as_a_reduction_it_is_of_features_from_those_of_a_set(self):
        features = PictureFeatures(Bands())
        made, real = features(tinted(1, 12, shift=40)), features(tinted(2, 20))
        assert FrechetReduction(real)(made) == frechet_distance(made, real)

    def test_less_is_better(self):
        assert FID.less_is_better


class TestSizes:
    sizes = ((24, 16), (96, 96), (16, 24), (64, 64))

    def mixed(self, seed):
        return [image for n, size in enumerate(self.sizes) for image in tinted(seed + n, 5, size)]

    def test_they_may_be_mixed(self):
        images = self.mixed(1)
        features = PictureFeatures(Bands())
        found = features(images)
        assert found.shape == (20, 8)
        for image, row in zip(images, found, strict=True):
            np.testing.assert_allclose(features([image])[0], row, rtol=1e-9)

    @pytest.mark.parametrize("side", [None, 32])
    def test_order_does_not_matter(self, side):
        """In particular which picture comes first."""
        made, real = self.mixed(1), self.mixed(50)
        whole = distance(made, real, side=side)
        assert np.isfinite(whole)
        assert distance(made[::-1], real, side=side) == pytest.approx(whole, rel=1e-6)
        assert distance(made, real[10:] + real[:10], side=side) == pytest.approx(whole, rel=1e-6)

    def test_a_network_that_wants_a_side_gets_it(self):
        shown = []

        def network(pictures):
            shown.append(tuple(pictures.shape))
            return pictures.mean((2, 3))

        images = self.mixed(1)
        found = PictureFeatures(network, side=32)(images)
        assert shown == [(20, 3, 32, 32)]
        by_hand = [picture_to_tensor(resize(image, (32, 32))).mean((1, 2)) for image in images]
        np.testing.assert_allclose(found, torch.stack(by_hand), rtol=1e-5, atol=1e-6)

    def test_a_network_that_takes_any_gets_each_picture_s_own(self):
        shown = set()

        def network(pictures):
            shown.add(tuple(pictures.shape[2:][::-1]))
            return pictures.mean((2, 3))

        PictureFeatures(network)(self.mixed(1))
        assert shown == set(self.sizes)


class TestFeatures:
    def test_many_pictures_go_in_batches_and_keep_their_order(self):
        shown = []

        def network(pictures):
            shown.append(len(pictures))
            return pictures.mean((2, 3))

        images = [Image.new("RGB", (4, 4), (n, 0, 255)) for n in range(150)]
        found = PictureFeatures(network)(images)
        assert shown == [64, 64, 22]
        np.testing.assert_allclose(found[:, 0], np.arange(150) / 127.5 - 1, atol=1e-6)

    def test_maps_are_flattened_and_no_graph_is_kept(self):
        layer = nn.Conv2d(3, 2, 3)
        found = PictureFeatures(layer)([picture(1, (8, 8)), picture(2, (8, 8))])
        assert found.shape == (2, 2 * 6 * 6)
        assert found.dtype == np.float64

    def test_inception_s_weights_that_cannot_be_fetched_are_named(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
        with pytest.raises(EditingError, match="cannot fetch the weights of InceptionV3, for FID"):
            inception_features()
