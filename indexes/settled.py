"""How many rows of its source a run on other machines has settled, as its workers tell it.

Many engines give a job's metrics only when a bundle has ended, which may be the whole job. So each
worker tells in a small file of its own, beside whose turn it is, how many rows it has brought to
their shards. It is for whoever waits, and for nothing else: what an engine does twice counts twice,
and what cannot be written or read is let be.
"""

import secrets
import time
from collections.abc import Callable
from contextlib import suppress

from indexes.fence import RUNNING_FOLDER, SETTLED_PREFIX, Fence
from indexes.storage.paths import as_path, is_stored

SECONDS_A_TELL = 2.0
SECONDS_A_STORED_TELL = 30.0
"""On a store each file that is written is paid for."""
_MOST_DIGITS = 20


class SettledRows:
    """What one worker of the run of `fence` tells, in a file of its own; not to be pickled."""

    def __init__(self, fence: Fence, *, clock: Callable[[], float] = time.monotonic) -> None:
        folder = as_path(fence.folder)
        name = f"{SETTLED_PREFIX}{fence.token}-{secrets.token_hex(8)}"
        self._path = folder / RUNNING_FOLDER / name
        self._every_s = SECONDS_A_STORED_TELL if is_stored(folder) else SECONDS_A_TELL
        self._clock = clock
        self._due = clock()
        self._rows = 0

    def add(self, rows: int) -> None:
        """Counts `rows` more, and tells it unless it was told a moment ago."""
        self._rows += rows
        if rows == 0 or self._clock() < self._due:
            return
        with suppress(OSError):
            self._path.write_bytes(str(self._rows).encode())
        self._due = self._clock() + self._every_s


def read_settled(fence: Fence) -> int:
    """How many rows all workers of the run of `fence` have told of, as far as can be read."""
    told = 0
    with suppress(OSError):
        running = as_path(fence.folder) / RUNNING_FOLDER
        for path in running.glob(f"{SETTLED_PREFIX}{fence.token}-*"):
            with suppress(OSError):
                told += _read_count(path.read_bytes())
    return told


def _read_count(data: bytes) -> int:
    """The number in a file, which may be just being written; 0 where it is none."""
    return int(data) if data.isdigit() and len(data) <= _MOST_DIGITS else 0
