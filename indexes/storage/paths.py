"""From what a person wrote to a path, local or on a store."""

import errno
import os
import re
from pathlib import Path

from indexes.storage.errors import StorageError
from indexes.storage.store_path import StorePath
from indexes.storage.systems import is_address

_PASSWORD = re.compile(r"[^:]+://[^/@]*:[^/@]*@")
_CHAIN = re.compile(r"[^:/]+::|.*::[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HERE = re.compile(r"(?:file|local)://(?:localhost(?=/))?", re.IGNORECASE)


def as_path(place: str | os.PathLike[str]) -> Path:
    """The path that `place` names: a `StorePath` for an address, else a local one.

    `file://` is this machine. Everything that a person or a file wrote comes through here: taken
    for a local path, an address would be a folder of that name.

    Raises:
        StorageError: the address holds a password, which would stand in manifests; or it is a chain
            (`simplecache::s3://...`), or names no bucket or server.

    >>> from pathlib import Path
    >>> str(as_path("s3://bucket/index") / "image.index")
    's3://bucket/index/image.index'
    >>> as_path("index") == Path("index")
    True
    """
    if isinstance(place, StorePath):
        return place
    text = os.fspath(place)
    if here := _HERE.match(text):
        return Path(text[here.end() :])
    if not is_address(text):
        return Path(text)
    scheme, _, rest = text.partition("://")
    if _PASSWORD.match(text):
        raise _refused("credentials must not stand in an address", f"{scheme}://...")
    if _CHAIN.match(text):
        raise _refused("addresses must not be chained: name the last alone", f"{scheme}://...")
    if not rest.partition("/")[0]:
        raise _refused("an address must name a bucket or a server after ://", text)
    return StorePath(text)


def on_this_machine(place: str | os.PathLike[str]) -> Path:
    """The path that `place` names, for what is neither read nor written on stores.

    Raises:
        StorageError: it is on one; or as `as_path`.
    """
    path = as_path(place)
    if isinstance(path, StorePath):
        raise _refused("must be on this machine", str(path))
    return path


def from_folder(folder: Path, place: str | os.PathLike[str]) -> Path:
    """The path that `place` names for a file in `folder`: a relative one begins there.

    >>> str(from_folder(as_path("s3://bucket/sources"), "part.tar"))
    's3://bucket/sources/part.tar'
    >>> str(from_folder(as_path("s3://bucket/sources"), "gs://other/part.tar"))
    'gs://other/part.tar'

    Raises:
        StorageError: as `as_path`.
    """
    path = as_path(place)
    return path if path.is_absolute() else folder / path


def _refused(rule: str, address: str) -> StorageError:
    return StorageError(errno.EINVAL, rule, address)


def is_stored(path: Path) -> bool:
    """Whether a path is on a store and not on this machine."""
    return isinstance(path, StorePath)


def lies_at(path: Path) -> bool:
    """Whether anything lies at `path`; a link that leads nowhere counts."""
    return path.exists() if isinstance(path, StorePath) else os.path.lexists(path)
