"""What a store said of a file, kept while the file is read in many steps."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from indexes.storage.statuses import Info


class _Remembered(threading.local):
    def __init__(self) -> None:
        self.infos: dict[str, Info] = {}


_remembered = _Remembered()


@contextmanager
def remembering(address: str, ask: Callable[[], Info]) -> Iterator[None]:
    """A block in which this thread remembers what `ask` says of the file at `address` now.

    Raises:
        whatever `ask` raises.
    """
    if address in _remembered.infos:
        yield
        return
    _remembered.infos[address] = ask()
    try:
        yield
    finally:
        forget(address)


def recall(address: str) -> Info | None:
    """What is remembered of a file; None for nothing."""
    return _remembered.infos.get(address)


def forget(address: str) -> None:
    """Remembers nothing more of a file, which is written or removed."""
    _remembered.infos.pop(address, None)
