"""`StorePath`: a path on a store with the methods of `pathlib.Path` that this code uses."""

import errno
import fnmatch
import io
import os
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path, PosixPath
from typing import Any

from indexes.storage.errors import MISSING, StorageError, StorageMissingError, telling
from indexes.storage.ranges import RangeFile, read_range
from indexes.storage.remembered import forget, recall, remembering
from indexes.storage.statuses import Info, as_stat, content_tag
from indexes.storage.systems import OBJECT_STORES, open_system, scheme_of

_BUFFER_BYTES = 1 << 16


class StorePath(PosixPath):
    """A file or folder at an address like `s3://bucket/folder/file`.

    Names are put together as those of local paths are. Whatever looks at files goes through
    fsspec; what has no such meaning there (`os.fspath`, links, modes) is an error, never a local
    file of that name. A file is read by ranges and written only whole: `write_bytes`, `upload`.

    Raises:
        StorageError: by all methods that look at the store, in one line with the address.

    >>> path = StorePath("memory://bucket/folder") / "greeting.txt"
    >>> path.write_bytes(b"hello")
    5
    >>> str(path), path.stat().st_size, path.read_text()
    ('memory://bucket/folder/greeting.txt', 5, 'hello')
    >>> [each.name for each in path.parent.iterdir()]
    ['greeting.txt']
    """

    __slots__ = ()

    def __str__(self) -> str:
        text = super().__str__()
        return text.replace(":/", "://", 1) if "://" not in text else text

    def __fspath__(self) -> str:
        raise TypeError(f"{self} is no local file")

    @property
    def system(self) -> Any:
        """The file system it is on."""
        return open_system(self.scheme, self.parts[1])

    @property
    def scheme(self) -> str:
        """What its address begins with, such as `s3`."""
        return scheme_of(self.parts[0])

    @property
    def key(self) -> str:
        """Its name on the file system."""
        # Of the beginning alone: some clients take more than that for no name, as what follows `?`.
        root = self.system._strip_protocol(f"{self.scheme}://{self.parts[1]}/").rstrip("/")
        return "/".join((root, *self.parts[2:])) or "/"

    @property
    def is_object(self) -> bool:
        """Whether it is on a store where uploads appear whole and folders need not be made."""
        return self.scheme in OBJECT_STORES

    def info(self) -> Info:
        """What the store says of it, asked now, or when the block of `remembered` began.

        Raises:
            StorageMissingError: there is nothing of that name.
        """
        if (known := recall(str(self))) is not None:
            return known
        with telling(str(self)):
            found: Info = self.system.info(self.key)
        return found

    def remembered(self) -> AbstractContextManager[None]:
        """A block that reads the file in many steps: what the store says of it is asked once."""
        return remembering(str(self), self.info)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Size, kind and times; `st_ino` is a number of what tells its content from another."""
        return as_stat(self.info())

    def lstat(self) -> os.stat_result:
        """As `stat`: there are no links."""
        return self.stat()

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Whether a file or folder is there; a store that cannot be asked is an error."""
        return self._kind() is not None

    def is_file(self) -> bool:
        """Whether it is a file that is there."""
        return self._kind() == "file"

    def is_dir(self) -> bool:
        """Whether it is a folder, which on a store is there as long as something is in it."""
        return self._kind() == "directory"

    def is_symlink(self) -> bool:
        """Stores have no links."""
        return False

    def _kind(self) -> str | None:
        with suppress(StorageMissingError):
            return str(self.info()["type"])
        return None

    def open(  # type: ignore[override]
        self, mode: str = "r", buffering: int = -1, encoding: str | None = None, **_: Any
    ) -> Any:
        """The file, open to be read by ranges.

        Raises:
            StorageError: it is a folder, or is not there, or `mode` is one of writing.
        """
        if mode not in ("r", "rb"):
            raise StorageError(errno.EINVAL, f"it is written whole, not in mode {mode}", str(self))
        info = self.info()
        if info["type"] != "file":
            raise StorageError(errno.EISDIR, "it is a folder", str(self))
        raw = RangeFile(
            self.system, self.key, address=str(self), size=int(info["size"]), tag=content_tag(info)
        )
        file = io.BufferedReader(raw, _BUFFER_BYTES)
        return file if mode == "rb" else io.TextIOWrapper(file, encoding=encoding or "utf-8")

    def read_bytes(self, most: int | None = None) -> bytes:
        """All of the file, or its first `most` bytes, in one request."""
        try:
            with telling(str(self)):
                data: bytes = self.system.cat_file(self.key, start=None, end=most)
        except StorageError:
            if most is None or self.info()["size"] != 0:  # an empty file has no range
                raise
            return b""
        return data if most is None else data[:most]

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        """All of the file as text, UTF-8 unless said otherwise."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def read_range(self, offset: int, size: int) -> bytes:
        """The `size` bytes from `offset` on, which must all be there."""
        return read_range(self.system, self.key, offset, offset + size, address=str(self))

    def write_bytes(self, data: Any) -> int:
        """Write the file, whole or not at all."""
        data = bytes(data)
        with telling(str(self)), _Arrival(self) as key:
            self.system.pipe_file(key, data)
        return len(data)

    def upload(self, local: Path) -> None:
        """Make this file of the local one, whole or not at all."""
        size = local.stat().st_size
        with telling(str(self)), _Arrival(self) as key:
            self.system.put_file(str(local), key)
            arrived = self.system.info(key)["size"]
            if arrived != size:
                raise OSError(errno.EIO, f"{arrived} of {size} bytes arrived")

    def touch(self, mode: int = 0o666, exist_ok: bool = True) -> None:  # noqa: FBT001, FBT002
        """Make an empty file where there is none."""
        if not (exist_ok and self.exists()):
            self.write_bytes(b"")

    def unlink(self, missing_ok: bool = False) -> None:  # noqa: FBT001, FBT002
        """Remove the file."""
        forget(str(self))
        try:
            if not missing_ok:
                self.info()  # S3 removes what is not there without a word
            with telling(str(self)):
                self.system.rm_file(self.key)
        except StorageMissingError:
            if not missing_ok:
                raise

    def entries(self) -> list[Info]:
        """What lies in the folder, as the store says it, by name: one request a thousand.

        On an object store a folder that is not there is one in which nothing is yet.
        """
        try:
            with telling(str(self)):
                own = self.key.rstrip("/")
                found = self.system.ls(self.key, detail=True)
        except StorageMissingError as error:
            if self.is_object and error.strerror == MISSING:
                return []
            raise
        if len(found) == 1 and found[0]["name"].rstrip("/") == own and found[0]["type"] == "file":
            raise StorageError(errno.ENOTDIR, "it is a file", str(self))
        inside = (each for each in found if each["name"].rstrip("/") != own)
        return sorted(inside, key=lambda each: str(each["name"]))

    def files(self) -> dict[str, Info]:
        """All files below the folder, by their names from there on, sorted: one listing."""
        with telling(str(self)):
            own = self.key.rstrip("/") + "/"
            found = self.system.find(self.key, detail=True)
        inside = {name[len(own) :]: found[name] for name in sorted(found) if name.startswith(own)}
        # An object named like a folder is how some tools make one.
        return {name: each for name, each in inside.items() if name and not name.endswith("/")}

    def iterdir(self) -> Iterator["StorePath"]:  # type: ignore[override]
        """What lies in the folder, in the order of the names."""
        for each in self.entries():
            yield self / str(each["name"]).rstrip("/").rpartition("/")[2]

    def glob(self, pattern: str, **_: Any) -> Iterator["StorePath"]:  # type: ignore[override]
        """What lies in the folder under a name like `pattern`, which has no slash."""
        if self.is_dir():
            yield from (each for each in self.iterdir() if fnmatch.fnmatchcase(each.name, pattern))

    def rglob(self, pattern: str, **_: Any) -> Iterator["StorePath"]:  # type: ignore[override]
        """The files below the folder under a name like `pattern`, which has no slash."""
        for name in self.files() if self.is_dir() else ():
            if fnmatch.fnmatchcase(name.rpartition("/")[2], pattern):
                yield self / name

    def mkdir(
        self,
        mode: int = 0o777,
        parents: bool = False,  # noqa: FBT001, FBT002
        exist_ok: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Make the folder where that is something: on an object store nothing is to be done."""
        if not self.is_object:
            with telling(str(self)):
                self.system.makedirs(self.key, exist_ok=exist_ok)

    def rmdir(self) -> None:
        """Remove the empty folder, where there is one."""
        if not self.is_object:
            with telling(str(self)):
                self.system.rmdir(self.key)

    def resolve(self, strict: bool = False) -> "StorePath":  # noqa: FBT001, FBT002
        """Itself: an address leads to the same place from everywhere."""
        return self

    def absolute(self) -> "StorePath":
        """Itself."""
        return self

    def expanduser(self) -> "StorePath":
        """Itself."""
        return self

    def is_absolute(self) -> bool:
        """It is."""
        return True


class _Arrival:
    """A block that uploads under the name it is given; only what is whole stands at `key`."""

    def __init__(self, path: StorePath) -> None:
        forget(str(path))
        self._system, self._key = path.system, path.key
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
        self._partial = path.key if path.is_object else partial.key

    def __enter__(self) -> str:
        return self._partial

    def __exit__(self, kind: object, *_: object) -> None:
        if self._partial == self._key:
            return
        if kind is None:
            self._system.mv(self._partial, self._key)
        elif self._system.exists(self._partial):
            self._system.rm_file(self._partial)
