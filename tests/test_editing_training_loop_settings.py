import math

import pytest
from fakes.type_checks import unchecked

from editing.training.loop_settings import LoopSettings


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"accumulation": 0}, "accumulation must be at least 1, got 0"),
        ({"checkpoint_every": 0}, "checkpoint_every must be at least 1, got 0"),
        ({"sample_every": 0}, "sample_every must be at least 1, got 0"),
        ({"gradients_every": 0}, "gradients_every must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0, got 0.0"),
        ({"learning_rate": math.nan}, "learning_rate must be above 0, got nan"),
        ({"clip_norm": 0.0}, "clip_norm must be above 0, got 0.0"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0, got -0.1"),
        ({"steps": 9, "decay_steps": 8}, "decay_steps must be at least the steps, 9, got 8"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_what_breaks_a_rule_is_refused(change, rule):
    with pytest.raises(ValueError, match=f"^{rule}$"):
        LoopSettings(**change)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"precision": "fp8"}, "precision must be one of no, fp16, bf16, got 'fp8'"),
        ({"optimiser": "sgd"}, "optimiser must be one of adamw, adamw8bit, got 'sgd'"),
    ],
)
def test_another_choice_is_refused(change, rule):
    with pytest.raises(ValueError, match=f"^{rule}$"):
        unchecked(LoopSettings, **change)


def test_a_step_has_the_pairs_of_every_device_and_part():
    assert LoopSettings(batch_size=4, accumulation=3).pairs_a_step(2) == 24


def test_the_learning_rate_falls_along_a_line_where_it_is_asked_to():
    kept = LoopSettings(learning_rate=0.8)
    assert [kept.learning_rate_at(step) for step in (0, 9_999)] == [0.8, 0.8]
    falls = LoopSettings(steps=4, learning_rate=0.8, decay_steps=8)
    rates = [falls.learning_rate_at(step) for step in (0, 1, 3)]
    assert rates == pytest.approx([0.8, 0.7, 0.5])
