"""The build with its source, its index and its data set on an S3 server of this machine."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from trial_build import NOT_COMPARED, OPTIONS, Build, TrialError, hashes, wait_for

from indexes.storage.paths import as_path
from indexes.storage.store_path import StorePath

BUCKET = "trial"


@contextmanager
def s3_server(work: Path) -> Iterator[None]:
    """An S3 server while the block runs; the environment of this process leads clients to it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "trial",
        "AWS_SECRET_ACCESS_KEY": "trial",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PAIRLOOM_CACHE": str(work / "cache"),
    }
    with (work / "s3-server.log").open("ab") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for("the S3 server", lambda: _listens(port))
        yield
    finally:
        server.terminate()
        server.wait(30)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def on_stores(build: Build, name: str, flags: list[str]) -> int:
    """The build on an engine, from a store to a store; how many files have the reference's bytes.

    Raises:
        TrialError: it fails, or has other bytes.
    """
    folder = as_path(f"s3://{BUCKET}/{name}")
    assert isinstance(folder, StorePath)
    if not folder.system.exists(BUCKET):
        folder.system.mkdir(BUCKET)
    for path in sorted((build.work / "index").rglob("*")):
        if path.is_file():
            (folder / "index" / path.relative_to(build.work / "index").as_posix()).upload(path)
    (folder / "source.yaml").upload(build.work / "source.yaml")
    words = ["build", f"{folder}/source.yaml", "--index", f"{folder}/index"]
    process = build.start_command(name, [*words, "--out", f"{folder}/pairs", *OPTIONS, *flags])
    build.finish(process, name)
    wanted, found = hashes(build.work / "reference"), stored_hashes(folder / "pairs")
    if wanted != found:
        other = sorted(dict(wanted.items() ^ found.items()))
        raise TrialError(f"{name}: {len(other)} files differ, first {other[0]}")
    return len(found)


def stored_hashes(folder: StorePath) -> dict[str, str]:
    """SHA-256 of every file of a data set on a store, by its path there."""
    return {
        name: sha256((folder / name).read_bytes()).hexdigest()
        for name in folder.files()
        if not name.startswith(".") and Path(name).name != NOT_COMPARED
    }
