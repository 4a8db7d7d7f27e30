"""Regions by a segmenter: what words name, at the picture's own size, and as far as it grows."""

import math

import numpy as np
import pytest
from fakes.editors import HalfSegmenter, half_mask, same_pixels, seeded
from fakes.pictures import noise as picture
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from editing.errors import EditError
from editing.parts import Parts
from editing.regions.registry import REGIONS
from editing.regions.segmented import SegmentedRegions, grow_region
from editing.regions.segmenter_spec import SegmenterSettings
from editing.requests import Request
from editing.settings import describe_settings


def request(size=(16, 16), **more):
    words = {"source_prompt": "a red apple"} | more
    return Request(image=picture(1, size), prompt="a red pear", **words)


def find(finder, *requests):
    return finder.find(requests, [seeded() for _ in requests])


class TestFound:
    @pytest.mark.parametrize("size", [(8, 8), (32, 16), (30, 21), (640, 480)])
    def test_a_mask_has_the_picture_s_own_size(self, size):
        (mask,) = find(SegmentedRegions(HalfSegmenter()), request(size))
        assert (mask.mode, mask.size) == ("L", size)
        assert set(np.unique(np.asarray(mask))) == {0, 255}
        assert same_pixels(mask, half_mask(size))

    def test_pictures_of_different_sizes_keep_their_order(self):
        sizes = [(16, 16), (32, 16), (8, 24)]
        masks = find(SegmentedRegions(HalfSegmenter()), *map(request, sizes))
        assert [mask.size for mask in masks] == sizes

    def test_what_is_looked_for_are_the_request_s_words(self):
        segmenter = HalfSegmenter()
        find(SegmentedRegions(segmenter), request(), request(mask_phrase="the bowl"))
        assert segmenter.asked == ["apple", "the bowl"]

    def test_without_words_there_is_nothing_to_look_for(self):
        with pytest.raises(EditError, match="a mask needs edit_mask, mask_phrase, or"):
            find(SegmentedRegions(HalfSegmenter()), request(source_prompt=None))

    def test_it_grows_as_far_as_it_is_told(self):
        (mask,) = find(SegmentedRegions(HalfSegmenter(), 0.25), request((16, 16)))
        assert (np.asarray(mask) > 127).mean() == 0.75

    def test_the_generator_is_left_as_it_is(self):
        generator, fresh = seeded(3), seeded(3)
        SegmentedRegions(HalfSegmenter()).find([request()], [generator])
        assert generator.get_state().equal(fresh.get_state())


class TestSpec:
    def test_it_loads_the_preset_s_segmenter_with_its_settings(self, editing_preset):
        parts = Parts(preset=editing_preset)
        finder = REGIONS["segmenter"].load(parts, SegmenterSettings(mask_grow=0.1))
        assert (finder.segmenter, finder.grow) == (parts.segmenter, 0.1)

    @pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
    def test_a_share_out_of_range(self, share):
        with pytest.raises(ValueError, match=r"mask_grow must be in \[0, 1\], got"):
            SegmenterSettings(mask_grow=share)

    def test_the_paper_does_not_grow_masks(self):
        (grow,) = describe_settings(SegmenterSettings)
        assert (grow.flag, grow.default, grow.metavar) == ("mask-grow", 0.0, "SHARE")


def masks():
    """Small masks of any size and content."""
    sides = st.integers(1, 12)

    def of_size(sides):
        values = st.lists(
            st.sampled_from((0, 255)), min_size=sides[0] * sides[1], max_size=sides[0] * sides[1]
        )
        return values.map(lambda v: np.array(v, np.uint8).reshape(sides))

    return st.tuples(sides, sides).flatmap(of_size)


def grown(mask, share):
    return np.asarray(grow_region(Image.fromarray(mask), share))


class TestGrown:
    def point(self, share, size=(20, 10)):
        mask = Image.new("L", size)
        mask.putpixel((9, 4), 255)
        return np.asarray(grow_region(mask, share)) > 127

    def test_a_point_becomes_a_square_by_the_shorter_side(self):
        wanted = np.zeros((10, 20), bool)
        wanted[2:7, 7:12] = True
        assert np.array_equal(self.point(0.2), wanted)

    def test_by_nothing_it_stays(self):
        assert self.point(0.0).sum() == 1

    def test_by_all_it_is_everything(self):
        assert self.point(1.0, size=(12, 10)).all()

    @given(masks(), st.floats(0, 1))
    @settings(max_examples=60, deadline=None)
    def test_it_keeps_what_is_inside_and_adds_what_is_near_along_each_axis(self, mask, share):
        found = grown(mask, share)
        reach = round(share * min(mask.shape))
        inside = np.argwhere(mask > 0)
        near = np.zeros(mask.shape, bool)
        for row, column in inside:
            near[
                max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1
            ] = 1
        assert np.array_equal(found > 0, near)
        assert set(np.unique(found)) <= {0, 255}

    @given(masks(), st.floats(0, 1), st.floats(0, 1))
    @settings(max_examples=40, deadline=None)
    def test_more_is_never_less(self, mask, one, other):
        less, more = sorted((one, other))
        assert (grown(mask, less) <= grown(mask, more)).all()

    @given(masks(), st.floats(0, 1))
    @settings(max_examples=40, deadline=None)
    def test_it_grows_alike_in_every_direction(self, mask, share):
        turned = np.ascontiguousarray(np.rot90(mask))
        assert np.array_equal(grown(turned, share), np.rot90(grown(mask, share)))


@pytest.mark.parametrize("reach", [1, 2, 3, 7, 30])
def test_growing_is_the_largest_within_reach_however_wide(reach):
    pixels = np.random.default_rng(reach).integers(0, 256, (40, 50), dtype=np.uint8)
    grown = np.asarray(grow_region(Image.fromarray(pixels), reach / 40))
    for row, column in ((0, 0), (20, 25), (39, 49), (3, 48)):
        near = pixels[max(0, row - reach) : row + reach + 1, max(0, column - reach) :]
        assert grown[row, column] == near[:, : min(column, reach) + reach + 1].max()
