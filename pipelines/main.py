"""The command `pentimento`."""

import argparse
import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from indexes.layout import IndexFolderError
from pipelines import build, demo, fetch, index, lexicon, rethreshold, verify
from pipelines.console import CommandError, fail
from pipelines.report import command as report
from pipelines.truth_report import judge_still_lifes
from transforms.contents import ContentsError
from transforms.files import OutputError
from transforms.models.spec import ModelError
from transforms.presets import PresetError
from transforms.protocols import SourceError

COMMANDS = (demo, index, build, verify, report, rethreshold, fetch, lexicon)

EXPECTED_ERRORS = (
    CommandError,
    SourceError,
    IndexFolderError,
    OutputError,
    ContentsError,
    ModelError,
    PresetError,
    OSError,
)
"""What is told in one line, because its message says what to do; the rest is told with its type."""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="pentimento",
        description="Image-editing training data without annotators: pairs of pictures from any "
        "collection, with edit prompts, masks, scores and reasons.",
    )
    parser.add_argument("--version", action="version", version=f"pentimento {_version()}")
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error as well"
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
    # Only the command line knows both the report and the world whose truth it can show.
    subparsers.choices["report"].set_defaults(run=partial(report.run, judge=judge_still_lifes))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, or not 0 with one line on stderr."""
    arguments = build_parser().parse_args(argv)
    quieten()
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt as error:
        return fail(error, debug=arguments.debug)
    except EXPECTED_ERRORS as error:
        shown = error if isinstance(error, CommandError | OSError) else CommandError(str(error))
        return fail(shown, debug=arguments.debug)
    except BrokenPipeError:
        # Whoever read our output has gone: leave without a second complaint at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the last line of defence: told, never swallowed
        return fail(error, debug=arguments.debug)


def quieten() -> None:
    """Keeps libraries' remarks about themselves off stderr, where progress and errors are told."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging.getLogger().setLevel(logging.ERROR)
    warnings.simplefilter("ignore", FutureWarning)
    warnings.simplefilter("ignore", DeprecationWarning)


def _version() -> str:
    try:
        return version("pentimento")
    except PackageNotFoundError:
        return "unknown (not installed)"


if __name__ == "__main__":
    sys.exit(main())
