"""Disks that are full: the system refuses to write, as it does of its own accord."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Lets the system refuse to make any file larger than `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def refused_files(name: str, code: int) -> Iterator[None]:
    """Lets no file with `name` in its name reach the disk, for the reason `code` of `errno`."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if name in Path(f"/proc/self/fd/{descriptor}").resolve().name:
            raise OSError(code, os.strerror(code))
        real(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield
