"""The region finder that asks the diffusion model itself."""

import numpy as np
import pytest
import torch
from fakes.editors import seeded
from fakes.pictures import noise

from editing.regions.contrast import ContrastRegions, DifferenceMap, cut_map
from editing.regions.contrast_settings import WAYS, ContrastSettings
from editing.requests import Request


def ways(**more):
    return ContrastSettings(
        **({"contrast_threshold": "0.5", "contrast_smooth": False, "mask_grow": 0.0} | more)
    ).chosen()


def marked(mask):
    return np.asarray(mask) > 127


class TestCutting:
    def test_what_lies_above_the_threshold_is_marked(self):
        scaled = torch.tensor([[0.0, 0.6], [0.5, 1.0]])
        found = cut_map(scaled, (4, 4), ways())
        assert marked(found).tolist() == np.kron([[0, 1], [0, 1]], np.ones((2, 2))).tolist()

    def test_a_map_that_is_made_large_first_has_no_steps(self):
        scaled = torch.zeros(4, 4)
        scaled[1, 1] = 1.0
        found = marked(cut_map(scaled, (64, 64), ways(contrast_smooth=True)))
        assert 0 < found.sum() < 16 * 16
        assert not found[16, 16]  # the corner of the cell is near 0.25
        assert found[23:25, 23:25].all()

    def test_masks_are_grown_by_a_share_of_the_shorter_side(self):
        scaled = torch.zeros(4, 8)
        scaled[1, 1] = 1.0
        found = marked(cut_map(scaled, (64, 32), ways(mask_grow=0.25)))
        assert found.sum() == (8 + 2 * 8) * (8 + 2 * 8)

    @pytest.mark.parametrize("threshold", ["0.5", "otsu"])
    def test_an_even_map_marks_nothing(self, threshold):
        found = cut_map(torch.zeros(4, 4), (8, 8), ways(contrast_threshold=threshold))
        assert not marked(found).any()

    def test_otsu_finds_the_cut_of_each_map(self):
        scaled = torch.tensor([[0.0, 0.05, 0.1], [0.0, 0.3, 1.0], [0.05, 0.9, 0.95]])
        found = marked(cut_map(scaled, (3, 3), ways(contrast_threshold="otsu")))
        assert found.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 1]]


class TestSettings:
    def test_what_is_given_counts_and_the_rest_is_as_named(self):
        settings = ContrastSettings(contrast_ways="thesis", contrast_noises=3)
        assert settings.chosen().noises == 3
        assert settings.chosen().level == WAYS["thesis"].level == 0.5
        assert ContrastSettings().chosen() == WAYS["measured"]

    def test_levels_lie_evenly_around_the_middle(self):
        settings = ContrastSettings(contrast_level=0.5, contrast_spread=0.1, contrast_noises=3)
        assert settings.chosen().levels == pytest.approx((0.4, 0.5, 0.6))
        assert ContrastSettings(contrast_level=0.5, contrast_noises=1).chosen().levels == (0.5,)

    @pytest.mark.parametrize(
        ("given", "line"),
        [
            ({"contrast_noises": 0}, r"contrast_noises must be in \[1, 1000\], got 0"),
            ({"contrast_noises": 10**18}, r"contrast_noises must be in \[1, 1000\], got 1000"),
            ({"contrast_level": 0.0}, r"contrast_level must be in \(0, 1\), got 0.0"),
            ({"contrast_level": 1.0}, r"contrast_level must be in \(0, 1\), got 1.0"),
            ({"contrast_spread": 0.5}, "keep levels in"),
            ({"contrast_clamp": -1.0}, "contrast_clamp must be at least 0, got -1.0"),
            ({"contrast_blur": -1}, r"contrast_blur must be in \[0, 1000\], got -1"),
            ({"contrast_blur": 10**30}, r"contrast_blur must be in \[0, 1000\], got 1000"),
            ({"contrast_threshold": "1"}, r"in \(0, 1\) or otsu, got '1'"),
            ({"contrast_threshold": "nan"}, "got 'nan'"),
            ({"contrast_threshold": "half"}, "got 'half'"),
            ({"mask_grow": 2.0}, r"mask_grow must be in \[0, 1\], got 2.0"),
            ({"contrast_level": float("nan")}, "finite"),
        ],
    )
    def test_what_breaks_a_rule_is_refused(self, given, line):
        with pytest.raises(ValueError, match=line):
            ContrastSettings(**given)


class TestFinding:
    def request(self, seed, size=(16, 16), **more):
        return Request(image=noise(seed, size), prompt="a red apple", **more)

    def test_masks_have_the_pictures_sizes_and_repeat(self, tiny_diffusion):
        finder = ContrastRegions(tiny_diffusion, ContrastSettings())
        requests = [
            self.request(0, source_prompt="a green apple"),
            self.request(1, (40, 24), source_prompt="a bus"),
            self.request(2, source_prompt="a pear"),
        ]
        found = finder.find(requests, [seeded(n) for n in range(3)])
        assert [mask.size for mask in found] == [(16, 16), (40, 24), (16, 16)]
        assert all(set(np.unique(mask)) <= {0, 255} for mask in found)
        again = finder.find(requests[1:2], [seeded(1)])
        assert np.array_equal(again[0], found[1])

    def test_texts_that_are_the_same_mark_nothing_or_all_but_do_not_break(self, tiny_diffusion):
        finder = ContrastRegions(tiny_diffusion, ContrastSettings())
        (found,) = finder.find([self.request(0, source_prompt="a red apple")], [seeded(0)])
        assert found.size == (16, 16)

    def test_without_a_source_s_prompt_the_empty_text_is_compared_with(self, tiny_diffusion):
        finder = ContrastRegions(tiny_diffusion, ContrastSettings())
        empty = ContrastRegions(tiny_diffusion, ContrastSettings(contrast_reference="empty"))
        (without,) = finder.maps([self.request(0)], [seeded(0)])
        (asked,) = empty.maps([self.request(0, source_prompt="a bus")], [seeded(0)])
        assert torch.equal(without.values, asked.values)

    def test_the_mask_of_a_background_does_not_reach_into_things(self, tiny_diffusion):
        class Told(ContrastRegions):
            def maps(self, requests, generators, on_step=lambda: None):
                values = torch.zeros(16, 16)
                values[:, :8] = 1
                return [DifferenceMap(values, apart) for apart in (False, True)]

        finder = Told(tiny_diffusion, ContrastSettings(mask_grow=0.25, contrast_smooth=False))
        grown, inside = finder.find([self.request(0)] * 2, [seeded(0), seeded(1)])
        assert marked(grown)[:, :12].all()
        assert np.array_equal(marked(inside), np.arange(16) < 8 * np.ones((16, 1)))
