"""The flags that say where a job runs: `--workers`, `--runner` and `--json`."""

import argparse
from pathlib import Path

from pipelines.running.beam_flags import refuse_unknown, whole_paths
from pipelines.running.execution import Execution
from pipelines.running.runners import open_pipeline
from pipelines.terminal.arguments import JSON_HELP, whole_number
from pipelines.terminal.console import CommandError


def add_execution_flags(parser: argparse.ArgumentParser) -> None:
    """`--workers`, `--runner` and `--json`."""
    parser.add_argument(
        "--workers", type=whole_number(1), default=1, help="processes on this machine (default 1)"
    )
    parser.add_argument(
        "--runner",
        metavar="NAME",
        help="a Beam runner such as FlinkRunner instead of this machine's own; all flags after "
        "-- go to Beam",
    )
    parser.set_defaults(beam_flags=())
    parser.add_argument("--json", action="store_true", help=JSON_HELP)


def read_execution(arguments: argparse.Namespace) -> Execution:
    """Where to run, from the flags of `add_execution_flags`.

    With a runner, the paths among `arguments` are made absolute: workers stand in other folders.

    Raises:
        CommandError: Beam's flags were given without a runner, or workers together with one, or
            Beam does not know or take them.
    """
    if arguments.runner is None:
        if arguments.beam_flags:
            raise CommandError(
                f"{arguments.beam_flags[0]} is a flag for Beam and needs --runner", exit_code=2
            )
        return Execution(workers=arguments.workers)
    if arguments.workers != 1:
        raise CommandError("--workers is for this machine: leave it out with --runner", exit_code=2)
    refuse_unknown(arguments.beam_flags)
    flags = (f"--runner={arguments.runner}", *whole_paths(arguments.beam_flags))
    open_pipeline(flags)  # to hear now, and not after the work before it, what is wrong with them
    make_absolute(arguments)
    return Execution(beam_flags=flags)


def make_absolute(arguments: argparse.Namespace) -> None:
    """Makes the folders that a command reads and writes absolute; addresses (s3://...) stay.

    A source makes its own paths absolute when it is opened.
    """
    for name, value in vars(arguments).items():
        if isinstance(value, Path):
            setattr(arguments, name, value.absolute())
