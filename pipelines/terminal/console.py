"""What the commands say to a person and to a script.

Progress and errors go to stderr; results go to stdout, where `print_json_line` writes the one line
a script reads, always the last. Nothing here is coloured or redrawn unless the stream is a
terminal, so that a log file holds plain lines.
"""

import json
import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TextIO

from indexes.errors import PairloomError

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

SECONDS_BETWEEN_LINES = 30.0

Advance = Callable[[int], None]


class CommandError(PairloomError):
    """A command that cannot go on, in one line that names the value and the rule.

    `exit_code` is what the process ends with: `EXIT_USAGE` where the work was asked for wrongly,
    `EXIT_FAILED` where it could not be done, be it for the data it was given.
    """

    def __init__(self, message: str, *, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def silence_libraries() -> None:
    """Keep libraries' remarks about themselves off stderr, in this process and those it starts."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging.getLogger().setLevel(logging.ERROR)
    warnings.simplefilter("ignore", FutureWarning)
    warnings.simplefilter("ignore", DeprecationWarning)


def fail(error: BaseException | str, *, debug: bool = False, stream: TextIO | None = None) -> int:
    """Report `error` on stderr and return the exit code the process should end with.

    A `CommandError` or a string is one line without its type, as it was written for a person; any
    other exception is one line with its type before it; an interruption says so. Line breaks in the
    message become spaces. With `debug` the traceback of an exception comes before that line.
    """
    stream = stream or sys.stderr
    if debug and isinstance(error, BaseException):
        stream.write("".join(traceback.format_exception(error)))
    code = EXIT_FAILED
    if isinstance(error, KeyboardInterrupt):
        message, code = "interrupted", EXIT_INTERRUPTED
    elif isinstance(error, CommandError):
        message, code = str(error), error.exit_code
    elif isinstance(error, str):
        message = error
    else:
        message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    stream.write(f"pairloom: error: {' '.join(message.split())}\n")
    stream.flush()
    return code


def tell(message: str, *, stream: TextIO | None = None) -> None:
    """Say on stderr, in one line, what is no error but should not be overlooked."""
    stream = stream or sys.stderr
    stream.write(f"pairloom: {' '.join(message.split())}\n")
    stream.flush()


def print_json_line(counts: Mapping[str, object], *, stream: TextIO | None = None) -> None:
    """Write `counts` as one line of JSON with sorted keys; call it last.

    Raises:
        ValueError: a value is NaN or infinite, which JSON has no word for.
        TypeError: a value is not plain data.
    """
    stream = stream or sys.stdout
    stream.write(json.dumps(counts, sort_keys=True, allow_nan=False) + "\n")
    stream.flush()


def print_table(
    title: str,
    rows: Sequence[Sequence[object]],
    *,
    columns: Sequence[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Print `rows` under `title`: the first column left, numbers right, thousands set apart.

    `columns` names the columns; without names there is no head line. Text is shown as it is: square
    brackets in it are not markup.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", show_header=bool(columns))
    width = max([len(columns), *(len(row) for row in rows)])
    for index in range(width):
        numeric = any(index < len(row) and is_number(row[index]) for row in rows)
        name = columns[index] if index < len(columns) else ""
        table.add_column(Text(name), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(Text(format_value(value)) for value in row))
    Console(file=stream or sys.stdout, highlight=False).print(table)


def is_number(value: object) -> bool:
    """Whether `value` is set flush right: an int or float, and not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def format_value(value: object) -> str:
    """`value` for a table: 12 345 for whole numbers, three digits for small floats."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}".replace(",", " ")
    if isinstance(value, float):
        return f"{value:,.0f}".replace(",", " ") if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


def format_seconds(seconds: float) -> str:
    """A duration as a person says it: 0.4 s, 12 s, 3 min 05 s, 2 h 10 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


@contextmanager
def show_progress(
    label: str,
    total: int | None,
    *,
    unit: str = "pictures",
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Advance]:
    """Show how far a long piece of work is, on stderr, while the `with` block runs.

    Yields `advance(count)`, to be called as work is done; `total` None means that the end is not
    known. On a terminal it is a bar; elsewhere nothing for the first half minute, then a line every
    half minute, and one line at the end if there was any before. The last line of a block left by
    an exception says how far it got.
    """
    stream = stream or sys.stderr
    if stream.isatty():
        with show_bar(label, total, unit=unit, stream=stream) as advance:
            yield advance
        return
    lines = ProgressLines(label, total, unit=unit, stream=stream, clock=clock)
    try:
        yield lines.advance
    except BaseException:
        lines.finish("stopped")
        raise
    lines.finish("done")


@contextmanager
def show_bar(label: str, total: int | None, *, unit: str, stream: TextIO) -> Iterator[Advance]:
    """The bar a terminal gets: label, bar, count, rate and time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        TextColumn("{task.completed:,.0f} {task.fields[unit]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(file=stream),
    )
    with bar:
        task = bar.add_task(label, total=total, unit=unit)
        yield lambda count: bar.update(task, advance=count)


class ProgressLines:
    """What a log file gets: a line now and then, none for work that is soon over."""

    def __init__(
        self,
        label: str,
        total: int | None,
        *,
        unit: str,
        stream: TextIO,
        clock: Callable[[], float],
    ) -> None:
        self._label = label
        self._total = total
        self._unit = unit
        self._stream = stream
        self._clock = clock
        self._start = clock()
        self._last = self._start
        self._count = 0
        self._spoken = False

    def advance(self, count: int) -> None:
        """Note that `count` more are done, and write a line if one is due."""
        self._count += count
        if self._clock() - self._last >= SECONDS_BETWEEN_LINES:
            self._write(self._time_left())

    def finish(self, word: str) -> None:
        """Write the last line, if there was one before it."""
        if self._spoken:
            self._write(f"{word} after {format_seconds(self._clock() - self._start)}")

    def _time_left(self) -> str:
        elapsed = self._clock() - self._start
        rate = self._count / elapsed
        if not self._total or not self._count:
            return f"{rate:.1f} a second"
        left = max(0, self._total - self._count) / rate
        return f"{rate:.1f} a second, about {format_seconds(left)} left"

    def _write(self, tail: str) -> None:
        of_total = f" of {format_value(self._total)}" if self._total is not None else ""
        count = f"{format_value(self._count)}{of_total} {self._unit}"
        self._stream.write(f"{self._label}: {count}, {tail}\n")
        self._stream.flush()
        self._last = self._clock()
        self._spoken = True
