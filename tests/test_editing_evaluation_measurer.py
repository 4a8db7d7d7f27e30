"""Measuring an editor: its cells, its dial, and a row for each edit."""

import io

import numpy as np
import pytest
import torch
from fakes.brightness import Brightness
from fakes.cases import edit_case
from fakes.editors import DrawingEditor, HalfRegions, drawing_spec, half_mask, same_pixels
from PIL import Image

from editing.diffusion.settings import STRENGTH_DIAL, SamplingSettings
from editing.evaluation.measurer import (
    Cell,
    Measurer,
    case_request,
    key_generator,
    plan_cells,
    turn_dial,
)
from editing.evaluation.overlap import PAIR_MASK_IOU, MaskOverlap, pair_mask
from editing.loading import LoadedEditor
from editing.registry import EDITORS
from editing.settings import NoSettings

CASES = [edit_case(n) for n in range(5)]
DIALLED = drawing_spec(settings=SamplingSettings, dial=STRENGTH_DIAL)


class TestCells:
    def test_they_are_every_value_and_seed(self):
        cells = plan_cells(EDITORS["sdedit"], (0, 1), values=(0.3, 0.7))
        assert cells == [Cell("sdedit", value, seed) for value in (0.3, 0.7) for seed in (0, 1)]
        assert cells[-1].name == "sdedit-0.7-1"

    def test_without_values_they_are_the_dial_s(self):
        cells = plan_cells(EDITORS["iedit-m"], (4,))
        assert [cell.value for cell in cells] == list(STRENGTH_DIAL.values)
        assert {(cell.editor, cell.seed) for cell in cells} == {("iedit-m", 4)}

    def test_an_editor_without_a_dial_has_one_by_the_first_seed(self):
        (cell,) = plan_cells(EDITORS["copy"], (3, 4), values=(0.3, 0.7))
        assert cell == Cell("copy", None, 3)
        assert cell.name == "copy-3"


class TestDial:
    def test_it_turns_its_setting_and_leaves_the_others(self):
        settings = SamplingSettings(guidance_scale=3.0)
        turned = turn_dial(DIALLED, settings, 0.4)
        assert turned == SamplingSettings(strength=0.4, guidance_scale=3.0)
        assert settings.strength == SamplingSettings().strength

    def test_without_one_settings_stay_as_they_are(self):
        settings = NoSettings()
        assert turn_dial(EDITORS["copy"], settings, 0.4) is settings

    def test_a_value_that_breaks_a_rule_is_refused(self):
        with pytest.raises(ValueError, match=r"strength must be in \(0, 1\], got 2"):
            turn_dial(DIALLED, SamplingSettings(), 2.0)


