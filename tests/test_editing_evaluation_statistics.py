"""The statistics of an edit: a number for each, whatever stands beside it."""

import numpy as np
import pytest
import torch
from fakes.cases import edit_case
from fakes.editors import BrightEncoder
from fakes.pictures import noise
from PIL import Image

from editing.errors import EditingError
from editing.evaluation.metrics import Statistics
from editing.evaluation.similarity import background_error, region_ssim
from editing.evaluation.statistics import Kept, PromptAgreement, SourceDistance
from editing.pictures import mask_to_tensor, picture_to_tensor

SIZES = ((24, 24), (40, 24), (24, 24), (24, 32), (40, 24))
CASES = [edit_case(n, size=size) for n, size in enumerate(SIZES)]
EDITED = [noise(n + 50, size) for n, size in enumerate(SIZES)]


class Difference:
    """A distance of pictures that needs no weights, and refuses small ones."""

    def __call__(self, edited, source):
        if min(edited.shape[-2:]) < 24:
            raise EditingError("too small")
        return (edited - source).abs().flatten(1).mean(1)


STATISTICS = (PromptAgreement(BrightEncoder()), Kept(), SourceDistance(Difference()))
each = pytest.mark.parametrize("statistics", STATISTICS, ids=lambda each: type(each).__name__)


@each
def test_they_are_what_an_evaluation_takes(statistics):
    assert isinstance(statistics, Statistics)


@each
def test_there_is_a_number_for_each_edit_under_every_metric_s_name(statistics):
    found = statistics(CASES, EDITED)
    assert set(found) == {metric.name for metric in statistics.metrics}
    for values in found.values():
        assert values.shape == (len(CASES),)
        assert np.isfinite(values).all()


@each
def test_an_edit_s_numbers_do_not_depend_on_those_beside_it(statistics):
    """Sizes are mixed."""
    together = statistics(CASES, EDITED)
    for place, (case, image) in enumerate(zip(CASES, EDITED, strict=True)):
        alone = statistics([case], [image])
        for name, values in together.items():
            assert values[place] == pytest.approx(alone[name][0], rel=1e-5, abs=1e-6), name


def test_agreement_is_the_cosine_of_picture_and_prompt_in_every_scaling():
    images = [Image.new("RGB", (24, 24), (grey,) * 3) for grey in (0, 255, 128)]
    found = PromptAgreement(BrightEncoder())(CASES[:3], images)
    cosines = np.sin(np.array([0, 255, 128]) / 255 * np.pi / 2)
    np.testing.assert_allclose(found["cosine"], cosines, atol=1e-6)
    np.testing.assert_allclose(found["clip_score"], 100 * cosines, atol=1e-4)
    np.testing.assert_allclose(found["clip_score_hessel"], 2.5 * cosines, atol=1e-5)


class TestKept:
    def test_it_is_error_and_ssim_by_the_case_s_mask(self):
        case, image = CASES[1], EDITED[1]
        source, edited = (picture_to_tensor(each)[None] for each in (case.source, image))
        mask = mask_to_tensor(case.edit_mask)[None]
        found = {name: values[0] for name, values in Kept()([case], [image]).items()}
        inside = region_ssim(edited, source, mask)
        outside = region_ssim(edited, source, 1 - mask)
        wanted = {
            "background_error": background_error(edited, source, mask),
            "ssim_inside_mean": inside["mean"],
            "ssim_inside_zero_filled": inside["zero_filled"],
            "ssim_outside_mean": outside["mean"],
            "ssim_outside_zero_filled": outside["zero_filled"],
        }
        assert found == {name: pytest.approx(value.item()) for name, value in wanted.items()}

    def test_a_copy_keeps_everything(self):
        found = Kept()(CASES, [case.source for case in CASES])
        assert found["background_error"].tolist() == [0] * len(CASES)
        for name in found.keys() - {"background_error"}:
            np.testing.assert_allclose(found[name], 1, atol=1e-5)

    def test_where_all_may_change_nothing_is_outside(self):
        everything = edit_case(1, edit_mask=Image.new("L", (24, 24), 255))
        found = Kept()([everything, CASES[0]], [EDITED[0], EDITED[2]])
        for name in ("background_error", "ssim_outside_mean", "ssim_outside_zero_filled"):
            assert np.isnan(found[name]).tolist() == [True, False]


class TestSourceDistance:
    def test_it_is_that_of_the_network(self):
        found = SourceDistance(Difference())(CASES, EDITED)["lpips"]
        for case, image, value in zip(CASES, EDITED, found, strict=True):
            gap = picture_to_tensor(image) - picture_to_tensor(case.source)
            assert value == pytest.approx(torch.Tensor.mean(gap.abs()).item(), rel=1e-5)

    def test_what_the_network_refuses_is_refused(self):
        case = edit_case(size=(8, 8))
        with pytest.raises(EditingError, match="too small"):
            SourceDistance(Difference())([case], [case.source])
