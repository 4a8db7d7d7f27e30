"""Flags made from settings dataclasses, and the settings made from flags.

A flag is that of every setting that names it, whoever has it: `--strength` is that of any editor
that has a strength, and each reads its value as its own setting asks for. In `--help` flags stand
in groups, by who has them. `--set NAME=VALUE` says the same as the flag of the setting NAME, and
`--set OWNER.NAME=VALUE` says it to one owner alone.
"""

import argparse
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn

from editing.errors import SettingError
from editing.settings import Setting, describe_settings, make_settings
from pipelines.terminal.console import EXIT_USAGE, CommandError

_PREFIX = "setting:"
_SET = "set_values"

Owners = Mapping[str, type[Any]]
"""Settings dataclasses by the name of who has them."""


def add_settings_flags(
    parser: argparse.ArgumentParser,
    owners: Owners,
    *,
    title: str,
    left_out: Collection[tuple[str, str]] = (),
) -> None:
    """A flag for every setting of `owners`, in groups under `title` and the owners' names.

    `left_out` has owner and name of settings that get none.
    """
    holders: dict[str, dict[str, Setting]] = {}
    for owner, kind in owners.items():
        for setting in describe_settings(kind):
            if (owner, setting.name) not in left_out:
                holders.setdefault(setting.flag, {})[owner] = setting
    groups: dict[tuple[str, ...], Any] = {}
    for flag, found in holders.items():
        key = tuple(found)
        if key not in groups:
            groups[key] = parser.add_argument_group(f"{title} {', '.join(key)}")
        _add_flag(groups[key], flag, found)


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


def _add_flag(group: Any, flag: str, found: Mapping[str, Setting]) -> None:
    settings = list(found.values())
    how: dict[str, Any]
    if all(each.kind is bool for each in settings):
        how = {"action": argparse.BooleanOptionalAction}
    else:
        how = {"type": _reader(settings), "metavar": _metavar(flag, settings)}
    meanings = dict.fromkeys(each.meaning for each in settings)
    group.add_argument(
        f"--{flag}",
        dest=f"{_PREFIX}{flag}",
        default=None,
        help=for_help(f"{'; '.join(meanings)} ({_defaults(found)})"),
        **how,
    )


def for_help(words: str) -> str:
    """Words as argparse's `help` takes them, which reads more into a percent sign."""
    return words.replace("%", "%%")


def _metavar(flag: str, settings: Sequence[Setting]) -> str:
    named = [each.metavar for each in settings if each.metavar]
    choices = dict.fromkeys(choice for each in settings for choice in each.choices)
    plain = flag.upper().replace("-", "_")
    return named[0] if named else f"{{{','.join(choices)}}}" if choices else plain


def _reader(settings: Sequence[Setting]) -> Any:
    """Lets the words through that one of `settings` can read; each reads them for itself later."""

    def read(text: str) -> str:
        errors = []
        for setting in settings:
            try:
                setting.read(text)
            except SettingError as error:
                errors.append(str(error))
            else:
                return text
        raise argparse.ArgumentTypeError(errors[0])

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
            CommandError: a `--set` that names nothing.
        """
        self._kinds = known
        self._settings = {
            owner: {each.name: each for each in describe_settings(kind)}
            for owner, kind in known.items()
        }
        self._flags: dict[str, Any] = {
            name.removeprefix(_PREFIX): value
            for name, value in vars(arguments).items()
            if name.startswith(_PREFIX) and value is not None
        }
        self._shared: dict[str, str] = {}
        self._own: dict[tuple[str, str], str] = {}
        for words in getattr(arguments, _SET, []):
            self._read_set(words)

    def _read_set(self, words: str) -> None:
        name, equals, text = words.partition("=")
        owner, dot, inner = name.rpartition(".")
        if not equals or (dot and owner not in self._kinds):
            owners = ", ".join(self._kinds)
            _refuse(f"--set must be [NAME.]SETTING=VALUE with a NAME of {owners}, got {words!r}")
        if dot:
            if inner not in self._settings[owner]:
                _refuse(f"--set {words}: {owner} has no setting {inner}")
            self._own[owner, inner] = text
        else:
            if not any(inner in settings for settings in self._settings.values()):
                _refuse(f"--set {words}: nothing has a setting {inner}")
            self._shared[inner] = text

    def for_owner(self, owner: str) -> dict[str, Any]:
        """The values that are `owner`'s, by setting.

        Raises:
            CommandError: one is not of its setting's kind.
        """
        values = {}
        for name, setting in self._settings[owner].items():
            words = self._flags.get(setting.flag)
            words = self._own.get((owner, name), self._shared.get(name, words))
            if words is not None:
                values[name] = _read(setting, words)
        return values

    def make(self, owner: str, *, defaults: Mapping[str, Any] = MappingProxyType({})) -> Any:
        """The settings of `owner`; `defaults` are values by name that nobody need give.

        Raises:
            CommandError: a value breaks a rule.
        """
        try:
            values = {**defaults, **self.for_owner(owner)}
            return make_settings(self._kinds[owner], values, owner=owner)
        except SettingError as error:
            raise CommandError(str(error), exit_code=EXIT_USAGE) from error

    def refuse_foreign(self, owners: Iterable[str]) -> None:
        """Make sure that every setting given belongs to one of `owners`, those that are used.

        Raises:
            CommandError: one does not; the message says who has it, and what there is.
        """
        used = list(owners)
        for owner, name in self._own:
            if owner not in used:
                verb = "is" if len(used) == 1 else "are"
                _refuse(f"--set {owner}.{name}: {owner} is not used here, {_listed(used)} {verb}")
        for flag in self._flags:
            self._refuse_unless_used(f"--{flag}", flag, used, field="flag")
        for name in self._shared:
            self._refuse_unless_used(f"--set {name}", name, used, field="name")

    def _refuse_unless_used(self, given: str, name: str, used: Sequence[str], field: str) -> None:
        names = {
            owner: [getattr(each, field) for each in settings.values()]
            for owner, settings in self._settings.items()
        }
        here = list(dict.fromkeys(one for owner in used for one in names[owner]))
        if name not in here:
            holders = _listed([owner for owner in names if name in names[owner]])
            verb = "has" if len(used) == 1 else "have"
            what = _listed(here) or "none"
            _refuse(f"{given} is a setting of {holders}; {_listed(used)} {verb} {what}")


def _read(setting: Setting, words: Any) -> Any:
    if isinstance(words, bool):  # of a flag that is followed by no value
        return words
    try:
        return setting.read(words)
    except SettingError as error:
        raise CommandError(str(error), exit_code=EXIT_USAGE) from error


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _refuse(message: str) -> NoReturn:
    raise CommandError(message, exit_code=EXIT_USAGE)
