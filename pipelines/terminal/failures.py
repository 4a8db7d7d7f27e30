"""Errors a user can mend, and what is left of an error once Beam has carried it."""

import re

from indexes.errors import PairloomError
from pipelines.terminal.console import CommandError

EXPECTED_ERRORS = (PairloomError, OSError)
"""What is told in one line, because its message says what to do; the rest is told with its type."""

_STEP_NOTE = " [while running '"
_TYPES = re.compile(r"^(?:[\w.]+Error: )+")


def as_command_error(error: Exception) -> CommandError:
    """`error`, one of `EXPECTED_ERRORS`, as the line that is shown for it."""
    if isinstance(error, CommandError):
        return error
    line = str(error)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        line = f"{error.filename}: {error.strerror}"
    shown = CommandError(line)
    shown.__cause__ = error  # for the traceback that --debug shows
    return shown


def raised_by_stage(error: BaseException) -> BaseException:
    """What a stage raised, where `error` is what Beam made of that in this process.

    Beam raises another exception in its place, with the name of the step in the message, and of
    another type where it cannot make one of the same: an interruption comes as a RuntimeError.
    """
    while _STEP_NOTE in str(error) and error.__context__ is not None:
        error = error.__context__
    return error


def last_words(error: BaseException) -> str:
    """The line that says what went wrong on a runner elsewhere, out of a text full of tracebacks.

    That is the last line that ends a traceback, without exception types and the name of the step;
    or else the first.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for line in reversed(lines):
        if _STEP_NOTE in line:
            return _TYPES.sub("", line.partition(_STEP_NOTE)[0])
    return lines[0] if lines else type(error).__name__
