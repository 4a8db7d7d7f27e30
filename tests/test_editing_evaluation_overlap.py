"""Where words are found of a picture, beside where they were asked for."""

import dataclasses
import math

import numpy as np
from PIL import Image

from editing.evaluation.cases import EditCase
from editing.evaluation.overlap import LayoutOverlap, overlap


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


def test_each_edit_has_that_of_its_target_phrase_and_mask():
    picture = Image.new("RGB", (16, 16))
    case = EditCase(
        key="a",
        source_key="a",
        source=picture,
        target=picture,
        caption="an apple",
        edit_prompt="a bus",
        source_phrase="apple",
        target_phrase="4",
        edit_mask=Image.fromarray(stripes(0, 1)),
    )
    cases = [case, dataclasses.replace(case, target_phrase="2"), case]
    found = LayoutOverlap(Finder())(cases, [picture] * 3)
    assert found["layout_iou"].tolist() == [0.5, 1, 0.5]
