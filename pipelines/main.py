"""The command `pairloom`."""

import argparse
import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

from indexes.names import installed_version
from pipelines.running.worker_server import start_worker_server, wants_workers
from pipelines.terminal.console import (
    EXIT_BY_SIGNAL,
    EXIT_USAGE,
    CommandError,
    fail,
    silence_libraries,
)
from pipelines.terminal.failures import (
    OutOfMemory,
    as_command_error,
    as_memory_error,
    is_expected,
)
from pipelines.terminal.signals import heed_signals
from pipelines.terminal.streams import LastingStream, lasting_streams

_RESERVED_BYTES = 8 << 20
"""Given back when a command fails, so that there is room to say that memory has run out."""


_TEXTS = ("--prompt", "--source-prompt", "--mask-phrase")
"""Flags whose value may be empty."""

_COMMANDS = {
    "demo": "pipelines.demo.command",
    "rewrite": "pipelines.rewrite.command",
    "plan": "pipelines.plan.command",
    "index": "pipelines.index.command",
    "build": "pipelines.build.command",
    "verify": "pipelines.verify.command",
    "report": "pipelines.report.command",
    "judge": "pipelines.judge.command",
    "rethreshold": "pipelines.rethreshold.command",
    "clean": "pipelines.clean.command",
    "decontaminate": "pipelines.decontaminate.command",
    "export": "pipelines.export.command",
    "fetch": "pipelines.fetch.command",
    "lexicon": "pipelines.lexicon.command",
    "train": "pipelines.train.command",
    "edit": "pipelines.edit.command",
    "edit-images": "pipelines.edit_images.command",
    "evaluate": "pipelines.evaluation.command",
}
"""The module of each command, in the order in which they are told of."""

_ANY_NAME = ("edit", "lexicon", "rewrite")
"""Commands that read and write plain files alone; the others' names stand in manifests, and are
those of Parquet files."""


class OneLineParser(argparse.ArgumentParser):
    """Tells what is wrong with a command line as all other errors are told, without its usage."""

    def error(self, message: str) -> NoReturn:
        """Raise what `main` reports."""
        raise CommandError(f"{message} (see {self.prog} --help)", exit_code=EXIT_USAGE)


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The whole command line, but for what follows `--`; or, of its commands, `only` one.

    Only what a command needs is then loaded: `fetch`, for one, does without Beam, and none loads
    torch before it has something to compute.
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
    """Which command the words need: the one that they begin with; none, "", for `--version`.

    None where they begin with something else, so that any may be meant.
    """
    first = words[0] if words else None
    if first == "--version":
        return ""
    return first if first in _COMMANDS else None


def read_arguments(words: Sequence[str]) -> argparse.Namespace:
    """The command and its flags; what follows `--` becomes its `beam_flags`.

    Raises:
        CommandError: a word that does not belong there, or a value that breaks a rule.
    """
    words = list(words)
    refuse_empty(words)
    cut = words.index("--") if "--" in words else len(words)
    arguments = build_parser(find_command(words)).parse_args(words[:cut])
    beam_flags = tuple(words[cut + 1 :])
    if beam_flags and not hasattr(arguments, "beam_flags"):
        raise CommandError(
            f"{arguments.command} takes no flags for Beam, got {beam_flags[0]}",
            exit_code=EXIT_USAGE,
        )
    arguments.beam_flags = beam_flags
    if arguments.command not in _ANY_NAME:
        refuse_other_encodings(words[:cut])
    return arguments


def refuse_empty(words: Sequence[str]) -> None:
    """Makes sure that nothing is empty but texts: as a path it would be the current folder.

    Raises:
        CommandError: a word is, most often a variable that a script did not set.
    """
    for before, word in pairwise(("", *words)):
        flag, sign, value = word.partition("=")
        if before == "--":
            return
        if (word == "" and before not in _TEXTS) or (
            flag.startswith("--") and sign and value == "" and flag not in _TEXTS
        ):
            place = f"{flag or before} needs a value" if flag or before else "a word is missing"
            raise CommandError(f"{place}, got an empty one", exit_code=EXIT_USAGE)


def refuse_other_encodings(words: Sequence[str]) -> None:
    """Makes sure that all words are UTF-8, as what they name is in manifests and Parquet's paths.

    Raises:
        CommandError: one is not.
    """
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise CommandError(
                f"names of folders and data sets must be UTF-8, got {word}", exit_code=EXIT_USAGE
            ) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, or not 0 with one line on stderr.

    Without `argv` the process is this command's alone and ends with it.
    """
    words = sys.argv[1:] if argv is None else argv
    alone = argv is None
    others = set(multiprocessing.active_children())
    reserve = [bytes(_RESERVED_BYTES)]
    with lasting_streams() as out, heed_signals(to_the_end=alone) as signals:
        try:
            code = run_command(words)
        except SystemExit as leaving:  # of --help and --version
            raise SystemExit(output_code(out, int(leaving.code or 0))) from None
        except BaseException as error:  # noqa: BLE001 - the last line of defence: told, never lost
            signals.rest()
            reserve.clear()
            # What a signal broke off may come out as any error, as an import that failed.
            told = signals.stopped or as_told(error)
            code = fail(told, debug="--debug" in words)
            if alone and isinstance(told, OutOfMemory):
                os._exit(code)  # Python's own end would need memory too, and complain at length
        signals.rest()
        for process in set(multiprocessing.active_children()) - others:
            process.kill()  # one that is still there, as after a second Ctrl-C
        return output_code(out, code)


def run_command(words: Sequence[str]) -> int:
    """Reads the command line and does what it says; the command's own exit code.

    Raises:
        whatever the command raises.
    """
    refuse_surroundings()
    silence_libraries()
    if wants_workers(words):
        start_worker_server()  # it imports what workers need while this process does the same
    arguments = read_arguments(words)
    return int(arguments.run(arguments))


def refuse_surroundings() -> None:
    """Makes sure that the process stands where commands can run.

    Raises:
        CommandError: Python was told to leave docstrings out, or its folder is gone.
    """
    if sys.flags.optimize > 1:
        raise CommandError("python -OO takes away what Beam needs: run it with -O, or without")
    try:
        Path.cwd()
    except OSError as error:
        raise CommandError(
            "the folder in which pairloom was started is gone: start it in another"
        ) from error


def as_told(error: BaseException) -> BaseException:
    """`error` as it is told: expected ones without their type, and what says that memory ended."""
    if isinstance(error, CommandError):
        return error
    short = as_memory_error(error)
    if short is not None:
        return short
    if isinstance(error, Exception) and is_expected(error):
        return as_command_error(error)
    return error


def output_code(out: LastingStream, code: int) -> int:
    """The exit code of a command that ended with `code`, where its results may be lost.

    A reader that went away knows it, so that nothing is said; what else went wrong is told.
    """
    out.flush()
    if out.error is None:
        return code
    if isinstance(out.error, BrokenPipeError):
        return code or EXIT_BY_SIGNAL + signal.SIGPIPE
    lost = f"stdout cannot be written, results are lost: {out.error.strerror or out.error}"
    return fail(lost) if code == 0 else code


if __name__ == "__main__":
    sys.exit(main())
