"""Flags that the editors' commands share: which editor, which weights, which regions, where.

They are made from the registries of editors and regions; no editor is named here.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from editing.diffusion.settings import DTYPES
from editing.editor import EditorSpec
from editing.errors import SettingError
from editing.loading import EditorChoice, choose_editor
from editing.parts import OpenSource, Parts
from editing.regions.registry import NO_REGIONS, REGIONS
from editing.registry import EDITORS
from pipelines.terminal.arguments import local_path
from pipelines.terminal.console import EXIT_USAGE, CommandError
from pipelines.terminal.settings_arguments import (
    GivenSettings,
    Owners,
    add_set_flag,
    add_settings_flags,
    for_help,
)
from transforms.presets import Preset


@contextmanager
def editing_extra() -> Iterator[None]:
    """Tells of the extra `editing` where the imports of the block miss one of its packages.

    Raises:
        CommandError: a package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise CommandError(
            f"this command needs the extra `editing` ({error.name} is missing): "
            "pip install 'pairloom[editing]'"
        ) from error


@dataclass(frozen=True)
class ChosenEditor:
    """An editor that a command line chose, with its settings."""

    choice: EditorChoice
    settings: Any

    @property
    def name(self) -> str:
        """What it is called in the registry."""
        return self.choice.spec.name


class RenamedFlag(argparse.Action):
    """The earlier spelling of a flag: does what the new one does, and says so on stderr."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Sets what the new flag sets."""
        sys.stderr.write(
            f"pairloom: {option_string} is called --{self.dest} now, and goes away in the next "
            "release\n"
        )
        setattr(namespace, self.dest, values)


def add_editor_flag(parser: argparse.ArgumentParser, names: Sequence[str], default: str) -> None:
    """`--editor`, one of `names`; `--method` is its earlier spelling."""
    parser.add_argument(
        "--editor",
        choices=names,
        default=default,
        metavar="NAME",
        help=f"{_listed(names)} (default {default})",
    )
    parser.add_argument(
        "--method", dest="editor", action=RenamedFlag, choices=names, help=argparse.SUPPRESS
    )


def add_editors_flag(
    parser: argparse.ArgumentParser, names: Sequence[str], default: Sequence[str]
) -> None:
    """`--editors`, several of `names`; `--methods` is its earlier spelling."""
    parser.add_argument(
        "--editors",
        nargs="+",
        choices=names,
        default=list(default),
        metavar="NAME",
        help=f"{_listed(names)} (default {' '.join(default)})",
    )
    parser.add_argument(
        "--methods",
        dest="editors",
        nargs="+",
        action=RenamedFlag,
        choices=names,
        help=argparse.SUPPRESS,
    )


def _listed(names: Sequence[str]) -> str:
    return for_help(", ".join(f"{name} ({EDITORS[name].summary})" for name in names))


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """`--model`, `--preset`, `--regions`, `--device` and `--dtype`."""
    parser.add_argument(
        "--model",
        type=local_path,
        metavar="DIR",
        help="a run of train, or a folder that holds the model (default: the preset's)",
    )
    parser.add_argument("--preset", default="stilllife", help="networks to use (default stilllife)")
    regions = ", ".join(f"{spec.name} ({spec.summary})" for spec in REGIONS.values())
    parser.add_argument(
        "--regions",
        choices=(*REGIONS, NO_REGIONS),
        metavar="NAME",
        help=for_help(
            f"where an edit may change something: {regions}, or {NO_REGIONS} (everywhere); "
            "default: what the editor does"
        ),
    )
    parser.add_argument("--device", default="cpu", help="torch device (default cpu)")
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        help="precision of the diffusion model's weights (default: the preset's, else float32)",
    )


def add_editing_flags(parser: argparse.ArgumentParser, *, with_dials: bool = True) -> None:
    """A flag for every setting of every editor and region finder, and `--set`.

    Without `with_dials` the settings that dials turn have none: the command turns them itself.
    """
    dials = {(name, spec.dial.setting) for name, spec in EDITORS.items() if spec.dial is not None}
    left_out = () if with_dials else dials
    add_settings_flags(parser, _editor_owners(), title="settings of", left_out=left_out)
    add_settings_flags(parser, _region_owners(), title="settings of the regions by")
    add_set_flag(parser)


def _editor_owners() -> Owners:
    return {name: spec.settings for name, spec in EDITORS.items()}


def _region_owners() -> Owners:
    return {name: spec.settings for name, spec in REGIONS.items()}


def read_editor(
    arguments: argparse.Namespace,
    preset: Preset,
    *,
    regions: str | None = None,
    open_source: OpenSource | None = None,
) -> ChosenEditor:
    """The editor that `--editor` and the other flags ask for; `regions` overrides `--regions`.

    `open_source` is that of `Parts`.

    Raises:
        CommandError: see `read_editors`.
    """
    if regions is not None:
        arguments = argparse.Namespace(**{**vars(arguments), "regions": regions})
    (chosen,) = read_editors(arguments, preset, [arguments.editor], open_source=open_source)
    return chosen


def _takes_model(spec: EditorSpec[Any], arguments: argparse.Namespace, *, compared: bool) -> bool:
    """Whether an editor gets what `--model` names."""
    asked = spec.model_regions is not None and spec.model_regions == arguments.regions
    return spec.needs_model or asked or not compared


def read_editors(
    arguments: argparse.Namespace,
    preset: Preset,
    names: Sequence[str],
    *,
    compared: bool = False,
    open_source: OpenSource | None = None,
) -> list[ChosenEditor]:
    """The editors `names` as the flags ask for them.

    Every editor that takes a model gets that of `--model`. With `compared` only those do that
    cannot be without one, or whose regions are asked for, and the others keep the preset's, to be
    compared with; and their dials are turned by the command, so nobody may set what they turn.

    Raises:
        CommandError: a model that is needed or not there, a setting that nobody has, or a value
            that breaks a rule.
    """
    given = GivenSettings(arguments, {**_editor_owners(), **_region_owners()})
    parts = Parts(
        preset=preset, device=arguments.device, dtype=arguments.dtype, open_source=open_source
    )
    chosen = []
    used: list[str] = []
    for name in names:
        spec = EDITORS[name]
        model = arguments.model if _takes_model(spec, arguments, compared=compared) else None
        regions = arguments.regions or spec.own_regions(with_model=model is not None)
        looks = regions if regions not in (None, NO_REGIONS) else None
        used += [name, *([looks] if looks else [])]
        try:
            choice = choose_editor(
                name,
                parts,
                model=model,
                regions=regions or NO_REGIONS,
                region_values=given.for_owner(looks) if looks else {},
            )
        except SettingError as error:
            raise CommandError(str(error), exit_code=EXIT_USAGE) from error
        if compared and spec.dial is not None and spec.dial.setting in given.for_owner(name):
            raise CommandError(
                f"{spec.dial.setting} of {name} is turned by --{spec.dial.flag} here, not set",
                exit_code=EXIT_USAGE,
            )
        chosen.append(ChosenEditor(choice, given.make(name)))
    given.refuse_foreign(dict.fromkeys(used))
    return chosen
