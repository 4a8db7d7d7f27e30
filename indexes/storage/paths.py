"""From what a person wrote to a path, local or on a store."""

import errno
import os
import re
from pathlib import Path

from indexes.storage.errors import StorageError
from indexes.storage.store_path import StorePath
from indexes.storage.systems import is_address

_PASSWORD = re.compile(r"[^:]+://[^/@]*:[^/@]*@")


def as_path(place: str | os.PathLike[str]) -> Path:
    """The path that `place` names: a `StorePath` for an address, else a local one.

    `file://` is this machine.

    Raises:
        StorageError: the address holds a password, which would stand in manifests.

    >>> from pathlib import Path
    >>> str(as_path("s3://bucket/index") / "image.index")
    's3://bucket/index/image.index'
    >>> as_path("index") == Path("index")
    True
    """
    if isinstance(place, StorePath):
        return place
    text = os.fspath(place)
    if text.lower().startswith("file://"):
        return Path(text[len("file://") :])
    if not is_address(text):
        return Path(text)
    if _PASSWORD.match(text):
        shown = text.partition(":")[0] + "://..."
        raise StorageError(errno.EINVAL, "credentials must not stand in an address", shown)
    return StorePath(text)


def is_stored(path: Path) -> bool:
    """Whether a path is on a store and not on this machine."""
    return isinstance(path, StorePath)


def lies_at(path: Path) -> bool:
    """Whether anything lies at `path`; a link that leads nowhere counts."""
    return path.exists() if isinstance(path, StorePath) else os.path.lexists(path)
