"""Hosts that take connections and say nothing."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

BACKLOG = 512


@contextmanager
def silent_host(address: str) -> Iterator[str]:
    """The start of links to a silent host: the system takes its connections, and nobody reads."""
    with socket.socket() as listener:
        listener.bind((address, 0))
        listener.listen(BACKLOG)
        yield f"{address}:{listener.getsockname()[1]}"
