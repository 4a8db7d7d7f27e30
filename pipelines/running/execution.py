"""Where and how wide a job runs, and into which pieces it is cut on one machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pipelines.running.runners import StageSeconds
from pipelines.running.workers import run_units
from pipelines.terminal.console import show_progress
from transforms.batches.landing import hearing

PICTURES_A_UNIT = 100
"""Shards are put together until a pipeline has this many pictures: enough to make starting it cheap
(0.2 s), few enough to bound memory and to lose little when interrupted."""

PICTURES_A_JOIN = 10_000
"""The same for a pipeline that joins its pictures with the whole pool, which costs as much for one
picture as for all."""


class Unit(Protocol):
    """Some shards that make one pipeline."""

    @property
    def pictures(self) -> int:
        """How many pictures they hold."""
        ...


UnitT = TypeVar("UnitT", bound=Unit)


@dataclass(frozen=True)
class Execution:
    """`workers` processes on this machine, or, with `beam_flags`, whatever runner they name.

    On this machine shards are put together until a pipeline has `pictures_a_unit` pictures. The
    output is the same for any of these.
    """

    workers: int = 1
    beam_flags: tuple[str, ...] = ()
    pictures_a_unit: int = PICTURES_A_UNIT

    def __post_init__(self) -> None:
        for name in ("workers", "pictures_a_unit"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


def run_on_this_machine(
    label: str,
    work: Callable[[UnitT], tuple[int, StageSeconds]],
    units: Sequence[UnitT],
    *,
    workers: int,
) -> StageSeconds:
    """Does all `units` in so many processes and shows how far it is under `label`.

    `work` gives the pictures of a unit and the seconds it took; returned are those of all together.
    What is done in this process is shown batch by batch, what others do unit by unit.

    Raises:
        whatever `run_units` raises.
    """
    seconds = StageSeconds({})
    heard = 0
    with show_progress(label, sum(unit.pictures for unit in units)) as advance:

        def hear(rows: int) -> None:
            nonlocal heard
            heard += rows
            advance(rows)

        with hearing(hear):
            for pictures, spent in run_units(work, units, workers=workers):
                advance(pictures - heard)
                heard = 0
                seconds += spent
    return seconds
