"""The flags after `--`, which are Beam's: only those that somebody knows, and whole paths."""

import argparse
import difflib
import io
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, suppress
from pathlib import Path
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.running.server_flags import SERVER_FLAGS
from pipelines.terminal.console import EXIT_USAGE, CommandError

_FLAG = re.compile(r"--[A-Za-z][\w-]*")
_PATHS = ("flink_conf_dir", "flink_job_server_jar", "prism_location", "spark_job_server_jar")


def refuse_unknown(flags: Sequence[str]) -> None:
    """Makes sure that Beam, or a job server that it starts, knows every one of `flags`.

    Beam itself drops what it does not know and says nothing.

    Raises:
        CommandError: one is unknown, with the flag that was most likely meant.
    """
    parser = _beams_parser()
    known = set(_FLAG.findall(parser.format_help()))
    for flag in SERVER_FLAGS:
        if flag not in known:
            parser.add_argument(flag, nargs="?")
    unknown: list[str] = []
    # A value that a flag does not take is told by whoever opens the pipeline.
    with suppress(SystemExit), redirect_stderr(io.StringIO()):
        _, unknown = parser.parse_known_args(list(flags))
    if not unknown:
        return
    name = unknown[0].partition("=")[0]
    if not _FLAG.fullmatch(name):
        raise CommandError(
            f"flags for Beam: must look like --parallelism=2, got {unknown[0]}",
            exit_code=EXIT_USAGE,
        )
    close = difflib.get_close_matches(name, sorted({*known, *SERVER_FLAGS}), n=1)
    meant = f", did you mean {close[0]}?" if close else ""
    raise CommandError(f"flags for Beam: there is no {name}{meant}", exit_code=EXIT_USAGE)


def _beams_parser() -> argparse.ArgumentParser:
    """A parser of all flags that Beam's Python package knows."""
    parsers: list[argparse.ArgumentParser] = []
    PipelineOptions([]).get_all_options(add_extra_args_fn=parsers.append)
    [parser] = parsers
    return parser


def read_options(flags: Sequence[str]) -> dict[str, Any]:
    """Every option of Beam's by its name, as `flags` and Beam's defaults say."""
    found: dict[str, Any] = PipelineOptions(list(flags)).get_all_options()
    return found


def names_flag(flags: Sequence[str], name: str) -> bool:
    """Whether the option `name` is among `flags`."""
    return any(flag.partition("=")[0] == f"--{name}" for flag in flags)


def whole_paths(flags: Sequence[str]) -> tuple[str, ...]:
    """`flags` with relative paths of jars and programs made absolute; addresses stay."""
    return tuple(map(_whole_path, flags))


def _whole_path(flag: str) -> str:
    name, sign, value = flag.partition("=")
    if name.removeprefix("--") not in _PATHS or not sign or "://" in value:
        return flag
    return f"{name}={Path(value).expanduser().absolute()}"
