"""Where words are found of a picture, beside where they were asked for."""

import dataclasses
import math

import numpy as np
from PIL import Image

from editing.evaluation.cases import EditCase
from editing.evaluation.overlap import (
    PAIR_MASK_IOU,
    LayoutOverlap,
    MaskOverlap,
    overlap,
    pair_mask,
)


def stripes(*columns):
    marked = np.zeros((16, 16), np.uint8)
    marked[:, list(columns)] = 255
    return marked


class Finder:
    """Finds the columns that a phrase counts."""

    def relevance(self, images, phrases):
        return np.stack([stripes(*range(int(phrase))) / 255 for phrase in phrases])


def test_intersection_over_union():
    one, other = (stripes(*columns) > 0 for columns in ((0, 1, 2), (2, 3)))
    assert overlap(one, other) == 0.25
    assert overlap(one, one) == 1
    assert math.isnan(overlap(one & ~one, one & ~one))


def made_case(**more):
    picture = Image.new("RGB", (16, 16))
    words = dict.fromkeys(("caption", "edit_prompt", "source_phrase", "target_phrase"), "a bus")
    pictures = {"source": picture, "target": picture, "edit_mask": Image.fromarray(stripes(0, 1))}
    return EditCase(**{"key": "a", "source_key": "a", **words, **pictures, **more})


def test_each_edit_has_that_of_its_target_phrase_and_mask():
    case = made_case(target_phrase="4")
    cases = [case, dataclasses.replace(case, target_phrase="2"), case]
    found = LayoutOverlap(Finder())(cases, [case.source] * 3)
    assert found["layout_iou"].tolist() == [0.5, 1, 0.5]


class TestMasksThatWereFound:
    def test_each_is_laid_over_what_is_expected_of_its_case(self):
        masks = [Image.fromarray(stripes(*columns)) for columns in ((0, 1), (1, 2, 3), (), (8,))]
        found = MaskOverlap(PAIR_MASK_IOU, pair_mask)([made_case()] * 4, masks)
        assert found["pair_mask_iou"].tolist() == [1, 0.25, 0, 0]

    def test_where_nobody_knows_or_nothing_is_expected_and_found_there_is_no_number(self):
        empty = Image.fromarray(stripes())
        nobody = MaskOverlap(PAIR_MASK_IOU, lambda case: None)
        assert np.isnan(nobody([made_case()], [empty])["pair_mask_iou"]).all()
        cases = [made_case(edit_mask=empty)]
        assert np.isnan(MaskOverlap(PAIR_MASK_IOU, pair_mask)(cases, [empty])["pair_mask_iou"])

    def test_soft_edges_and_truth_values_are_masks_too(self):
        soft = Image.fromarray(np.where(stripes(0, 1) > 0, 128, 127).astype(np.uint8))
        masks = [soft, Image.fromarray(stripes(0, 1)).convert("1")]
        found = MaskOverlap(PAIR_MASK_IOU, pair_mask)([made_case()] * 2, masks)
        assert found["pair_mask_iou"].tolist() == [1, 1]