class TestMeasured:
    def measured(self, cell, *, batch_size=2, regions=None, mask=None, spec=DIALLED, explained=()):
        editor, statistics = DrawingEditor(mask), Brightness()
        loaded = LoadedEditor(spec, editor, regions)
        measurer = Measurer(
            editors={"draw": (loaded, SamplingSettings(num_inference_steps=7))},
            statistics=[statistics],
            mask_statistics=[MaskOverlap(PAIR_MASK_IOU, pair_mask)],
            batch_size=batch_size,
        )
        return list(measurer.measure(cell, CASES, explained=explained)), editor, statistics

    def test_there_is_a_row_for_each_edit_in_order(self):
        batches, _, statistics = self.measured(Cell("draw", 0.4, 0))
        assert [len(rows) for rows in batches] == statistics.batches == [2, 2, 1]
        rows = [row for batch in batches for row in batch]
        assert [row["key"] for row in rows] == [case.key for case in CASES]
        assert [row["source_key"] for row in rows] == [case.source_key for case in CASES]
        for row in rows:
            assert set(row) == {"key", "source_key", "bright", "key_length", "image"}
            picture = Image.open(io.BytesIO(row["image"]))
            assert picture.format == "PNG"
            assert row["bright"] == np.asarray(picture).mean()
            assert row["key_length"] == 6

    def test_the_editor_is_asked_with_its_dial_turned(self):
        _, editor, _ = self.measured(Cell("draw", 0.4, 0))
        wanted = SamplingSettings(strength=0.4, num_inference_steps=7)
        assert editor.settings == [wanted] * 3

    def test_rows_do_not_depend_on_the_size_of_batches(self):
        one, other = (self.measured(Cell("draw", 0.4, 1), batch_size=n)[0] for n in (1, 5))
        assert [row for batch in one for row in batch] == [row for batch in other for row in batch]

    def test_another_seed_is_another_edit(self):
        one, again, other = (self.measured(Cell("draw", 0.4, seed))[0] for seed in (0, 0, 1))
        assert one == again
        assert one != other

    def test_masks_are_found_by_the_editor_s_regions_not_taken_from_the_case(self):
        regions = HalfRegions()
        self.measured(Cell("draw", 0.4, 0), regions=regions)
        assert len(regions.asked) == len(CASES)
        assert [request.phrase() for request in regions.asked] == ["apple"] * len(CASES)

    @pytest.mark.parametrize("by", ["regions", "the editor"])
    def test_masks_that_were_found_are_kept_and_laid_over_what_is_expected(self, by):
        size = CASES[0].source.size
        quarter = half_mask(size)
        quarter.paste(0, (0, 0, size[0], size[1] // 2))
        found = {"regions": HalfRegions()} if by == "regions" else {"mask": quarter}
        batches, _, _ = self.measured(Cell("draw", 0.4, 0), **found)
        for row in (row for batch in batches for row in batch):
            mask = Image.open(io.BytesIO(row["mask"]))
            assert same_pixels(mask, half_mask(size) if by == "regions" else quarter)
            assert row["pair_mask_iou"] == (1 if by == "regions" else 0.5)

    def test_edits_that_are_asked_to_say_so_keep_how_they_came_about(self):
        asked = {CASES[0].key, CASES[-1].key}
        found, _, _ = self.measured(Cell("draw", 0.4, 0), regions=HalfRegions(), explained=asked)
        rows = [row for batch in found for row in batch]
        assert [row["key"] for row in rows if "explanation" in row] == [
            case.key for case in CASES if case.key in asked
        ]
        drawn = Image.open(io.BytesIO(rows[0]["explanation"]))
        assert drawn.width > drawn.height
        nothing_to_tell, _, _ = self.measured(Cell("draw", 0.4, 0), explained=asked)
        assert not any("explanation" in row for batch in nothing_to_tell for row in batch)

    def test_the_mask_of_a_layout_was_given(self):
        spec = drawing_spec(settings=SamplingSettings, dial=STRENGTH_DIAL, needs=("layout",))
        mask = half_mask(CASES[0].source.size)
        given, _, _ = self.measured(Cell("draw", 0.4, 0), spec=spec, mask=mask)
        assert not {"mask", "pair_mask_iou"} & set(given[0][0])
        found, _, _ = self.measured(Cell("draw", 0.4, 0), spec=spec, regions=HalfRegions())
        assert {"mask", "pair_mask_iou"} <= set(found[0][0])


def test_a_case_is_asked_with_all_its_words_and_its_target():
    case = CASES[0]
    request = case_request(case)
    assert (request.image, request.pseudo_target_image) == (case.source, case.target)
    assert (request.prompt, request.source_prompt) == ("a red pear", "a red apple")
    assert request.mask_phrase == "apple"
    assert request.edit_mask is None


def test_a_key_has_its_own_noise_whatever_else_is_edited():
    first, again, seed, key = (
        torch.randn(3, generator=key_generator(*which))
        for which in (("a", 0), ("a", 0), ("a", 1), ("b", 0))
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, seed)
    assert not torch.equal(first, key)
