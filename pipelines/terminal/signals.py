"""Signals that ask the process to end: work is left as by Ctrl-C, and one line says which it was.

SIGTERM and SIGHUP come as an exception where the work is, so that whatever is being written is put
away, workers are ended and the next run goes on from what is whole. A signal that was ignored when
the process began stays so: `nohup` relies on it.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SECONDS_OF_PATIENCE = 1.0
"""For so long a second signal is taken for the same wish; `timeout` and a closed terminal send it
to a process and once more to its group."""


class Stopped(KeyboardInterrupt):
    """The process was asked to end by the signal `number`.

    A kind of KeyboardInterrupt, because all that makes way for Ctrl-C makes way for it.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.number = number


class SignalWatch:
    """Remembers by which signal the process was asked to end; `stopped` is None before."""

    def __init__(self) -> None:
        self.stopped: Stopped | None = None
        self._last = 0.0
        self._resting = False

    def answer(self, number: int, _frame: FrameType | None) -> None:
        """The handler: raises `Stopped` where the main thread is.

        Raises:
            Stopped: but for a second signal that comes at once, and after `rest`.
        """
        if self._resting:
            return
        now = time.monotonic()
        if self.stopped is None:
            self.stopped = Stopped(number)
        elif now - self._last < SECONDS_OF_PATIENCE:
            return
        self._last = now
        raise self.stopped

    def rest(self) -> None:
        """Lets further signals pass: the work has ended, and only its outcome is still told."""
        self._resting = True


@contextmanager
def heed_signals(*, to_the_end: bool) -> Iterator[SignalWatch]:
    """Answers the signals of `ENDING` within the block, where it runs in the main thread.

    After it they do what they did before; but after one of them and with `to_the_end` nothing: the
    process ends, and has said why.
    """
    watch = SignalWatch()
    if threading.current_thread() is not threading.main_thread():
        yield watch  # Python lets no other thread answer signals
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    heeded = {number: old for number, old in before.items() if old not in (signal.SIG_IGN, None)}
    for number in heeded:
        signal.signal(number, watch.answer)
    try:
        yield watch
    finally:
        for number, old in heeded.items():
            signal.signal(number, signal.SIG_IGN if to_the_end and watch.stopped else old)
