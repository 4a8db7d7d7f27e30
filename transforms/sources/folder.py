"""A folder of picture files as a source.

Every regular or irregular file below the folder is a row, but for hidden ones (a name that begins
with a dot, or below such a folder) and sidecars (`.txt`, `.json`). Kinds are told by content, not
by name, and a row that is no picture becomes a reject, so that nothing disappears. Rows are sorted
by the bytes of their path. A text file beside a picture (`photo.txt` or `photo.jpg.txt` for
`photo.jpg`) is its alt text, unless a file of captions (`transforms.sources.captions_file`) tells
of it. Links to files are followed, links to folders are not.

A picture's key is the first 32 hex digits of the SHA-256 of its file; of files with the same
content the first counts. A row that is rejected here is keyed by a hash of its path instead,
because a content may be there twice or not be readable at all.
"""

import os
import stat
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from indexes.storage.paths import is_stored
from indexes.storage.systems import is_address
from transforms.pictures.decoding import PictureError, PictureLimits, normalise
from transforms.protocols import SourceError, SourceShard
from transforms.record import Reject, SourceImage
from transforms.sources.captions_file import captions_of, join_captions, load_captions
from transforms.sources.folder_plan import AnyPlan, ScratchPlan, store_plan
from transforms.sources.folder_planning import plan_folder, remove_scratch
from transforms.sources.folder_rows import caption_places, is_sidecar, picture_row, reject_row
from transforms.sources.listing import (
    ARCHIVE_PIECE_BYTES,
    ARCHIVE_PIECES,
    Listing,
    know_file,
    list_folder,
)
from transforms.sources.picture_folder import PictureFolder
from transforms.sources.texts import MAX_TEXT_BYTES, clean_text, decode_text


@dataclass(frozen=True)
class FolderSource(PictureFolder):
    """The pictures below the folder `path`, `shard_size` rows to a shard.

    The folder is listed and searched for duplicates once, by the first call of `shards` or `read`;
    a copy pickled after that holds the plan, so that all workers agree on it. Of very many files
    the plan is a temporary file, which copies open as long as this source lives. `limits` says
    which files are too large or too small; those become rejects. `captions` is a file with one or
    several captions of each picture; see `transforms.sources.captions_file`.

    Raises:
        SourceError: `shard_size` is no whole number >= 1. That the folder cannot be listed, or
            holds no files, or that `captions` is no file of captions, is raised by `shards`.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from pairloom import FolderSource, StillLifeSource
    >>> rendered = StillLifeSource(count=1)
    >>> picture = next(rendered.read(rendered.shards()[0]))
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "chair.png").write_bytes(picture.image)
    >>> _ = (folder / "chair.txt").write_text("a small yellow chair")
    >>> _ = (folder / "notes.doc").write_bytes(b"no picture at all")
    >>> source = FolderSource(str(folder))
    >>> [shard] = source.shards()
    >>> good, bad = source.read(shard)
    >>> good.reference, good.alt_text, good.content_sha256 == picture.content_sha256
    ('chair.png', 'a small yellow chair', True)
    >>> bad.stage, bad.reason
    ('read', 'not_an_image')
    """

    captions: str | None = None
    _plans: list[AnyPlan] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if is_address(self.path):
            raise SourceError(f"{self.path}: a folder on a store is a StoredFolderSource")
        if self.captions is not None and is_address(self.captions):
            raise SourceError(f"{self.captions}: a file of captions must not be on a store")

    def plan(self) -> AnyPlan:
        """The rows of the folder, computed once.

        Raises:
            SourceError: the folder, or one below it, cannot be listed, or it has no pictures.
        """
        if not self._plans:
            if self.captions is not None:
                load_captions(self.captions)
            plan = plan_folder(self.path, self._names(), self.limits)
            if not plan.rows:
                raise SourceError(f"{self.path}: the folder holds no picture files")
            if isinstance(plan, ScratchPlan):
                weakref.finalize(self, remove_scratch, plan)
            self._plans.append(plan)
        return self._plans[0]

    def store_plan(self, folder: Path) -> None:
        """Keeps the plan as a file in `folder`, which workers see: copies then hold its path alone.

        A folder on a store cannot be mapped into memory: there is nothing kept.

        Raises:
            SourceError: as `plan`.
            OSError: it cannot be written.
        """
        if is_stored(folder):
            return
        stored = store_plan(self.plan(), folder)
        self._plans[:] = [stored]

    def shards(self) -> list[SourceShard]:
        """Runs of `shard_size` rows, named by their number.

        Raises:
            SourceError: as `plan`.
        """
        return self.cut_rows(self.plan().rows)

    def read(self, shard: SourceShard) -> Iterator[SourceImage | Reject]:
        """The rows of `shard`; `position` counts from the folder's first row."""
        for row in range(shard.start, shard.stop):
            yield self._read_row(row, shard.name)

    def open(self, reference: str) -> bytes:
        """The picture that `read` gave `reference` to, as it gave it.

        Raises:
            SourceError: the reference leads out of the folder, or the picture is gone.
        """
        name = unquote_to_bytes(reference)
        if name.startswith(b"/") or b".." in name.split(b"/"):
            raise SourceError(f"{reference}: a reference must stay inside {self.path}")
        return self.read_again(reference, lambda: _read_file(self._locate(name), self.limits))

    def describe(self) -> dict[str, object]:
        """The source as plain data."""
        told = {} if self.captions is None else {"captions": self.captions}
        return {**super().describe(), **told}

    def listing(self) -> Listing:
        """The files of all rows and their captions, as they are now.

        Raises:
            SourceError: as `plan`.
        """
        names = self._names()
        if self.captions is None:
            return list_folder(self.path, names, captions_of=caption_places)
        told = know_file(
            Path(self.captions), pieces=ARCHIVE_PIECES, piece_bytes=ARCHIVE_PIECE_BYTES
        )
        also = {f"captions: {Path(self.captions).name}": told}
        return list_folder(self.path, names, captions_of=caption_places, also=also)

    def _names(self) -> Iterator[bytes]:
        """The paths of all rows; a file of captions that lies in the folder is none."""
        if self.captions is None:
            return _walk(self.path)
        inside = os.fsencode(os.path.relpath(self.captions, self.path))
        return (name for name in _walk(self.path) if name != inside)

    def _told(self, name: bytes) -> str | None:
        """What the file of captions says of a picture, a line each."""
        if self.captions is None:
            return None
        return join_captions(captions_of(self.captions, name.decode("utf-8", "replace")))

    def _locate(self, name: bytes) -> Path:
        return Path(self.path, os.fsdecode(name))

    def _read_row(self, row: int, shard: str) -> SourceImage | Reject:
        plan = self.plan()
        name = plan.name(row)
        reference = quote_from_bytes(name)
        first = plan.repeats(row)
        try:
            if first is not None:
                other = quote_from_bytes(plan.name(first))
                raise PictureError("duplicate", f"{reference} has the same content as {other}")
            path = self._locate(name)
            data = _read_file(path, self.limits)
            picture = normalise(data, self.limits)
            caption = self._told(name) or _read_caption(path)
        except PictureError as error:
            return reject_row(name, shard, row, error.reason, f"{reference}: {error.detail}")
        except OSError as error:
            return reject_row(name, shard, row, "unreadable", f"{reference}: {error.strerror}")
        return picture_row(shard, row, reference, data=data, picture=picture, caption=caption)


