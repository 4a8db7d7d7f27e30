"""Serving the page on the loopback until the judge or a signal ends it."""

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from werkzeug.serving import WSGIRequestHandler, make_server

from pipelines.judge.app import make_app
from pipelines.judge.session import JudgingSession
from pipelines.terminal.console import CommandError

HOST = "127.0.0.1"
TOKEN_BYTES = 24
SECONDS_BETWEEN_LOOKS = 0.2


class QuietHandler(WSGIRequestHandler):
    """Answers requests without a line for each."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        """Says nothing."""


@dataclass(frozen=True)
class Served:
    """A page that is served: its address, and a way to wait until it is ended by the page."""

    address: str
    wait: Callable[[], None]


@contextmanager
def serve(session: JudgingSession, *, name: str, port: int = 0) -> Iterator[Served]:
    """The page of `session`, at an address of this machine that nobody can guess.

    `port` 0 takes one that is free. The server ends with the block; what is being answered is
    answered to the end.

    Raises:
        CommandError: the port cannot be had.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    ended = threading.Event()
    app = make_app(session, name=name, token=token, finish=ended.set)
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        said = error.strerror or error
        raise CommandError(f"--port {port} cannot be had on {HOST}: {said}") from error
    with listening:
        found: int = listening.getsockname()[1]
        server = make_server(
            HOST, port, app, threaded=True, request_handler=QuietHandler, fd=listening.fileno()
        )

    def wait() -> None:
        # In short looks, so that a signal is heard at once on every system.
        while not ended.wait(SECONDS_BETWEEN_LOOKS):
            pass

    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Served(f"http://{HOST}:{found}/{token}/", wait)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
