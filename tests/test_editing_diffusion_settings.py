"""Settings of sampling: how strength and steps say where to begin, and what breaks a rule."""

import math

import pytest

from editing.diffusion.settings import STRENGTH_DIAL, SamplingSettings, steps_left_out
from editing.settings import describe_settings


@pytest.mark.parametrize(
    ("strength", "steps", "left_out"),
    [(1.0, 50, 0), (0.7, 50, 15), (0.5, 50, 25), (0.3, 10, 7), (0.01, 50, 49), (0.6, 5, 2)],
)
def test_strength_says_how_many_steps_are_left_out(strength, steps, left_out):
    assert steps_left_out(strength, steps) == left_out


@pytest.mark.parametrize("strength", [0.0, -0.1, 1.5, 2.0, math.nan])
def test_strength_out_of_range_is_refused(strength):
    with pytest.raises(ValueError, match=r"strength must be in \(0, 1\], got"):
        steps_left_out(strength, 50)


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="num_inference_steps must be at least 1, got 0"):
        steps_left_out(0.5, 0)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"strength": 0.0}, r"strength must be in \(0, 1\], got 0.0"),
        ({"strength": 2.0}, r"strength must be in \(0, 1\], got 2.0"),
        ({"strength": math.nan}, r"strength must be in \(0, 1\], got nan"),
        ({"num_inference_steps": 0}, "num_inference_steps must be at least 1, got 0"),
        ({"guidance_scale": -1.0}, r"guidance_scale must be at least 0, got -1\.0"),
        ({"guided_share": 1.01}, r"guided_share must be in \[0, 1\], got 1\.01"),
        ({"guidance_scale": math.nan}, "guidance_scale must be at least 0, got nan"),
    ],
)
def test_what_breaks_a_rule_is_refused(changes, rule):
    with pytest.raises(ValueError, match=rule):
        SamplingSettings(**changes)


def test_flags_are_named_as_a_person_knows_them():
    flags = [each.flag for each in describe_settings(SamplingSettings)]
    assert flags == ["strength", "guidance-scale", "guided-share", "steps", "paste"]


def test_the_dial_is_turned_over_the_papers_strengths():
    assert STRENGTH_DIAL.setting == "strength"
    assert STRENGTH_DIAL.values == (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