def _walk(folder: str) -> Iterator[bytes]:
    """Paths of all rows below `folder`, relative to it, in no particular order."""
    root = os.fsencode(folder)
    waiting = [b""]
    while waiting:
        inner = waiting.pop()
        try:
            with os.scandir(root + b"/" + inner) as entries:
                for entry in entries:
                    if entry.name.startswith(b"."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(inner + entry.name + b"/")
                    elif not _leads_to_folder(entry) and not is_sidecar(entry.name):
                        yield inner + entry.name
        except (OSError, ValueError) as error:
            where = (root + b"/" + inner).rstrip(b"/").decode("utf-8", "backslashreplace")
            reason = error.strerror if isinstance(error, OSError) else error
            raise SourceError(f"{where}: cannot list it: {reason}") from error


def _leads_to_folder(entry: os.DirEntry[bytes]) -> bool:
    """Whether it is a link to a folder; one that leads in a circle is a row, which says so."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _read_file(path: Path, limits: PictureLimits) -> bytes:
    """The bytes of a regular file that is small enough.

    The check comes before opening: opening a pipe would wait for a writer for ever.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise PictureError("not_a_file", "it is a pipe, socket or device, not a file")
    size = status.st_size
    if size <= limits.max_bytes:
        with path.open("rb") as file:
            data = file.read(limits.max_bytes + 1)  # it may have grown
        size = len(data)
    if size > limits.max_bytes:
        raise PictureError(
            "too_large_file", f"the file has {size} bytes, at most {limits.max_bytes} are read"
        )
    return data


def _read_caption(path: Path) -> str | None:
    """The text beside a picture on one line, or None.

    Raises:
        PictureError: `broken_text`, it is in no known encoding.
    """
    for beside in caption_places(path):
        try:
            if not stat.S_ISREG(beside.stat().st_mode):
                continue
            with beside.open("rb") as file:
                data = file.read(MAX_TEXT_BYTES)
        except OSError:
            continue
        return clean_text(decode_text(data, beside.name.encode("utf-8", "replace").decode()))
    return None
