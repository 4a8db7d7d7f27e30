"""An index folder on a store: read, finished and checked in a mirror on this machine.

FAISS and the vectors are memory-mapped, so that they must be local files. Parts go to the store as
they are made; only then are they fetched, once a machine.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from indexes.checksums import is_index_file, is_searched
from indexes.layout import (
    COMPLETED_FILE,
    EARLIER_MANIFEST_FILE,
    MANIFEST_FILE,
    SIGNATURE_FILE,
    IndexFolderError,
)
from indexes.storage.cache import filling_mirror, mirror
from indexes.storage.mirrors import list_tags, note_uploaded, sync_folder
from indexes.storage.store_path import StorePath

_CLOSING = (EARLIER_MANIFEST_FILE, MANIFEST_FILE, COMPLETED_FILE)
"""Come last, in this order: with them a folder says what it holds, and that it is whole."""


def _is_own(name: str) -> bool:
    return is_index_file(name) or name in (*_CLOSING, SIGNATURE_FILE)


def _is_read(name: str) -> bool:
    return _is_own(name) and is_searched(name)


def mirror_index(folder: StorePath) -> Path:
    """The local folder that holds what is searched of the index in `folder`, as it is now.

    Raises:
        IndexFolderError: it cannot be read, or was being made anew.
    """
    try:
        return mirror(folder, wanted=_is_read, last=_CLOSING)
    except OSError as error:
        raise IndexFolderError(str(error)) from error


@contextmanager
def naming(place: Path, local: Path) -> Iterator[None]:
    """A block whose errors name `place`, the address of an index, and not its mirror `local`."""
    try:
        yield
    except IndexFolderError as error:
        if place == local:
            raise
        raise IndexFolderError(str(error).replace(str(local), str(place))) from error


def finish_stored(
    folder: StorePath, finish: Callable[[Path], dict[str, object]]
) -> dict[str, object]:
    """What `finish` makes of a local folder with the parts of the index `folder`, put there.

    `COMPLETED` is taken away first and comes last. What `finish` removes is removed there too.

    Raises:
        IndexFolderError: as `finish`, or the store cannot be read or written.
    """
    try:
        with filling_mirror(folder) as local, naming(folder, local):
            (folder / COMPLETED_FILE).unlink(missing_ok=True)
            sync_folder(folder, local, wanted=_is_own, last=_CLOSING)
            before = list_tags(folder, _is_own)
            had = {name: _fingerprint(local / name) for name in before}
            manifest = finish(local)
            _upload_changes(folder, local, had)
            note_uploaded(folder, local, _is_own)
        return manifest
    except OSError as error:
        raise IndexFolderError(str(error)) from error


def _fingerprint(path: Path) -> tuple[int, int]:
    """What tells a file from one that took its place: all are written anew and renamed."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def _upload_changes(folder: StorePath, local: Path, had: Mapping[str, tuple[int, int]]) -> None:
    """Puts what is new or other in `local` into `folder`, and removes there what is gone."""
    now = {
        name: path
        for path in local.rglob("*")
        if path.is_file() and _is_own(name := path.relative_to(local).as_posix())
    }
    for name in had:
        if name not in now:
            (folder / name).unlink(missing_ok=True)
    changed = [name for name, path in now.items() if had.get(name) != _fingerprint(path)]
    in_order = [name for name in sorted(changed) if name not in _CLOSING]
    for name in (*in_order, *(name for name in _CLOSING if name in changed)):
        (folder / name).upload(now[name])


@contextmanager
def fetched_index(folder: StorePath) -> Iterator[tuple[Path, list[str]]]:
    """A fresh copy of all files of the index, and the names of what else lies there, to check it.

    Raises:
        PairloomError, OSError: it cannot be fetched.
    """
    strays = [
        name
        for name in folder.files()
        if not _is_own(name) and not any(part.startswith(".") for part in name.split("/"))
    ]
    with tempfile.TemporaryDirectory(prefix="pairloom-verify-") as scratch:
        local = Path(scratch) / "index"
        sync_folder(folder, local, wanted=_is_own)
        yield local, strays
