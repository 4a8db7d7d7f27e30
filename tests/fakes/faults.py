"""What may stand between a server and its clients: slow, cut off, full, or silent."""

import contextlib
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

FULL = b"<Error><Code>InsufficientStorage</Code><Message>The bucket is full.</Message></Error>"


@dataclass
class Faults:
    """What a proxy does to those who come through it; `on_put` is told the number of each upload.

    What `on_put` gives is done to that upload: `cut` breaks the connection off, `full` answers that
    there is no room. `delay_s` is waited and `bytes_a_second` are let through on each connection;
    with `stalled` nothing is.
    """

    on_put: Callable[[int], str | None] = lambda number: None
    on_get: Callable[[int], str | None] = lambda number: None
    delay_s: float = 0.0
    bytes_a_second: float | None = None
    stalled: bool = False
    puts: Iterator[int] = field(default_factory=itertools.count)
    gets: Iterator[int] = field(default_factory=itertools.count)


class Proxy:
    """Passes connections on to `port`, with faults."""

    def __init__(self, port: int, faults: Faults) -> None:
        self._port, self._faults = port, faults
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self._faults.stalled:
            time.sleep(600)
        try:
            server = socket.create_connection(("127.0.0.1", self._port))
        except OSError:
            reset(client)
            return
        threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()
        self._pass(client, server, True)

    def _pass(self, source: socket.socket, target: socket.socket, asks: bool) -> None:
        fault = None
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 14):
                fault = self._fault(data) if asks else None
                if fault:
                    break
                time.sleep(self._faults.delay_s)
                if self._faults.bytes_a_second:
                    time.sleep(len(data) / self._faults.bytes_a_second)
                target.sendall(data)
        if fault == "full":
            refuse(source)
        for each in (source, target):
            reset(each) if fault == "cut" else end(each)

    def _fault(self, data: bytes) -> str | None:
        if data.startswith((b"PUT ", b"POST /upload/")):
            return self._faults.on_put(next(self._faults.puts))
        if data.startswith(b"GET ") and b"list-type" not in data.split(b"\r\n")[0]:
            return self._faults.on_get(next(self._faults.gets))
        return None


def refuse(client: socket.socket) -> None:
    """Answers an upload that there is no room, and reads what still comes of it."""
    head = (
        "HTTP/1.1 507 Insufficient Storage\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(FULL)}\r\nConnection: close\r\n\r\n"
    )
    with contextlib.suppress(OSError):
        client.sendall(head.encode() + FULL)
        client.settimeout(0.5)
        while client.recv(1 << 16):
            pass


def reset(connection: socket.socket) -> None:
    """Breaks a connection off, as a cable that is pulled."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def end(connection: socket.socket) -> None:
    """Ends a connection in order."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
