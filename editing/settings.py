"""Settings: frozen dataclasses that check themselves, and say enough of themselves for flags.

An editor, a region finder and a recipe each have one. Every field is made by `setting`, which gives
its default and what it means; command lines, `--set` and documents are made from that. Imports no
network library.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from editing.errors import SettingError

SettingsT = TypeVar("SettingsT")

_MEANING, _FLAG, _METAVAR = "meaning", "flag", "metavar"


@dataclass(frozen=True)
class NoSettings:
    """The settings of what has none."""


@dataclass(frozen=True, kw_only=True)
class Dial:
    """The setting that trades change for faithfulness, and what it is turned to in an evaluation.

    `flag` is the flag of `evaluate` that gives other values, without its dashes.
    """

    setting: str
    values: tuple[float, ...]
    flag: str


def setting(
    meaning: str, *, default: Any, flag: str | None = None, metavar: str | None = None
) -> Any:
    """A field of a settings dataclass.

    `meaning` is one line for a person, with unit and range. `flag` names the command line's flag
    where that is not the field's name; `metavar` stands for the value in its help.
    """
    return dataclasses.field(
        default=default, metadata={_MEANING: meaning, _FLAG: flag, _METAVAR: metavar}
    )


@dataclass(frozen=True)
class Setting:
    """One setting as it is told to a person: what `setting` was given, and the field's type.

    `kind` is int, float, str or bool; with `optional` None is a value too. `choices` are the values
    of a field that is typed as a `Literal`, else empty.
    """

    name: str
    kind: type
    default: Any
    meaning: str
    flag: str
    metavar: str | None
    optional: bool
    choices: tuple[str, ...]

    def read(self, text: str) -> Any:
        """The value that `text` stands for; `none` where there may be none.

        Raises:
            SettingError: it stands for none of this kind.
        """
        if self.optional and text == "none":
            return None
        if self.choices and text not in self.choices:
            raise SettingError(f"{self.name} must be {_one_of(self.choices)}, got {text!r}")
        if self.kind is bool:
            if text not in ("true", "false"):
                raise SettingError(f"{self.name} must be true or false, got {text!r}")
            return text == "true"
        try:
            value = self.kind(text)
        except ValueError:
            words = {int: "a whole number", float: "a number"}[self.kind]
            raise SettingError(f"{self.name} must be {words}, got {shorten(text)}") from None
        _require_number(self.name, value)
        return value


def describe_settings(kind: type[Any]) -> tuple[Setting, ...]:
    """The settings of a settings dataclass, in its order.

    Raises:
        TypeError: a field was not made by `setting`, or is of no plain type.
    """
    hints = typing.get_type_hints(kind)
    return tuple(_describe(field, hints[field.name]) for field in dataclasses.fields(kind))


def _describe(field: "dataclasses.Field[Any]", hint: Any) -> Setting:
    if _MEANING not in field.metadata:
        raise TypeError(f"the setting {field.name} must be made by editing.settings.setting")
    kinds = [hint]
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        kinds = list(typing.get_args(hint))
    optional = types.NoneType in kinds
    kinds = [each for each in kinds if each is not types.NoneType]
    choices: tuple[str, ...] = ()
    if len(kinds) == 1 and typing.get_origin(kinds[0]) is typing.Literal:
        choices = typing.get_args(kinds[0])
        kinds = list(dict.fromkeys(map(type, choices)))
    allowed = (str,) if choices else (int, float, str, bool)
    if len(kinds) != 1 or kinds[0] not in allowed:
        raise TypeError(f"the setting {field.name} must be a number, a word or a truth value")
    return Setting(
        name=field.name,
        kind=kinds[0],
        default=field.default,
        meaning=field.metadata[_MEANING],
        flag=field.metadata[_FLAG] or field.name.replace("_", "-"),
        metavar=field.metadata[_METAVAR],
        optional=optional,
        choices=choices,
    )


def make_settings(kind: type[SettingsT], values: Mapping[str, Any], *, owner: str) -> SettingsT:
    """The settings with `values` in place of defaults; `owner` says in errors whose they are.

    Raises:
        SettingError: `owner` has no such setting, or a value breaks a rule.
    """
    known = [each.name for each in describe_settings(kind)]
    for name in values:
        if name not in known:
            raise SettingError(f"{owner} has no setting {name}; {_listed(known)}")
    try:
        made = kind(**values)
    except SettingError:
        raise
    except ValueError as error:
        raise SettingError(str(error)) from error
    require_numbers(made)
    return made


@runtime_checkable
class LeavesToWays(Protocol):
    """Settings that leave numbers which nobody gives to a named choice of ways."""

    def chosen(self) -> Any:
        """Every number that counts, as a dataclass."""
        ...


def chosen_numbers(settings: Any) -> dict[str, Any]:
    """The numbers that named ways stand for, as plain data; empty where there are no ways.

    Kept beside what was made, they tell when a name has come to stand for other numbers.
    """
    if not isinstance(settings, LeavesToWays):
        return {}
    chosen = dataclasses.asdict(settings.chosen())
    return {name: list(v) if isinstance(v, tuple) else v for name, v in chosen.items()}


def require_numbers(settings: Any) -> None:
    """Make sure that no setting is infinite or not a number, whatever its own rule lets through.

    Every road to an editor comes through here: flags, `--set`, dials, and Python.

    Raises:
        SettingError: one is.
    """
    for field in dataclasses.fields(settings):
        _require_number(field.name, getattr(settings, field.name))


def _require_number(name: str, value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingError(f"{name} must be a finite number, got {value}")


def shorten(text: str, most: int = 60) -> str:
    """A text as an error shows it: quoted, in ASCII, and cut where it is long."""
    return ascii(text if len(text) <= most else f"{text[:most]}...")


def _listed(names: Sequence[str]) -> str:
    return f"it has {', '.join(names)}" if names else "it has none"


def _one_of(values: Sequence[str]) -> str:
    return f"one of {', '.join(values)}" if len(values) > 1 else values[0]
