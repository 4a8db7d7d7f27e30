"""Flags made from settings dataclasses, and the settings made from flags.

Each setting is one flag, whoever has it: `--strength` is that of any editor that has a strength. In
`--help` they stand in groups, by who has them. `--set NAME=VALUE` says the same as the flag, and
`--set OWNER.NAME=VALUE` says it to one owner alone.
"""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from editing.errors import SettingError
from editing.settings import Setting, describe_settings, make_settings
from pipelines.terminal.console import EXIT_USAGE, CommandError

_PREFIX = "setting:"
_SET = "set_values"

Owners = Mapping[str, type[Any]]
"""Settings dataclasses by the name of who has them."""


def add_settings_flags(parser: argparse.ArgumentParser, owners: Owners, *, title: str) -> None:
    """A flag for every setting of `owners`, in groups under `title` and the owners' names."""
    holders: dict[str, dict[str, Setting]] = {}
    for owner, kind in owners.items():
        for setting in describe_settings(kind):
            holders.setdefault(setting.name, {})[owner] = setting
    groups: dict[tuple[str, ...], Any] = {}
    for name, found in holders.items():
        key = tuple(found)
        if key not in groups:
            groups[key] = parser.add_argument_group(f"{title} {', '.join(key)}")
        _add_flag(groups[key], name, found)


def add_set_flag(parser: argparse.ArgumentParser) -> None:
    """`--set`."""
    parser.add_argument(
        "--set",
        dest=_SET,
        action="append",
        default=[],
        metavar="[NAME.]SETTING=VALUE",
        help="one setting, of all that have it, or of NAME alone; may be repeated",
    )


def _add_flag(group: Any, name: str, found: Mapping[str, Setting]) -> None:
    setting = next(iter(found.values()))
    how: dict[str, Any] = {"type": _reader(setting)}
    if setting.kind is bool:
        how = {"action": argparse.BooleanOptionalAction}
    elif setting.choices:
        how = {"choices": setting.choices}
    if setting.metavar and setting.kind is not bool:
        how["metavar"] = setting.metavar
    group.add_argument(
        f"--{setting.flag}",
        dest=f"{_PREFIX}{name}",
        default=None,
        help=f"{setting.meaning} ({_defaults(found)})",
        **how,
    )


def _reader(setting: Setting) -> Any:
    def read(text: str) -> Any:
        try:
            # None is what a flag has that was not given.
            return text if text == "none" and setting.optional else setting.read(text)
        except SettingError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _defaults(found: Mapping[str, Setting]) -> str:
    values = {owner: _in_words(each.default) for owner, each in found.items()}
    if len(set(values.values())) == 1:
        return f"default {next(iter(values.values()))}"
    return "default " + ", ".join(f"{owner} {value}" for owner, value in values.items())


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


class GivenSettings:
    """The settings that a command line gave, to be handed out to their owners."""

    def __init__(self, arguments: argparse.Namespace, known: Owners) -> None:
        """Reads them; `known` are all owners there are.

        Raises:
            CommandError: a `--set` that names nothing, or a value of the wrong kind.
        """
        self._kinds = known
        self._settings = {
            owner: {each.name: each for each in describe_settings(kind)}
            for owner, kind in known.items()
        }
        self._values: dict[str, Any] = {
            name.removeprefix(_PREFIX): value
            for name, value in vars(arguments).items()
            if name.startswith(_PREFIX) and value is not None
        }
        self._own: dict[tuple[str, str], Any] = {}
        for words in getattr(arguments, _SET, []):
            self._read_set(words)

    def _read_set(self, words: str) -> None:
        name, equals, text = words.partition("=")
        owner, dot, inner = name.rpartition(".")
        holders = (
            [owner] if dot else [each for each in self._kinds if inner in self._settings[each]]
        )
        if not equals or (dot and owner not in self._kinds):
            owners = ", ".join(self._kinds)
            _refuse(f"--set must be [NAME.]SETTING=VALUE with a NAME of {owners}, got {words!r}")
        if not holders:
            _refuse(f"--set {words}: nothing has a setting {inner}")
        for holder in holders:
            if inner not in self._settings[holder]:
                _refuse(f"--set {words}: {holder} has no setting {inner}")
            try:
                value = self._settings[holder][inner].read(text)
            except SettingError as error:
                _refuse(f"--set {words}: {error}")
            if dot:
                self._own[owner, inner] = value
            else:
                self._values[inner] = value

    def for_owner(self, owner: str) -> dict[str, Any]:
        """The values that are `owner`'s, by setting."""
        settings = self._settings[owner]
        values = {name: value for name, value in self._values.items() if name in settings}
        values = {
            name: None if value == "none" and settings[name].optional else value
            for name, value in values.items()
        }
        own = {name: value for (holder, name), value in self._own.items() if holder == owner}
        return values | own

    def make(self, owner: str) -> Any:
        """The settings of `owner`.

        Raises:
            CommandError: a value breaks a rule.
        """
        try:
            return make_settings(self._kinds[owner], self.for_owner(owner), owner=owner)
        except SettingError as error:
            raise CommandError(str(error), exit_code=EXIT_USAGE) from error

    def refuse_foreign(self, owners: Iterable[str]) -> None:
        """Make sure that every setting given belongs to one of `owners`, those that are used.

        Raises:
            CommandError: one does not; the message says what there is.
        """
        used = list(owners)
        known = sorted({name for owner in used for name in self._settings[owner]})
        has = f"there are {', '.join(known)}" if known else "there are none"
        who = ", ".join(used)
        for name in self._values:
            if name not in known:
                _refuse(f"{who} has no setting {name}: {has}")
        for owner, name in self._own:
            if owner not in used:
                _refuse(f"--set {owner}.{name}: {owner} is not used here, {who} is")


def _refuse(message: str) -> Any:
    raise CommandError(message, exit_code=EXIT_USAGE)
