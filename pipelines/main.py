"""The command `pairloom`."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

from indexes.names import installed_version
from pipelines.terminal.console import (
    EXIT_FAILED,
    EXIT_USAGE,
    CommandError,
    fail,
    silence_libraries,
)
from pipelines.terminal.failures import EXPECTED_ERRORS, as_command_error

_COMMANDS = {
    "demo": "pipelines.demo.command",
    "index": "pipelines.index.command",
    "build": "pipelines.build.command",
    "verify": "pipelines.verify.command",
    "report": "pipelines.report.command",
    "rethreshold": "pipelines.rethreshold.command",
    "fetch": "pipelines.fetch.command",
    "lexicon": "pipelines.lexicon.command",
    "train": "pipelines.train.command",
    "edit": "pipelines.edit.command",
    "edit-images": "pipelines.edit_images.command",
    "evaluate": "pipelines.evaluation.command",
}
"""The module of each command, in the order in which they are told of."""


class OneLineParser(argparse.ArgumentParser):
    """Tells what is wrong with a command line as all other errors are told, without its usage."""

    def error(self, message: str) -> NoReturn:
        """Raise what `main` reports."""
        raise CommandError(f"{message} (see {self.prog} --help)", exit_code=EXIT_USAGE)


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The whole command line, but for what follows `--`; or, of its commands, `only` one.

    Only what a command needs is then loaded: `fetch`, for one, does without torch and Beam.
    """
    parser = OneLineParser(
        prog="pairloom",
        description="Image-editing training data without annotators: pairs of pictures from any "
        "collection, with edit prompts, masks, scores and reasons.",
    )
    parser.add_argument("--version", action="version", version=f"pairloom {installed_version()}")
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error as well"
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    # Beam remarks on parts that are not installed while it is imported: `silence_libraries` before.
    for name, module in _COMMANDS.items():
        if only in (None, name):
            importlib.import_module(module).add_parser(subparsers)
    if only in (None, "report"):
        # Only the command line knows both the report and the world whose truth it can show.
        from pipelines.report import command as report
        from pipelines.still_life.pair_truth import judge_still_lifes

        report_parser = subparsers.choices["report"]
        report_parser.set_defaults(run=partial(report.run, find_truth=judge_still_lifes))
    return parser


def find_command(words: Sequence[str]) -> str | None:
    """The command that `words` begin with, if they do so and it is one."""
    return words[0] if words and words[0] in _COMMANDS else None


def read_arguments(words: Sequence[str]) -> argparse.Namespace:
    """The command and its flags; what follows `--` becomes its `beam_flags`.

    Raises:
        CommandError: a word that does not belong there, or a value that breaks a rule.
    """
    words = list(words)
    cut = words.index("--") if "--" in words else len(words)
    arguments = build_parser(find_command(words)).parse_args(words[:cut])
    beam_flags = tuple(words[cut + 1 :])
    if beam_flags and not hasattr(arguments, "beam_flags"):
        raise CommandError(
            f"{arguments.command} takes no flags for Beam, got {beam_flags[0]}",
            exit_code=EXIT_USAGE,
        )
    arguments.beam_flags = beam_flags
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, or not 0 with one line on stderr."""
    words = sys.argv[1:] if argv is None else argv
    debug = "--debug" in words
    silence_libraries()
    try:
        arguments = read_arguments(words)
        code = int(arguments.run(arguments))
        # What is still in the buffer may find the disk full, or nobody reading any more.
        sys.stdout.flush()
    except KeyboardInterrupt as error:
        return fail(error, debug=debug)
    except BrokenPipeError:
        return EXIT_FAILED  # whoever read our output has gone, and knows
    except EXPECTED_ERRORS as error:
        return fail(as_command_error(error), debug=debug)
    except Exception as error:  # noqa: BLE001 - the last line of defence: told, never swallowed
        return fail(error, debug=debug)
    finally:
        drop_unwritable_output()
    return code


def drop_unwritable_output() -> None:
    """Empties stdout's buffer, into nothing if need be: Python would complain of it at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
