"""How a benchmark begins and ends: the flags that all have, its targets, and one line of JSON.

The line is an object with sorted keys:

| key | value |
|---|---|
| `command` | what was typed, `python benchmarks/NAME.py ...` |
| `seed` | of `--seed` |
| `version` | of this distribution |
| `hardware` | `cpu`, `cores`, `virtual`, `memory_gib`, `python`, `torch` |
| `figures` | what was measured, an object that is each benchmark's own |
| `targets` | a list of `name`, `target`, `kind`, `value`, `interval`, `met` |
"""

import argparse
import importlib.metadata
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.terminal.console import format_value, print_json_line, print_table
from support.intervals import Bounds

Relation = Literal[">=", "<="]
Kind = Literal["claim", "aim", "guard"]


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What a figure must not be below (`>=`) or above (`<=`).

    A `claim` is what the documents promise; an `aim` was to be reached, and they say whether it
    was; a `guard` is a little worse than what they report, so that it shows when something became
    worse.
    """

    relation: Relation
    limit: float
    kind: Kind

    def __str__(self) -> str:
        """The relation and the limit, as in `>= 0.99`."""
        return f"{self.relation} {self.limit:.6g}"

    def holds(self, value: float) -> bool:
        """Whether `value` keeps it."""
        return value >= self.limit if self.relation == ">=" else value <= self.limit


def at_least(limit: float, *, kind: Kind = "claim") -> Bound:
    """The bound `>= limit`."""
    return Bound(relation=">=", limit=limit, kind=kind)


def at_most(limit: float, *, kind: Kind = "claim") -> Bound:
    """The bound `<= limit`."""
    return Bound(relation="<=", limit=limit, kind=kind)


@dataclass(frozen=True, kw_only=True)
class Target:
    """One figure beside what it should be; without a bound it is shown to inform.

    `value` is None where there was nothing to measure: no bound is kept by that. `interval` is the
    95% interval, None where there are no rows to take it from.
    """

    name: str
    value: float | None
    bound: Bound | None = None
    interval: Bounds | None = None

    @property
    def met(self) -> bool | None:
        """Whether the value keeps the bound; None without a bound."""
        if self.bound is None:
            return None
        return self.value is not None and self.bound.holds(self.value)

    def as_dict(self) -> dict[str, object]:
        """The target as plain data."""
        return {
            "name": self.name,
            "target": None if self.bound is None else str(self.bound),
            "kind": "informative" if self.bound is None else self.bound.kind,
            "value": self.value,
            "interval": None if self.interval is None else list(self.interval),
            "met": self.met,
        }


def add_report_flags(
    parser: argparse.ArgumentParser, *, seed_help: str = "draws everything (default 0)"
) -> None:
    """`--seed` and `--json`, which every benchmark has."""
    parser.add_argument("--seed", type=int, default=0, help=seed_help)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")


def finish(
    arguments: argparse.Namespace, *, figures: Mapping[str, object], targets: Sequence[Target]
) -> None:
    """Prints the targets and, with `--json`, the line; nothing may be printed after it."""
    print_targets(targets)
    if arguments.json:
        print_json_line(report(arguments.seed, figures=figures, targets=targets))


def print_targets(targets: Sequence[Target]) -> None:
    """A table: what was measured, its interval, what it should be, whether it is."""
    words = {True: "yes", False: "NO", None: ""}
    print_table(
        "targets",
        [
            (
                target.name,
                "" if target.value is None else target.value,
                "" if target.interval is None else "{} to {}".format(*map(_show, target.interval)),
                "" if target.bound is None else f"{target.bound} ({target.bound.kind})",
                words[target.met],
            )
            for target in targets
        ],
        columns=("", "measured", "95% interval", "target", "met"),
    )


def _show(value: float) -> str:
    return format_value(float(value))


def report(
    seed: int, *, figures: Mapping[str, object], targets: Sequence[Target]
) -> dict[str, object]:
    """What the line of JSON holds, for a run of this process's command."""
    return {
        "command": read_command(),
        "seed": seed,
        "version": importlib.metadata.version("pairloom"),
        "hardware": read_hardware(),
        "figures": dict(figures),
        "targets": [target.as_dict() for target in targets],
    }


def read_command() -> str:
    """What was typed, as from the root of the project."""
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])


def read_hardware() -> dict[str, object]:
    """The machine, and the versions whose speed is measured with it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    facts = _read_processor_facts()
    return {
        "cpu": facts.get("model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "virtual": "hypervisor" in facts.get("flags", "").split(),
        "memory_gib": round(memory / 2**30, 1),
        "python": platform.python_version(),
        "torch": importlib.metadata.version("torch"),
    }


def _read_processor_facts(path: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """The first processor's lines, by their names; nothing where there is no such file."""
    if not path.is_file():
        return {}
    facts: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    return facts
