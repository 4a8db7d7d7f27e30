"""Real servers of stores in processes of their own, and commands that are led to them.

`make storage-test` builds versitygw, an S3 server that keeps a bucket as a folder of plain files,
and fake-gcs-server, which speaks as Google's store does and keeps all in its memory; it says by
`PAIRLOOM_S3_SERVER` and `PAIRLOOM_GS_SERVER` where they are.
"""

import contextlib
import copy
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fakes.command_line import run
from fakes.object_store import BUCKET, environment
from indexes.storage.systems import forget_systems

SERVER_VARIABLE = "PAIRLOOM_S3_SERVER"
GOOGLE_VARIABLE = "PAIRLOOM_GS_SERVER"
STARTING_S = 20
_PASSED_OVER = re.compile(r"pairloom: note: |[a-z ]+: \d+ of \d+ ")


def server_program() -> str | None:
    """Where the server is, if it was built."""
    return os.environ.get(SERVER_VARIABLE) or shutil.which("versitygw")


def google_program() -> str | None:
    """Where the server that speaks as Google's store is, if it was built."""
    return os.environ.get(GOOGLE_VARIABLE) or shutil.which("fake-gcs-server")


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
        wait_for_port(self.port)

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


def wait_for_port(port: int) -> None:
    """Waits until somebody listens at `port` of this machine."""
    ends = time.monotonic() + STARTING_S
    while time.monotonic() < ends:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise AssertionError("the server does not start")


class GoogleServer:
    """A server that speaks as Google's store does, with one bucket; killed, it forgets all."""

    def __init__(self) -> None:
        program = google_program()
        assert program is not None
        self.port = free_port()
        words = [program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(self.port)]
        words += ["-backend", "memory", "-external-url", self.endpoint, "-log-level", "error"]
        self._process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for_port(self.port)
        asked = urllib.request.Request(
            f"{self.endpoint}/storage/v1/b?project=tests",
            data=json.dumps({"name": BUCKET}).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(asked, timeout=STARTING_S).close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """Ends it at once."""
        self._process.kill()
        self._process.wait()


def google_environment(endpoint: str, *, secret: str = "") -> dict[str, str]:
    """What leads a client of Google's store to the server at `endpoint`, which wants no secret."""
    del secret
    return {
        "STORAGE_EMULATOR_HOST": endpoint,
        "FSSPEC_GS": json.dumps({"token": "anon"}),
        # Else gcsfs asks Google itself, at every request, what kind of bucket it is.
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
    }


@dataclass(frozen=True)
class Commands:
    """Runs `pairloom` led to `endpoint`: here, or in a process of its own that can be killed.

    `lead` says what leads there, S3's clients unless told otherwise; `more` is in the environment
    beside it.
    """

    endpoint: str
    cache: Path
    secret: str = "test-secret"
    more: dict[str, str] = field(default_factory=dict)
    lead: Callable[..., dict[str, str]] = environment

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
        with self.here():
            outcome = run(*words)
        told = [line for line in outcome.err.splitlines() if not _PASSED_OVER.match(line)]
        return outcome.code, outcome.out, told

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """A block in which this process is led to the store, as the commands are."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.surroundings().items():
                patch.setenv(name, value)
            with fresh_systems():
                yield

    def surroundings(self) -> dict[str, str]:
        """What is in the environment of a command beside what always is."""
        led = self.lead(self.endpoint, secret=self.secret)
        return {**led, "PAIRLOOM_CACHE": str(self.cache), **self.more}


@contextlib.contextmanager
def fresh_systems() -> Iterator[None]:
    """A block in which file systems are opened by what the environment says now."""
    from fsspec.config import conf, set_conf_env

    before = copy.deepcopy(conf)
    conf.clear()
    set_conf_env(conf)
    forget_systems()
    try:
        yield
    finally:
        conf.clear()
        conf.update(before)
        forget_systems()
