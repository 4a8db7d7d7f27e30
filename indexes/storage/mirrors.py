"""Folders of a store as local ones: fetched once, and again only where a file has become another.

A mirror remembers what the store said of each file that it fetched, so that one listing tells what
is to be fetched anew. `last` files, which say that a folder is whole, are taken away first and come
last, as whoever wrote the folder did it.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from indexes.storage.errors import StorageError, telling
from indexes.storage.statuses import content_tag
from indexes.storage.store_path import StorePath

STATE_FILE = ".mirror.json"
FETCHED_AT_ONCE = 8

Wanted = Callable[[str], bool]
Tags = Mapping[str, str]


def list_tags(remote: StorePath, wanted: Wanted) -> dict[str, str]:
    """What tells each wanted file of a folder from what it may become, by name: one listing.

    Raises:
        StorageError: the folder cannot be listed.
    """
    return {
        name: content_tag(info)
        for name, info in remote.files().items()
        if is_plain(name) and wanted(name)
    }


def is_plain(name: str) -> bool:
    """Whether a name on a store is one that a file in a folder can have here."""
    parts = name.split("/")
    return "\0" not in name and not any(part in ("", ".", "..", STATE_FILE) for part in parts)


def sync_folder(
    remote: StorePath, local: Path, *, wanted: Wanted, last: Sequence[str] = ()
) -> None:
    """Makes `local` hold the wanted files of `remote` as they are now, and no older ones.

    What else was fetched before, and is not wanted now, stays.

    Nothing else may write to `local` meanwhile, see `indexes.storage.cache`.

    Raises:
        StorageError: the store does not give them, or they changed while they were fetched.
        OSError: they cannot be written here.
    """
    tags = list_tags(remote, wanted)
    known = _read_state(local)
    have = {name: tag for name, tag in known.items() if (local / name).is_file()}
    missing = [name for name, tag in tags.items() if have.get(name) != tag]
    others = {name: tag for name, tag in have.items() if not wanted(name)}
    gone = [name for name in have if name not in tags and name not in others]
    if not missing and not gone:
        return
    local.mkdir(parents=True, exist_ok=True)
    unchanged = {name: tag for name, tag in have.items() if tags.get(name) == tag}
    kept = {name: tag for name, tag in (others | unchanged).items() if name not in last}
    _write_state(local, kept)
    for name in (*last, *gone, *missing):
        (local / name).unlink(missing_ok=True)
    closing = [name for name in last if name in tags]
    _fetch(remote, local, [name for name in missing if name not in closing])
    for name in closing:
        _fetch(remote, local, [name])
    if list_tags(remote, wanted) != tags:
        for name in last:
            (local / name).unlink(missing_ok=True)
        raise StorageError(11, "it was changed while it was fetched", str(remote))
    _write_state(local, others | tags)


def note_uploaded(remote: StorePath, local: Path, wanted: Wanted) -> None:
    """Remembers that `local` is what `remote` now is, after it was uploaded from there.

    Raises:
        StorageError: the folder cannot be listed.
    """
    tags = list_tags(remote, wanted)
    _write_state(local, {name: tag for name, tag in tags.items() if (local / name).is_file()})


def _fetch(remote: StorePath, local: Path, names: Iterable[str]) -> None:
    with ThreadPoolExecutor(FETCHED_AT_ONCE) as pool:
        for _ in pool.map(lambda name: _fetch_file(remote, local, name), names):
            pass


def _fetch_file(remote: StorePath, local: Path, name: str) -> None:
    path = local / name
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{PurePosixPath(name).name}.{os.getpid()}.partial")
    source = remote / name
    try:
        with telling(str(source)):
            size = source.info()["size"]
            source.system.get_file(source.key, str(partial))
            arrived = partial.stat().st_size
            if arrived != size:
                raise OSError(5, f"{arrived} of {size} bytes arrived")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _read_state(local: Path) -> dict[str, str]:
    try:
        found = json.loads((local / STATE_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): str(tag) for name, tag in found.items()} if isinstance(found, dict) else {}


def _write_state(local: Path, tags: Tags) -> None:
    partial = local / f"{STATE_FILE}.{os.getpid()}"
    partial.write_text(json.dumps(dict(tags), sort_keys=True), encoding="utf-8")
    partial.replace(local / STATE_FILE)
