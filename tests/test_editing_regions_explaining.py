"""How a region was found, as a picture: the source, the map, the mask and the result."""

import numpy as np
import pytest
from fakes.editors import (
    BrightEncoder,
    DrawingEditor,
    HalfRegions,
    HalfSegmenter,
    drawing_spec,
    half_mask,
    seeded,
)
from fakes.pictures import noise
from PIL import Image

from editing.errors import NotFiniteError
from editing.loading import LoadedEditor
from editing.ranking import edit_several
from editing.regions.contrast import ContrastRegions
from editing.regions.contrast_settings import ContrastSettings
from editing.regions.explaining import HEAT, MASK_COLOUR, draw_region
from editing.regions.finder import FoundRegion, TellingFinder, find_missing, find_regions
from editing.regions.segmented import SegmentedRegions
from editing.requests import Request
from editing.settings import NoSettings
from transforms.pictures.contact_sheet import GAP, LINE, MARGIN, TILE, SheetEntry, draw_sheet

SIZE = (32, 16)


def request(**more):
    return Request(image=noise(1, SIZE), prompt="a red pear", mask_phrase="pear", **more)


def tile(sheet, place):
    """The pixels of a tile of a sheet of one row."""
    left, top = MARGIN + place * (TILE + GAP), MARGIN + LINE
    return np.asarray(sheet.crop((left, top, left + TILE, top + TILE)))


class TestDrawing:
    def test_there_are_source_map_mask_and_result(self):
        relevance = np.zeros((2, 4), np.float32)
        relevance[:, 0] = 1.0
        found = FoundRegion(half_mask(SIZE), relevance)
        result = Image.new("RGB", SIZE, (1, 2, 3))
        sheet = draw_region(request(source_prompt="a red apple"), found, result)
        widths = [draw_sheet([SheetEntry((None,) * n)], ("",) * n).width for n in (3, 4)]
        assert sheet.width == widths[1]
        middle = TILE // 2
        assert tuple(tile(sheet, 1)[middle, 4]) == HEAT[-1]
        assert tuple(tile(sheet, 1)[middle, -4]) == HEAT[0]
        source, masked = tile(sheet, 0), tile(sheet, 2)
        assert (source[middle, : middle - 1] == masked[middle, : middle - 1]).mean() > 0.9
        assert (masked[middle - 8 : middle + 8, middle] == MASK_COLOUR).all()
        assert masked[middle - 8 : middle + 8, middle + 2 :].min() > 150
        assert (tile(sheet, 3)[middle] == (1, 2, 3)).all()
        shorter = draw_region(request(), FoundRegion(half_mask(SIZE)), result)
        assert (shorter.width, shorter.height) == (widths[0], sheet.height - LINE)

    def test_a_mask_of_nothing_or_all_can_be_drawn(self):
        for value in (0, 255):
            found = FoundRegion(Image.new("L", SIZE, value), np.zeros((1, 1), np.float32))
            assert draw_region(request(), found, noise(2, SIZE)).mode == "RGB"


class TestFinders:
    def test_what_they_cut_their_masks_from_is_told(self, tiny_diffusion):
        contrast = ContrastRegions(tiny_diffusion, ContrastSettings(contrast_noises=3))
        for finder, steps in ((contrast, 3), (SegmentedRegions(HalfSegmenter(), 0.1), 0)):
            assert isinstance(finder, TellingFinder)
            told = []
            asked = [request(source_prompt="a red apple")]
            (found,) = find_regions(finder, asked, [seeded()], lambda told=told: told.append(1))
            (mask,) = finder.find(asked, [seeded()])
            assert np.array_equal(np.asarray(found.mask), np.asarray(mask))
            assert found.relevance.ndim == 2
            assert 0 <= found.relevance.min() <= found.relevance.max() <= 1
            assert len(told) == steps

    def test_what_was_not_finite_is_named_among_all_requests(self):
        class Broken(HalfRegions):
            def find(self, requests, generators):
                raise NotFiniteError("no numbers", [0, 2])

        requests = [request(edit_mask=half_mask(SIZE)), *[request()] * 2]
        requests += [request(edit_mask=half_mask(SIZE)), request()]
        with pytest.raises(NotFiniteError) as caught:
            find_missing(Broken(), requests, [seeded()] * 5)
        assert caught.value.places == (1, 4)
        assert find_missing(Broken(), requests[:1], [seeded()]) == {}

    def test_others_tell_their_masks_alone(self):
        (found,) = find_regions(HalfRegions(), [request()], [seeded()])
        assert found.relevance is None
        assert found.mask.size == SIZE


class TestEdits:
    def editor(self, regions=None):
        made = DrawingEditor()
        return LoadedEditor(drawing_spec(made), made, regions)

    def test_one_with_regions_that_were_found_is_explained(self):
        editor = self.editor(SegmentedRegions(HalfSegmenter()))
        requests = [request(), request(edit_mask=half_mask(SIZE))]
        found, given = editor.edit(requests, NoSettings(), [seeded(), seeded()])
        assert (
            tile(found.explain(found.image), 3)[TILE // 2] == found.image.getpixel((0, 0))
        ).all()
        assert given.explain is None
        assert self.editor().edit([request()], NoSettings(), [seeded()])[0].explain is None

    def test_the_steps_of_the_search_are_told_before_those_of_the_edit(self, tiny_diffusion):
        editor = self.editor(ContrastRegions(tiny_diffusion, ContrastSettings(contrast_noises=2)))
        told = []
        asked = [request(source_prompt="an apple")] * 2
        editor.edit(asked, NoSettings(), [seeded(), seeded()], lambda: told.append(1))
        assert len(told) == 2 + 2

    def test_of_several_results_the_one_that_is_kept_is_shown(self):
        output = edit_several(
            self.editor(SegmentedRegions(HalfSegmenter())),
            request(),
            NoSettings(),
            seeded(),
            results=4,
            encoder=BrightEncoder(),
        )
        shown = tile(output.explain(output.image), 3)[TILE // 2]
        assert (shown == output.image.getpixel((0, 0))).all()
        assert output.edits[0].score > output.edits[-1].score
