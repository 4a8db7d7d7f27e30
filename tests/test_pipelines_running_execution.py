from dataclasses import dataclass

import pytest

from pipelines.running import execution
from pipelines.running.execution import Execution, run_on_this_machine
from pipelines.running.runners import StageSeconds
from transforms.batches.landing import tell_here


@dataclass(frozen=True)
class FakeUnit:
    pictures: int


def spend(unit):
    return unit.pictures, StageSeconds({"Embed": unit.pictures / 2, f"of {unit.pictures}": 1.0})


@pytest.fixture
def shown(monkeypatch):
    """What is said of the progress: label, total, and every advance."""
    said = []

    class Progress:
        def __init__(self, label, total):
            said.extend((label, total))

        def __enter__(self):
            return said.append

        def __exit__(self, *_):
            said.append("end")

    monkeypatch.setattr(execution, "show_progress", Progress)
    return said


def test_units_are_done_shown_and_summed(shown):
    units = [FakeUnit(4), FakeUnit(6), FakeUnit(4)]
    spent = run_on_this_machine("painting", spend, units, workers=1)
    assert spent.seconds == {"Embed": 7.0, "of 4": 2.0, "of 6": 1.0}
    assert shown == ["painting", 14, 4, 6, 4, "end"]


def test_what_is_done_in_this_process_is_shown_batch_by_batch(shown):
    def batches(unit):
        for _ in range(unit.pictures // 2):
            tell_here(2)
        return spend(unit)

    run_on_this_machine("painting", batches, [FakeUnit(4), FakeUnit(5)], workers=1)
    assert shown == ["painting", 9, 2, 2, 0, 2, 2, 1, "end"]
    tell_here(7)
    assert shown[-1] == "end"


def test_what_a_unit_raises_ends_it(shown):
    def stumble(unit):
        if unit.pictures == 2:
            raise KeyError("two")
        return spend(unit)

    with pytest.raises(KeyError):
        run_on_this_machine("painting", stumble, [FakeUnit(1), FakeUnit(2)], workers=1)
    assert shown == ["painting", 3, 1, "end"]


@pytest.mark.parametrize("name", ["workers", "pictures_a_unit"])
def test_none_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        Execution(**{name: 0})
