"""An S3 server in this process, and what lies in a folder of it."""

import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from indexes.storage.paths import as_path
from indexes.storage.store_path import StorePath

BUCKET = "tests"
_numbers = itertools.count()


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of a bucket on a server that runs until the end of the block.

    The environment leads the clients there, as it does for whoever runs the commands.
    """
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment(f"http://{host}:{port}").items():
                patch.setenv(name, value)
            make_bucket()
            yield f"s3://{BUCKET}"
    finally:
        server.stop()


def environment(endpoint: str, *, secret: str = "test-secret") -> dict[str, str]:
    """What leads a client to the server at `endpoint`."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testkey",
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def make_bucket() -> None:
    """Makes the bucket at the server that the environment names."""
    system = as_path(f"s3://{BUCKET}/any")
    assert isinstance(system, StorePath)
    system.system.mkdir(BUCKET)


def new_folder(store: str) -> StorePath:
    """A folder of the store `store` that nobody else uses."""
    folder = as_path(f"{store}/folder-{next(_numbers)}")
    assert isinstance(folder, StorePath)
    return folder


def upload_folder(local: Path, folder: StorePath) -> StorePath:
    """Puts all files below `local` into `folder`."""
    for path in sorted(local.rglob("*")):
        if path.is_file():
            (folder / path.relative_to(local).as_posix()).upload(path)
    return folder


def stored_contents(folder: StorePath, *, leave_out: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Every file below `folder` with its bytes, by its path there."""
    return {
        name: (folder / name).read_bytes()
        for name in folder.files()
        if Path(name).name not in leave_out
    }
