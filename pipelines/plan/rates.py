"""The rates that a plan reckons with, each with where it is from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from indexes.errors import PairloomError
from transforms.package_data import find_package_data

FILE = "plan/rates.yaml"


class PlanError(PairloomError):
    """A plan that cannot be made, in one line."""


@dataclass(frozen=True)
class Rate:
    """A number, and where it is from; `measured` is False for one that is reasoned."""

    value: float
    measured: bool
    source: str


@dataclass(frozen=True)
class Rates:
    """All rates by their names in the file, as `host.prepare` or `networks.sd14.embed.gpu`."""

    by_name: Mapping[str, Rate]

    def __getitem__(self, name: str) -> float:
        return self.by_name[name].value

    def presets(self) -> list[str]:
        """The presets whose networks have rates."""
        return sorted({name.split(".")[1] for name in self.by_name if name.startswith("networks.")})


def load_rates() -> Rates:
    """The rates that come with the distribution.

    Raises:
        PlanError: the file is not what it should be.
    """
    text = find_package_data("data_manifests", FILE).read_text(encoding="utf-8")
    return Rates(dict(_walk(yaml.safe_load(text), "")))


def _walk(fields: Mapping[str, Any], prefix: str) -> list[tuple[str, Rate]]:
    found: list[tuple[str, Rate]] = []
    for name, value in fields.items():
        if not isinstance(value, Mapping):
            raise PlanError(f"{FILE}: {prefix}{name} must be a rate, got {value!r}")
        if value.keys() & {"value", "seconds"}:
            found.append((f"{prefix}{name}", _rate(value, f"{prefix}{name}")))
        else:
            found += _walk(value, f"{prefix}{name}.")
    return found


def _rate(fields: Mapping[str, Any], name: str) -> Rate:
    number = fields.get("value", fields.get("seconds"))
    kinds = [kind for kind in ("measured", "reasoned") if fields.get(kind)]
    if not isinstance(number, int | float) or number <= 0 or len(kinds) != 1:
        raise PlanError(f"{FILE}: {name} must be a number > 0, and either measured or reasoned")
    return Rate(float(number), kinds[0] == "measured", str(fields[kinds[0]]))
