"""Errors a user can mend, and what is left of an error once Beam has carried it."""

import errno
import re
import resource
import textwrap

from indexes.errors import PairloomError
from pipelines.terminal.console import CommandError

EXPECTED_ERRORS = (PairloomError, OSError)
"""What is told in one line, because its message says what to do; the rest is told with its type."""

_MOST_SAID = 160
_LINK_LOOP = "Symlink loop from "
_STEP_NOTE = " [while running '"
_TYPES = re.compile(r"^(?:[\w.]+Error: )+")


def is_expected(error: BaseException) -> bool:
    """Whether `error` is one of `EXPECTED_ERRORS`, or what Python 3.12 raises in place of one."""
    loops = isinstance(error, RuntimeError) and str(error).startswith(_LINK_LOOP)
    return loops or isinstance(error, EXPECTED_ERRORS)


class OutOfMemory(CommandError):  # noqa: N818 - what happened, not what was wrong
    """Memory, or the processes that a user may have, have run out."""


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


_SHORT_OF_MEMORY = re.compile(
    r"can't start new thread|can(?:no|')t allocate memory|failed to map segment|bad_alloc"
    r"|error return without exception set|`torch` can only be initialized once",
    re.IGNORECASE,
)
"""How libraries tell that memory or processes are used up, in words; the last two are what Python
and torch say when they were loaded in part."""


def as_memory_error(error: BaseException) -> OutOfMemory | None:
    """`error` as one line, where it says in any of its ways that memory does not suffice."""
    short = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
    if not short and not _SHORT_OF_MEMORY.search(str(error)):
        return None
    said = f" ({textwrap.shorten(str(error), _MOST_SAID)})" if str(error) else ""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    bound = "" if limit == resource.RLIM_INFINITY else f" of {limit >> 20} MiB (ulimit -v)"
    shown = OutOfMemory(
        f"memory{bound} does not suffice, or there are too many processes{said}: what is written "
        "is whole, and the command can be run again"
    )
    shown.__cause__ = error
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
