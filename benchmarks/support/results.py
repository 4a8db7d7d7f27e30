"""The results that are kept in `benchmarks/results`: one file a run, its line of JSON.

A file is called after its benchmark, and after its seed where several are kept, as in
`memory-seed1.json`. Where `measured` stands in place of `hardware` and `version`, the figures were
not written by a run of the benchmark as it is now but taken over, and it says from where; its
`seed` may be a list.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "results"
FILE_NAME = re.compile(r"(?P<benchmark>[a-z_]+)(-seed(?P<seed>\d+))?\.json")


class ResultError(Exception):
    """A result that is missing or cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one file says: the seeds it is for, its figures, and the machine in words."""

    seeds: tuple[int, ...]
    figures: Mapping[str, Any]
    machine: str


class Results:
    """All results of a folder, by benchmark."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder

    def all(self, benchmark: str) -> list[Result]:
        """The benchmark's results by rising seed.

        Raises:
            ResultError: there is none, or two are for one seed.
        """
        matches = [(FILE_NAME.fullmatch(path.name), path) for path in self._folder.glob("*.json")]
        paths = [path for match, path in matches if match and match["benchmark"] == benchmark]
        if not paths:
            raise ResultError(
                f"no result of {benchmark} in {self._folder.name}: measure it by "
                f"`python benchmarks/figures.py --measure {benchmark}`"
            )
        results = sorted(map(read_result, paths), key=lambda result: result.seeds)
        seeds = [seed for result in results for seed in result.seeds]
        if len(set(seeds)) < len(seeds):
            names = ", ".join(sorted(path.name for path in paths))
            raise ResultError(f"each seed must have one result, got seeds {seeds} in {names}")
        return results

    def one(self, benchmark: str) -> Result:
        """The benchmark's only result.

        Raises:
            ResultError: there is none, or several.
        """
        results = self.all(benchmark)
        if len(results) > 1:
            raise ResultError(f"one result of {benchmark} is wanted, got {len(results)}")
        return results[0]


def read_result(path: Path) -> Result:
    """The result in the file `path`.

    Raises:
        ResultError: it is not one.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        seed = fields["seed"]
        return Result(
            seeds=tuple(seed) if isinstance(seed, list) else (seed,),
            figures=fields["figures"],
            machine=name_machine(fields),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ResultError(
            f"{path.name} is not a result ({type(error).__name__}: {error})"
        ) from None


def name_machine(fields: Mapping[str, Any]) -> str:
    """The machine in words, as in `2-core AMD EPYC virtual machine`."""
    if "measured" in fields:
        return str(fields["measured"]["hardware"])
    hardware = fields["hardware"]
    kind = "virtual machine" if hardware["virtual"] else "machine"
    return f"{hardware['cores']}-core {hardware['cpu']} {kind}"
