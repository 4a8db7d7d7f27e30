"""Work for worker processes that goes wrong; imports little, because each process imports it."""

import os
import signal
import time
from pathlib import Path

from transforms.protocols import SourceError


class TwoPartError(Exception):
    """Cannot be unpickled: its class wants two values and remembers one."""

    def __init__(self, left, right):
        super().__init__(f"{left} and {right}")


def work(unit):
    """What `unit` says: a number is doubled, a word is a way to fail."""
    if unit == "refuse":
        raise SourceError("photos/7.jpg: no such picture")
    if unit == "full":
        raise OSError(28, "No space left on device", "pairs.parquet")
    if unit == "stumble":
        raise TwoPartError("this", "that")
    if unit == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * unit


def held_back():
    """The numbers of the signals that this process does not take now."""
    return sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def write_process_id(path, seconds):
    """Writes the number of this process to `path`, at once and whole, and waits for so long."""
    unfinished = Path(f"{path}.partial")
    unfinished.write_text(str(os.getpid()))
    unfinished.replace(path)
    time.sleep(seconds)
