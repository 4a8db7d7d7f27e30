"""Difference maps: against the network's own estimates, and what is cut of them by hand."""

import pytest
import torch
from fakes.diffusion import latents

from editing.diffusion.contrast import (
    Differences,
    blur_maps,
    combine,
    lie_apart,
    measure_differences,
    otsu_threshold,
    scale_maps,
)
from editing.diffusion.noise import add_noise, alpha_at


def seeded(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


class TestDifferences:
    def test_they_are_the_mean_of_what_the_network_sees(self, tiny_diffusion):
        model, source = tiny_diffusion, latents(0)
        found = measure_differences(
            model,
            source,
            prompts=["red apple", "a bus"],
            references=["green apple", "a train"],
            levels=(0.3, 0.5),
            generators=seeded(1, 2),
        )
        generators = seeded(1, 2)
        asked = torch.zeros(2, 8, 8)
        known = torch.zeros(2, 8, 8)
        for t in (300, 500):
            noise = torch.cat([torch.randn(1, 4, 8, 8, generator=each) for each in generators])
            steps = torch.full((2,), t)
            z_t = add_noise(source, noise, alpha_at(model.alphas_cumprod, steps))
            with torch.no_grad():
                one, other, empty = (
                    model.predict_noise(z_t, steps, model.embed_texts(texts))
                    for texts in (["red apple", "a bus"], ["green apple", "a train"], ["", ""])
                )
            asked += (one - other).abs().mean(1) / 2
            known += (other - empty).abs().mean(1) / 2
        torch.testing.assert_close(found.asked, asked, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(found.known, known, rtol=1e-4, atol=1e-6)

    def test_equal_texts_differ_nowhere(self, tiny_diffusion):
        found = measure_differences(
            tiny_diffusion,
            latents(0, 1),
            prompts=["red apple"],
            references=["red apple"],
            levels=(0.5,),
            generators=seeded(3),
        )
        assert found.asked.max() < 1e-6
        assert found.known.max() > 1e-4

    def test_a_picture_does_not_depend_on_those_beside_it(self, tiny_diffusion):
        def measure(rows):
            return measure_differences(
                tiny_diffusion,
                latents(0, 3)[rows],
                prompts=[("red apple", "a bus", "a pear")[row] for row in rows],
                references=[""] * len(rows),
                levels=(0.4, 0.6),
                generators=seeded(*rows),
            ).asked

        torch.testing.assert_close(measure([2]), measure([0, 1, 2])[2:], rtol=1e-4, atol=1e-6)


def test_maps_are_combined_where_the_reference_is_about_something():
    asked = torch.tensor([[[4.0, 9.0, 1.0]], [[4.0, 9.0, 1.0]], [[4.0, 9.0, 1.0]]])
    known = torch.tensor([[[1.0, 4.0, 1.0]], [[0.0, 0.0, 0.0]], [[3.0, 3.0, 3.0]]])
    found = combine(Differences(asked, known), both=True)
    assert torch.equal(found[0], torch.tensor([[2.0, 6.0, 1.0]]))
    assert torch.equal(found[1:], asked[1:])
    assert combine(Differences(asked, known), both=False) is asked


def test_a_reference_that_is_about_nothing_lies_apart_from_nothing():
    """Though the mean of numbers that are the same need not be quite that number."""
    asked = torch.rand(3, 7, 7, generator=torch.Generator().manual_seed(0))
    known = torch.tensor([0.1, 0.7, 1e-3])[:, None, None].expand(3, 7, 7)
    assert not lie_apart(Differences(asked, known)).any()


def test_what_changes_elsewhere_is_looked_for_where_the_reference_is_about_nothing():
    asked = torch.tensor([[[1.0, 4.0, 4.0, 4.0]]])
    known = torch.tensor([[[9.0, 0.0, 0.0, 5.0]]])
    found = combine(Differences(asked, known), both=True)
    assert torch.equal(found, torch.tensor([[[0.0, 6.0, 6.0, 4.0]]]))


class TestScaling:
    def test_each_by_its_own_range(self):
        maps = torch.tensor([[[1.0, 2.0], [3.0, 5.0]], [[0.0, 0.0], [0.0, 10.0]]])
        found = scale_maps(maps, clamp=None)
        assert torch.equal(found[0], torch.tensor([[0.0, 0.25], [0.5, 1.0]]))
        assert torch.equal(found[1], torch.tensor([[0.0, 0.0], [0.0, 1.0]]))

    def test_what_outshines_all_is_cut_off(self):
        # The mean is 3; three times that is 9.
        maps = torch.tensor([[[0.0, 0.0, 0.0, 3.0], [0.0, 0.0, 0.0, 21.0]]])
        found = scale_maps(maps, clamp=3.0)
        assert found[0, 0, 3].item() == pytest.approx(3 / 9)
        assert found[0, 1, 3].item() == 1

    def test_nothing_stands_out_of_an_even_map(self):
        assert torch.equal(scale_maps(torch.full((1, 2, 2), 7.0), clamp=3.0), torch.zeros(1, 2, 2))


def test_blurring_is_the_mean_of_what_is_near():
    maps = torch.zeros(1, 4, 4)
    maps[0, 0, 0] = 12.0
    found = blur_maps(maps, 1)
    assert found[0, 0, 0].item() == pytest.approx(3)  # of four, at the corner
    assert found[0, 0, 1].item() == pytest.approx(2)
    assert found[0, 1, 1].item() == pytest.approx(12 / 9)
    assert found[0, 3, 3].item() == 0
    assert blur_maps(maps, 0) is maps


class TestOtsu:
    def test_two_heaps_are_parted_between_them(self):
        values = torch.cat([torch.full((90,), 0.1), torch.full((10,), 0.7)])
        found = otsu_threshold(values)
        assert found == pytest.approx(0.4, abs=0.01)

    def test_it_is_where_the_variance_between_sides_is_greatest(self):
        generator = torch.Generator().manual_seed(0)
        values = torch.cat(
            [
                0.1 * torch.rand(300, generator=generator),
                0.3 + 0.6 * torch.rand(60, generator=generator),
            ]
        )
        found = otsu_threshold(values)

        def between(cut):
            low, high = values[values <= cut], values[values > cut]
            share = len(low) / len(values)
            return share * (1 - share) * (low.mean() - high.mean()).square().item()

        cuts = torch.linspace(0.01, 0.89, 89).tolist()
        assert between(found) >= max(map(between, cuts)) * 0.999
