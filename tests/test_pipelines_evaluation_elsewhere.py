"""An evaluation whose networks lie on a device of their own: nothing mixes, rows are the same."""

import pytest
from fakes.evaluation import cell_rows, evaluate
from fakes.far_device import far_device


def numbers(row):
    """What was measured of an edit."""
    return {name: value for name, value in row.items() if isinstance(value, float)}


@pytest.mark.slow
def test_rows_are_the_same(told_world, tmp_path):
    settings = ("--steps", 2, "--strengths", 0.8, "--seeds", 0)
    for out, device in (("near", "cpu"), ("far", None)):
        with far_device() as far:
            flags = (*settings, "--device", device or far)
            outcome = evaluate(told_world, tmp_path / out, settings=flags)
        assert outcome.code == 0, outcome.err
    names = sorted(path.stem for path in (tmp_path / "near" / "cells").iterdir())
    assert len(names) > 2
    for name in names:
        near, far = (cell_rows(tmp_path / out, name) for out in ("near", "far"))
        assert len(far) == len(near) > 0
        for one, other in zip(near, far, strict=True):
            assert numbers(other) == pytest.approx(numbers(one), abs=0.01, nan_ok=True)
