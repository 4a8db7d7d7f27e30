"""The losses of iEdit against values computed by hand."""

import math

import pytest
import torch

from editing.editors.iedit.losses import (
    clip_distance,
    masked_loss,
    paired_loss,
    perceptual_loss,
    term_factors,
    weighted_terms,
)
from editing.editors.iedit.training_settings import IEditTraining


def noise(*values):
    """One example, one channel, a row of pixels."""
    return torch.tensor(values, dtype=torch.float32).view(1, 1, 1, -1)


def test_paired_is_the_mean_square_of_the_difference():
    assert paired_loss(noise(0, 1, 2, 3), noise(0, 1, 4, 0)).tolist() == [(4 + 9) / 4]


def test_examples_are_kept_apart():
    predicted, wanted = torch.zeros(3, 4, 2, 2), torch.ones(3, 4, 2, 2)
    wanted[1] *= 2
    assert paired_loss(predicted, wanted).tolist() == [1, 4, 1]


class TestMasked:
    # Four pixels: in neither mask, in M_1 alone, in both, in M_2 alone.
    source_mask = noise(0, 1, 1, 0)
    target_mask = noise(0, 0, 1, 1)
    predicted = noise(0, 0, 0, 0)
    source_noise = noise(1, 10, 100, 1000)
    target_noise = noise(2, 20, 200, 2000)

    def loss(self, combine):
        return masked_loss(
            self.predicted,
            self.source_noise,
            self.target_noise,
            source_mask=self.source_mask,
            target_mask=self.target_mask,
            combine=combine,
        ).item()

    def test_as_written_each_mask_has_its_own_term(self):
        foreground = 200**2 + 2000**2
        background = 1**2 + 1000**2
        assert self.loss("paper") == (foreground + background) / 4

    def test_the_union_asks_for_every_pixel_once(self):
        foreground = 20**2 + 200**2 + 2000**2
        assert self.loss("union") == (foreground + 1**2) / 4

    def test_with_all_inside_it_is_the_paired_loss(self):
        everything = torch.ones(1, 1, 1, 4)
        for combine in ("paper", "union"):
            loss = masked_loss(
                self.predicted,
                self.source_noise,
                self.target_noise,
                source_mask=everything,
                target_mask=everything,
                combine=combine,
            )
            assert torch.equal(loss, paired_loss(self.predicted, self.target_noise))

    def test_another_way_to_combine_is_refused(self):
        with pytest.raises(ValueError, match="combine must be paper or union, got 'both'"):
            masked_loss.__wrapped__(  # past the check of types, as an untyped caller would be
                self.predicted,
                self.source_noise,
                self.target_noise,
                source_mask=self.source_mask,
                target_mask=self.target_mask,
                combine="both",
            )


def test_clip_distance_is_one_less_the_cosine():
    pictures = torch.tensor([[3.0, 0.0], [0.0, 2.0], [1.0, 1.0], [-5.0, 0.0]])
    texts = torch.tensor([[1.0, 0.0]] * 4)
    assert clip_distance(pictures, texts).tolist() == pytest.approx([0, 1, 1 - math.sqrt(0.5), 2])


def test_perceptual_is_the_mean_square_of_features():
    edited, target = torch.zeros(2, 3, 4), torch.ones(2, 3, 4)
    target[1] *= 3
    assert perceptual_loss(edited, target).tolist() == [1, 9]
    with pytest.raises(ValueError, match=r"one shape, got \(2, 3, 4\) and \(2, 3, 5\)"):
        perceptual_loss(edited, torch.ones(2, 3, 5))


LEVEL = torch.tensor([0.0, 0.25])
ALPHA = torch.tensor([0.9, 0.8])
TERMS = {
    "loc": torch.tensor([1.0, 2.0]),
    "global": torch.tensor([3.0, 4.0]),
    "mask": torch.tensor([5.0, 8.0]),
    "paired": torch.tensor([100.0, 100.0]),
    "perc": torch.tensor([10.0, 30.0]),
}


class TestTotal:
    def total(self, quality=None, **changes):
        settings = IEditTraining(**changes)
        found = weighted_terms(TERMS, settings, noise_level=LEVEL, alpha=ALPHA, quality=quality)
        return {name: pytest.approx(value.item()) for name, value in found.items()}

    def test_equation_12(self):
        assert self.total() == {
            "loc": (1 + 0.75 * 2) / 2,
            "global": (3 + 0.75 * 4) / 2,
            "mask": (0 + 0.25 * 8) / 2,
            "perc": 0.1 * (10 + 30) / 2,
        }

    def test_without_masks_it_is_the_model_of_section_3_3(self):
        assert self.total(weight_loc=0, weight_perc=0, weight_mask=0, weight_paired=1) == {
            "global": (3 + 0.75 * 4) / 2,
            "paired": 0.25 * 100 / 2,
        }

    def test_quality_weighs_whole_examples(self):
        alone = {"weight_global": 0, "weight_mask": 0, "weight_perc": 0}
        half = self.total(quality=torch.tensor([2.0, 0.0]), **alone)
        assert half == {"loc": (2 * 1 + 0) / 2}

    @pytest.mark.parametrize(("cap", "share"), [(1, 0.25), (2, 0.5), (4, 1), (100, 1)])
    def test_a_cap_weighs_noise_terms_down_where_little_noise_is_left(self, cap, share):
        """The signal-to-noise ratio of the second example is 4; the first has no weight at all."""
        found = self.total(weight_paired=1, snr_cap=cap)
        assert (found["mask"], found["paired"]) == (share * 0.25 * 8 / 2, share * 0.25 * 100 / 2)
        assert (found["loc"], found["perc"]) == (self.total()["loc"], self.total()["perc"])

    def test_a_missing_term_is_noticed(self):
        with pytest.raises(KeyError, match="loc"):
            weighted_terms({}, IEditTraining(), noise_level=LEVEL, alpha=ALPHA)

    def test_only_terms_with_a_weight_have_a_factor(self):
        factors = term_factors(IEditTraining(weight_loc=0, weight_perc=0), LEVEL, ALPHA)
        assert {name: value.tolist() for name, value in factors.items()} == {
            "global": [1, 0.75],
            "mask": [0, 0.25],
        }
