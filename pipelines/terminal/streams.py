"""Standard streams that can be closed, full or without a reader, and the work goes on.

A command does its work first of all for the files it writes. Who reads what it says may go away
(`| head`), the disk under a log may fill up, a stream may be closed before the command begins: what
cannot be said is dropped, and the exit code says so in the end.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal, TextIO, cast

STANDARD = (0, 1, 2)


class LastingStream:
    r"""A text stream whose writes never fail: `error` keeps why the first one did.

    After that everything is dropped. What the stream's encoding lacks is written as `\xe4`.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Writes `text`, or drops it; its length, as of any stream."""
        if self.error is None:
            try:
                self._stream.write(self._encodable(text))
            except OSError as error:
                self._give_up(error)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Writes one text after the other."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Sends on what was written, or drops it."""
        if self.error is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._give_up(error)

    def isatty(self) -> bool:
        """Whether it is a terminal, and one that is still there."""
        return self.error is None and self._stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _encodable(self, text: str) -> str:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            return text.encode(encoding, "backslashreplace").decode(encoding)
        return text

    def _give_up(self, error: OSError) -> None:
        self.error = error
        # What is still in the buffer would fail once more when Python ends, and be told then.
        with suppress(OSError, ValueError):
            number = self._stream.fileno()
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, number)
            os.close(nothing)


def open_standard_streams() -> None:
    """Opens those of stdin, stdout and stderr that were closed, on nothing.

    The next file that is opened would take the number of a closed one, and what a library says on
    stderr would stand in a shard. Workers inherit them.
    """
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free, which is this one.
            nothing = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(nothing, True)  # noqa: FBT003 - as os has it
    # A closed stream is None to Python.
    sys.stdin = sys.stdin or _reopen(0, "r")
    sys.stdout = sys.stdout or _reopen(1, "w")
    sys.stderr = sys.stderr or _reopen(2, "w")


def _reopen(number: int, mode: Literal["r", "w"]) -> TextIO:
    return open(number, mode, encoding="utf-8", closefd=False)


@contextmanager
def lasting_streams() -> Iterator[LastingStream]:
    """Makes stdout and stderr lasting within the block; gives stdout."""
    open_standard_streams()
    before = sys.stdout, sys.stderr
    out, err = LastingStream(sys.stdout), LastingStream(sys.stderr)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before
