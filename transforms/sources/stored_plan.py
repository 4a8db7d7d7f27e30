"""What a folder on a store holds: found once, and the same in every worker.

It travels pickled; or, where workers are on other machines, as a file that all of them open, so
that what travels is where it lies and its hash.
"""

import functools
import hashlib
import pickle
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from indexes.layout import write_atomically
from indexes.storage.paths import as_path
from transforms.protocols import SourceError


@dataclass(frozen=True)
class StoredPlan:
    """What a folder holds: rows in order, with their sizes, and where their texts lie.

    `names` are relative to the folder, `sizes` in bytes. `captions` maps a row to the name and size
    of the text beside it, `duplicates` a row to the first row with the same content. Kept
    compressed when pickled: it travels to every worker.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    captions: dict[int, tuple[str, int]]
    duplicates: dict[int, int]

    def __reduce__(self) -> tuple[Callable[..., "StoredPlan"], tuple[bytes]]:
        return _unpack_plan, (self.pack(),)

    def pack(self) -> bytes:
        """All of it in few bytes."""
        whole = (self.names, self.sizes, self.captions, self.duplicates)
        return zlib.compress(pickle.dumps(whole))


def _unpack_plan(packed: bytes) -> StoredPlan:
    return StoredPlan(*pickle.loads(zlib.decompress(packed)))


@dataclass(frozen=True)
class KeptPlan:
    """A plan in the file at `place`, a path or an address, whose SHA-256 is `sha256`.

    What travels is this; each process reads the file once.
    """

    place: str
    sha256: str

    def open(self) -> StoredPlan:
        """The plan.

        Raises:
            SourceError: the file is gone, or is another one.
        """
        return _open_kept(self.place, self.sha256)


@functools.lru_cache(maxsize=2)
def _open_kept(place: str, sha256: str) -> StoredPlan:
    try:
        data = as_path(place).read_bytes()
    except OSError as error:
        raise SourceError(
            f"{place}: the list of the source's files cannot be read: every worker must see the "
            f"output folder there ({error.strerror or error})"
        ) from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise SourceError(f"{place}: the list of the source's files is not that of this run")
    return _unpack_plan(data)


def keep_plan(plan: StoredPlan, folder: Path) -> KeptPlan:
    """`plan` as a file in `folder`, here or on a store, named by its content.

    Raises:
        IndexFolderError: it cannot be written.
    """
    data = plan.pack()
    sha256 = hashlib.sha256(data).hexdigest()
    place = folder / f"plan-{sha256[:16]}.bin"
    write_atomically(place, lambda partial: _write(partial, data))
    return KeptPlan(str(place.absolute()), sha256)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
