"""The settings of `zestguide`."""

import re

import pytest

from editing.editors.zestguide.settings import WAYS, Way, ZestGuideSettings


class TestSettings:
    @pytest.mark.parametrize(
        ("values", "line"),
        [
            ({"eta": -1.0}, "eta must be at least 0, got -1.0"),
            ({"tau": 1.5}, "tau must be in [0, 1], got 1.5"),
            ({"tau": float("nan")}, "tau must be in [0, 1], got nan"),
            ({"paint": -0.1}, "paint must be at least 0, got -0.1"),
            ({"weight_normalised": -1.0}, "weight_normalised must be at least 0, got -1.0"),
            ({"strength": 0.0}, "strength must be in (0, 1], got 0.0"),
            ({"num_inference_steps": 0}, "num_inference_steps must be at least 1, got 0"),
            ({"pads": -1}, "pads must be in [0, 70], got -1"),
            ({"layers": "x"}, "layers must be all, or whole numbers such as 2 or 2,4, got 'x'"),
            ({"layers": ""}, "layers must be all, or whole numbers such as 2 or 2,4, got ''"),
            ({"layers": "0"}, "layers must be all, or whole numbers such as 2 or 2,4, got '0'"),
            ({"eta": float("inf")}, "eta must be a finite number, got inf"),
        ],
    )
    def test_rules(self, values, line):
        with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
            ZestGuideSettings(**values)

    def test_ways_are_whole_and_what_is_set_comes_first(self):
        assert ZestGuideSettings().chosen() == WAYS["measured"]
        assert ZestGuideSettings(ways="thesis").chosen() == WAYS["thesis"]
        chosen = ZestGuideSettings(ways="thesis", layers="4,2", eta=0.5).chosen()
        assert isinstance(chosen, Way)
        assert (chosen.layers, chosen.eta, chosen.tau) == ((2, 4), 0.5, 0.5)

    def test_the_thesis_s(self):
        thesis = WAYS["thesis"]
        assert (thesis.num_inference_steps, thesis.eta, thesis.tau) == (50, 1.0, 0.5)
        assert (thesis.weight_normalised, thesis.tokens) == (1.0, "phrase")
        assert thesis.layers == (2, 4)  # 32 and 16 of a latent of 64
