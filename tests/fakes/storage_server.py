"""A real S3 server in a process of its own, and what may stand between it and its clients.

`make storage-test` builds the server (versitygw, which keeps a bucket as a folder of plain files)
and says by `PAIRLOOM_S3_SERVER` where it is.
"""

import contextlib
import itertools
import os
import re
import resource
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fakes.command_line import run
from fakes.object_store import BUCKET, environment
from indexes.storage.systems import forget_systems

SERVER_VARIABLE = "PAIRLOOM_S3_SERVER"
STARTING_S = 20
_PASSED_OVER = re.compile(r"pairloom: note: |[a-z ]+: \d+ of \d+ ")
FULL = b"<Error><Code>InsufficientStorage</Code><Message>The bucket is full.</Message></Error>"


def server_program() -> str | None:
    """Where the server is, if it was built."""
    return os.environ.get(SERVER_VARIABLE) or shutil.which("versitygw")


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class StorageServer:
    """The server over the folder `root`, in which each folder is a bucket; it can be killed."""

    def __init__(self, root: Path) -> None:
        self.root, self.port = root, free_port()
        self.bucket = root / BUCKET
        self.bucket.mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, largest_file: int | None = None) -> None:
        """Starts it, and waits until it answers; files are refused above `largest_file` bytes."""
        program = server_program()
        assert program is not None
        keys = {"ROOT_ACCESS_KEY_ID": "testkey", "ROOT_SECRET_ACCESS_KEY": "test-secret"}
        words = [program, "--port", f"127.0.0.1:{self.port}", "--quiet", "posix", str(self.root)]

        def bound() -> None:
            if largest_file is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

        self._process = subprocess.Popen(
            words, env={**os.environ, **keys}, stdout=subprocess.DEVNULL, preexec_fn=bound
        )
        ends = time.monotonic() + STARTING_S
        while time.monotonic() < ends:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        raise AssertionError("the server does not start")

    def kill(self) -> None:
        """Ends it at once, as a machine that loses its power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def files(self, folder: str) -> dict[str, bytes]:
        """What the bucket has below `folder`, by its path there."""
        top = self.bucket / folder
        return {
            path.relative_to(top).as_posix(): path.read_bytes()
            for path in sorted(top.rglob("*"))
            if path.is_file()
        }


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
        if data.startswith(b"PUT "):
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


@dataclass(frozen=True)
class Commands:
    """Runs `pairloom` led to `endpoint`: here, or in a process of its own that can be killed."""

    endpoint: str
    cache: Path
    secret: str = "test-secret"
    more: dict[str, str] = field(default_factory=dict)

    def start(self, *words: object) -> subprocess.Popen[str]:
        """Starts `pairloom WORDS` in a process of its own."""
        surroundings = {**os.environ, **self.surroundings()}
        return subprocess.Popen(
            [sys.executable, "-m", "pairloom", *map(str, words)],
            env=surroundings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: object) -> tuple[int, str, list[str]]:
        """Exit code, stdout and the lines of stderr but notes and progress, of `pairloom WORDS`."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.surroundings().items():
                patch.setenv(name, value)
            forget_systems()
            outcome = run(*words)
            forget_systems()
        told = [line for line in outcome.err.splitlines() if not _PASSED_OVER.match(line)]
        return outcome.code, outcome.out, told

    def surroundings(self) -> dict[str, str]:
        """What is in the environment of a command beside what always is."""
        led = environment(self.endpoint, secret=self.secret)
        return {**led, "PAIRLOOM_CACHE": str(self.cache), **self.more}
