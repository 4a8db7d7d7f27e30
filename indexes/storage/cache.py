"""Where mirrors of folders on stores lie on this machine, and how much room they take.

The folder is `$PAIRLOOM_CACHE`, else `pairloom` in `$XDG_CACHE_HOME` or `~/.cache`; its bound is
`$PAIRLOOM_CACHE_GIB` (64 unless said). Those that were used longest ago go first; one that a
process has open stays, whatever the bound.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from indexes.storage.errors import StorageError
from indexes.storage.mirrors import Wanted, sync_folder
from indexes.storage.paths import on_this_machine
from indexes.storage.store_path import StorePath

FOLDER_VARIABLE = "PAIRLOOM_CACHE"
BOUND_VARIABLE = "PAIRLOOM_CACHE_GIB"
DEFAULT_GIB = 64.0
_USED, _FILLED = "used.lock", "filled.lock"

_open: dict[Path, int] = {}
"""Mirrors that this process uses, with the descriptor of a lock that is held until its end."""


def cache_folder() -> Path:
    """Where mirrors lie.

    Raises:
        StorageError: the environment names a place on a store.
    """
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return on_this_machine(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pairloom"


def cache_bound() -> int:
    """How many bytes mirrors may take, but for those in use.

    Raises:
        StorageError: the environment says something that is no number >= 0.
    """
    said = os.environ.get(BOUND_VARIABLE) or str(DEFAULT_GIB)
    with suppress(ValueError):
        if (gib := float(said)) >= 0:
            return int(gib * 2**30)
    raise StorageError(22, f"must be a number of GiB >= 0, got {said!r}", BOUND_VARIABLE)


def mirror(remote: StorePath, *, wanted: Wanted, last: Sequence[str] = ()) -> Path:
    """The local folder with the wanted files of `remote` as they are now.

    It is there as long as this process is; what a file was when it was opened stays readable.

    Raises:
        StorageError, OSError: as `indexes.storage.mirrors.sync_folder`.
    """
    with filling_mirror(remote) as local:
        sync_folder(remote, local, wanted=wanted, last=last)
    _make_room()
    return local


@contextmanager
def filling_mirror(remote: StorePath) -> Iterator[Path]:
    """The local folder that mirrors `remote`, as it is, for this process alone to be filled.

    Raises:
        OSError: it cannot be made.
    """
    digest = hashlib.sha256(str(remote).encode()).hexdigest()[:32]
    home = cache_folder() / "mirrors" / digest
    local = home / "files"
    local.mkdir(parents=True, exist_ok=True)
    if home not in _open:
        _open[home] = _lock(home / _USED, fcntl.LOCK_SH)
    (home / _USED).touch()
    descriptor = _lock(home / _FILLED, fcntl.LOCK_EX)
    try:
        local.mkdir(parents=True, exist_ok=True)
        yield local
    finally:
        os.close(descriptor)


def _lock(path: Path, kind: int) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, kind)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _make_room() -> None:
    """Removes mirrors that nobody uses, the longest unused first, until the rest fits."""
    homes = list((cache_folder() / "mirrors").iterdir())
    sizes = {home: _size(home) for home in homes}
    excess = sum(sizes.values()) - cache_bound()
    for home in sorted(homes, key=_last_use):
        if excess <= 0:
            return
        if home not in _open and _remove(home):
            excess -= sizes[home]


def _remove(home: Path) -> bool:
    with suppress(OSError):
        descriptor = _lock(home / _USED, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            shutil.rmtree(home / "files")  # the locks stay: they may be just being taken
            return True
        finally:
            os.close(descriptor)
    return False


def _size(home: Path) -> int:
    total = 0
    for path in home.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size
    return total


def _last_use(home: Path) -> float:
    try:
        return (home / _USED).stat().st_mtime
    except OSError:
        return 0.0
