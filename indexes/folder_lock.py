"""One writer to a folder: a lock that the kernel lets go of with the process that holds it.

The lock is `flock`'s, on a file in the folder that says who holds it. It is removed in the end; one
that a killed process left holds nothing and hinders nobody.
"""

import errno
import fcntl
import json
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from indexes.errors import PairloomError
from indexes.storage.paths import is_stored

LOCK_FILE = ".pairloom.lock"
MOST_HOLDER_BYTES = 4096
_CANNOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
_ATTEMPTS = 100

Tell = Callable[[str], None]


class FolderLockedError(PairloomError):
    """A folder that another process writes to, in one line that says which."""


@contextmanager
def lock_folder(folder: Path, job: str, *, tell: Tell = lambda line: None) -> Iterator[None]:
    """Keeps every other `lock_folder` out of `folder`, which is made, while the block runs.

    `job` says in a word or two what is done, for whoever is kept out. Where nothing can be written
    there is no lock, for there is nothing to keep apart; where the file system has no locks, as no
    store has, `tell` is given a line that says so. What was made for the lock is gone in the end,
    unless it is used.

    Raises:
        FolderLockedError: another process, or this one, holds the lock; or something that is no
            file has its name.
    """
    if is_stored(folder):
        # fsspec has no lock, and no store that all of them could be made of.
        tell(f"{folder} is on a store, without locks: see to it that nothing else writes there")
        yield
        return
    made = _make_folders(folder)
    descriptor = None
    try:
        descriptor = _acquire(folder, job, tell)
        yield
    finally:
        if descriptor is not None:
            # Removed while it is held: whoever opened it before sees that it is not the file there.
            with suppress(OSError):
                (folder / LOCK_FILE).unlink()
            os.close(descriptor)
        for each in made:
            with suppress(OSError):
                each.rmdir()


def _make_folders(folder: Path) -> list[Path]:
    """Makes `folder` and what is above it; those that were not there, innermost first."""
    missing: list[Path] = []
    with suppress(OSError):  # whoever writes there says what is wrong with it
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    return missing


def _acquire(folder: Path, job: str, tell: Tell) -> int | None:
    """The descriptor of the lock file, locked; None where there cannot be one.

    Raises:
        FolderLockedError: as `lock_folder`.
    """
    path = folder / LOCK_FILE
    for _ in range(_ATTEMPTS):
        try:
            descriptor = _open(path)
        except OSError as error:
            if error.errno in _CANNOT_WRITE or not _is_folder(folder):
                return None  # the job itself says what cannot be written
            raise FolderLockedError(f"{path} cannot be locked: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _read_holder(descriptor)
            os.close(descriptor)
            raise FolderLockedError(
                f"{folder} is being written by {holder}: wait until that has ended, or choose "
                "another folder"
            ) from error
        except OSError as error:
            os.close(descriptor)
            with suppress(OSError):
                path.unlink()
            tell(
                f"{folder} is on a file system without locks ({error.strerror}): see to it that "
                "nothing else writes there"
            )
            return None
        if _is_at(descriptor, path):
            _write_holder(descriptor, job)
            return descriptor
        os.close(descriptor)  # the one who held it has removed it since: once more
    raise FolderLockedError(f"{path} cannot be locked: it is made and removed all the time")


def _is_folder(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:  # a name that is too long, for instance
        return False


def _open(path: Path) -> int:
    safe = os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | safe, 0o644)
    except PermissionError as error:
        try:
            descriptor = os.open(path, os.O_RDONLY | safe)  # another user's can be locked as well
        except FileNotFoundError:
            raise error from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file")
    return descriptor


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether `path` is still the file that was opened."""
    try:
        there = path.stat(follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))


def _write_holder(descriptor: int, job: str) -> None:
    holder = {
        "job": job,
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with suppress(OSError):  # on a full disk the lock holds all the same
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _read_holder(descriptor: int) -> str:
    """Who holds the lock, as far as the file says it: it may be just being written."""
    try:
        found = json.loads(os.pread(descriptor, MOST_HOLDER_BYTES, 0))
        job, process, host, since = (found[n] for n in ("job", "process", "host", "since"))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return "another process"
    words = f"{job} (process {process} on {host}, since {since})"
    return "".join(letter if letter.isprintable() else "?" for letter in words)
